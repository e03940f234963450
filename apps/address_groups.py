"""Address groups: the addresses that a security group's rule names by a list.

As with a remote group a conjunction makes a sum of addresses × rules: clause 1 is one flow for each address of the
list, wherever a rule that names it applies; clause 2 is the rule's (`security_groups.py`). An address is whoever has
it: other than members of a remote group it is the same in every network.
"""
from apps.pipeline import OUT_FREE, OUT_RULES, STATELESS
from apps.security_groups import FAMILY, JUDGES, ONWARD, OPENING, PACKET, TABLES, users
from controller.app import flows, query, spread
from controller.openflow.actions import conjunction
from controller.openflow.match import match

APP = 41


@query
def consulted(world, group_id):
    """Where an address group is asked for: {(table, family): switches}."""
    found: dict = {}
    for rule in world.find("security_group_rule", "remote_address_group_id", group_id):
        for switch, guard, _ in world.gathered(users, rule.security_group_id):
            found.setdefault((JUDGES[guard][rule.direction].number, FAMILY[rule.ethertype]), set()).add(switch)
    return {key: frozenset(switches) for key, switches in found.items()}


def consulting(world, group):
    return spread(*(world.ask(consulted, group.id) or {}).values())


@flows(per="address_group", on=consulting)
def hold(world, group):
    """Clause 1: the addresses of the list."""
    for number, family in sorted(world.ask(consulted, group.id) or ()):
        table = TABLES[number]
        words = PACKET if table in JUDGES[STATELESS].values() else OPENING
        side = (words.destination if table in (OUT_RULES, OUT_FREE) else words.source)[family]
        for block in group.addresses:
            if (":" in block) == (family == FAMILY["IPv6"]):
                where = {} if block.endswith("/0") else {**words.needs, side: block}
                yield table, "remote", match({"eth_type": family, **where}), (conjunction(group.key, 1, 2),)


@flows(per="address_group", on=consulting)
def join(world, group):
    """Both clauses hold: the conjunction allows it."""
    for number in sorted({number for number, _ in world.ask(consulted, group.id) or ()}):
        yield TABLES[number], "remote", match(conj_id=group.key), (ONWARD[TABLES[number]],)
