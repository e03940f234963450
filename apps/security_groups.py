"""Security groups: which connections a port may open or accept.

    out_track ─ct─► out_rules ──► forward ──► in_track ─ct─► in_rules ──► commit ──► deliver
                    the sender's groups                      the receiver's groups

A new connection, and every later packet in its original direction, must match a rule of the sender's groups
(egress) and one of the receiver's (ingress). Replies pass because the connection was committed, and is marked alive.
When the rules stop allowing the original direction its next packet takes the mark away, and then its replies end too.
Guarded by stateless groups, a port's packets are held against its rules in both directions and never tracked.

Ports of a project that are in the same groups share their rules' flows: GROUPS says which groups those are. So a rule
is one flow on each host for each such combination, however many ports there are.

A rule with a remote group needs the members' addresses × the ports that use the rule. A conjunction makes that
a sum: clause 1 is one flow for each member's address on a host, whatever rules or networks use the group;
clause 2 is the rule's; the conjunction's id is the remote group's key. Tenants use the same addresses: REALM, the project
whose rules are asked, keeps their members' flows apart.
"""
from apps.guards import LINK_LOCAL, groups_key, groups_of, guard_of, has_subnets, pairs, realm
from apps.pipeline import (
    ANSWER,
    ASK,
    COMMIT,
    DELIVER,
    FORWARD,
    GROUPS,
    GUARDS,
    IN_FREE,
    IN_RULES,
    IN_TRACK,
    NETWORK,
    OUT_RULES,
    OUT_TRACK,
    REALM,
    STATEFUL,
    STATELESS,
)
from apps.places import everywhere, home, plugged
from apps.protocols import number_of
from controller.app import flows, query, spread, tally
from controller.openflow.actions import conjunction, ct, drop
from controller.openflow.match import match
from controller.openflow.ranges import port_masks
from controller.values import eui64

APP = 5
FAMILY = {"IPv4": 0x800, "IPv6": 0x86dd}
FAMILIES = tuple(FAMILY.values())
TAGS = (0x8100, 0x88a8)      # IEEE 802.1Q, 802.1ad
SOURCE = {0x800: "ipv4_src", 0x86dd: "ipv6_src"}
DESTINATION = {0x800: "ipv4_dst", 0x86dd: "ipv6_dst"}
NUMBER = {"tcp": 6, "udp": 17, "sctp": 132}
PORT_FIELD = {6: "tcp_dst", 17: "udp_dst", 132: "sctp_dst"}
TYPE_FIELDS = {1: ("icmpv4_type", "icmpv4_code"), 58: ("icmpv6_type", "icmpv6_code")}

# Connection state (ovs-fields(7)): new 1, established 2, related 4, reply 8, invalid 16, tracked 32.
NEW, INVALID, RELATED = (0x21, 0x21), (0x30, 0x30), (0x24, 0x25)
REPLY, ORIGINAL, TRACKED, UNTRACKED = (0x2a, 0x2a), (0x22, 0x2a), (0x20, 0x20), (0, 0x20)
NO_REPLY = (0x20, 0x28)      # a connection that nobody has answered yet is still called new
ALIVE, DEAD = 1, 0
# Neighbour discovery and multicast listener messages belong to the network and not to a conversation.
ALWAYS = (130, 131, 132, 133, 134, 135, 136, 143)


# ---- standing flows

@flows(per="switch", on=everywhere)
def dispatch(world, switch):
    """After ANSWER: to whoever guards the sender; only IP is held against rules."""
    for message in ALWAYS:
        signal = {"eth_type": 0x86dd, "ip_proto": 58, "icmpv6_type": message}
        yield ANSWER, "exempt", match(signal), (FORWARD,)
        yield IN_TRACK, "exempt", match(signal), (DELIVER,)
        yield IN_FREE, "exempt", match(signal), (DELIVER,)
    for tag in TAGS:
        # Open vSwitch looks behind one tag; whoever looks behind two would find what no rule has seen.
        for judge in (IN_TRACK, IN_FREE):
            yield judge, "exempt", match(eth_type=tag), (drop("a tag inside a tag, which no rule can look behind"),)
    yield ASK, "exempt", match(eth_type=0x86dd, ip_proto=58), (FORWARD,)       # all that gets there is a solicitation
    for family in FAMILIES:
        for before in (ANSWER, ASK):
            yield before, "dispatch", match({GUARDS: STATEFUL, "eth_type": family}), (OUT_TRACK,)
            yield before, "dispatch", match({GUARDS: STATELESS, "eth_type": family}), (OUT_RULES,)
        yield IN_FREE, "other", match(eth_type=family), (drop("no rule of the receiver's groups allows it in"),)
    for before in (ANSWER, ASK):
        yield before, "rest", match(), (FORWARD,)
    yield IN_FREE, "rest", match(), (DELIVER,)


@flows(per="switch", on=everywhere)
def follow_connections(world, switch):
    zone = NETWORK
    for family in FAMILIES:
        yield OUT_TRACK, "look_up", match(eth_type=family), (ct(zone, OUT_RULES),)
        yield IN_TRACK, "tracked", match(eth_type=family, ct_state=TRACKED), (IN_RULES,)
        yield IN_TRACK, "look_up", match(eth_type=family, ct_state=UNTRACKED), (ct(zone, IN_RULES),)
        yield COMMIT, "new", match(eth_type=family, ct_state=NEW), (ct(zone, commit=True, mark=ALIVE), DELIVER)
        yield COMMIT, "new", match(eth_type=family, ct_state=ORIGINAL, ct_mark=DEAD), (
            ct(zone, commit=True, mark=ALIVE), DELIVER)
        for rules, onward, whose in ((OUT_RULES, FORWARD, "sender"), (IN_RULES, COMMIT, "receiver")):
            yield rules, "tracked", match(eth_type=family, ct_state=INVALID), (drop("not part of any connection"),)
            yield rules, "tracked", match(eth_type=family, ct_state=REPLY, ct_mark=ALIVE), (onward,)
            yield rules, "tracked", match(eth_type=family, ct_state=REPLY, ct_mark=DEAD), (
                drop("a rule that allowed the connection went"),)
            yield rules, "tracked", match(eth_type=family, ct_state=RELATED, ct_mark=ALIVE), (onward,)
            yield rules, "cut", match(eth_type=family, ct_state=NO_REPLY, ct_mark=ALIVE), (ct(zone, commit=True, mark=DEAD),)
            yield rules, "rest", match(eth_type=family), (drop(f"no rule of the {whose}'s groups allows it"),)
    yield OUT_TRACK, "rest", match(), (FORWARD,)
    yield IN_TRACK, "rest", match(), (DELIVER,)
    yield COMMIT, "rest", match(), (DELIVER,)


# ---- rules of groups

@query
def openings(world, group_id):
    """What a group's rules allow: (direction, remote group or None, fields of a match), each once."""
    found: dict = {}
    for rule in world.find("security_group_rule", "security_group_id", group_id):
        family, out = FAMILY[rule.ethertype], rule.direction == "egress"
        fields = {"eth_type": family}
        if rule.remote_ip_prefix and not rule.remote_ip_prefix.endswith("/0"):
            fields[(DESTINATION if out else SOURCE)[family]] = rule.remote_ip_prefix
        for talk in conversations(rule, family):
            found[rule.direction, rule.remote_group_id, tuple({**fields, **talk}.items())] = None
    return tuple(found)


def conversations(rule, family):
    """The protocol, ports or ICMP types of a rule as matches; a range of ports becomes several."""
    protocol = number_of(rule.protocol, family)
    if protocol is None:
        return [{}]
    least, most = rule.port_range_min, rule.port_range_max
    if protocol in TYPE_FIELDS:
        of_type, of_code = TYPE_FIELDS[protocol]
        return [{"ip_proto": protocol} | ({of_type: least} if least is not None else {})
                | ({of_code: most} if most is not None else {})]
    if least is None or protocol not in PORT_FIELD:
        return [{"ip_proto": protocol}]
    return [{"ip_proto": protocol, PORT_FIELD[protocol]: ports} for ports in port_masks(least, most)]


@query
def peers_in(world, group_id):
    """The conjunction id of a remote group: its key."""
    return world.need("security_group", group_id).key


@tally(per="port")
def users(world, port):
    """Groups gather the switches, the kinds of guard and the realms of the ports that they guard; and on each switch the
    combinations of groups that these are in."""
    seen = world.ask(plugged, port.id)
    if seen and port.port_security_enabled:
        guard, together = world.ask(guard_of, port.id), groups_of(port)
        for group in together:
            yield group, (seen.switch_id, guard, realm(port.project_id))
            yield (group, seen.switch_id), (port.project_id or "", together, guard)


def used(world, group):
    """The switches with ports in the group."""
    return {switch for switch, *_ in world.gathered(users, group.id)}


@flows(per="security_group", on=used, each=True)
def allow(world, group, switch):
    """Rules that need no remote group stand alone; the others are clause 2 of the remote group's conjunction."""
    for project, together, guard in sorted(world.gathered(users, (group.id, switch))):
        asked = {REALM: realm(project), GROUPS: world.ask(groups_key, project, together)}
        yield from allowed(world, group, asked, IN_FREE if guard == STATELESS else IN_RULES)


def allowed(world, group, asked, ingress):
    alone: dict = {}
    shared: dict = {}
    for direction, remote, fields in world.ask(openings, group.id) or ():
        table, onward = (OUT_RULES, FORWARD) if direction == "egress" else (ingress, COMMIT)
        wanted = match({**asked, **dict(fields)})
        if remote is None:
            alone[table, wanted] = onward
        elif (id := world.ask(peers_in, remote)) is not None:
            shared.setdefault((table, wanted), set()).add(id)
    for table in (OUT_RULES, ingress):
        both = [(table, match(asked, eth_type=family)) for family in FAMILIES]
        if all(whole in alone for whole in both):            # only IP gets here: one flow says it for both
            alone[table, match(asked)] = [alone.pop(whole) for whole in both][0]
    for (table, wanted), onward in alone.items():
        yield table, "rule", wanted, (onward,)
    for (table, wanted), groups in shared.items():
        if (table, wanted) not in alone:
            yield table, "remote", wanted, tuple(conjunction(id, 2, 2) for id in sorted(groups))


# ---- remote groups

@query
def consulted(world, group_id):
    """Where a group's members must be known, as the remote group of some rule: {(table, family, realm): switches}."""
    found: dict = {}
    for rule in world.find("security_group_rule", "remote_group_id", group_id):
        for switch, guard, whose in world.gathered(users, rule.security_group_id):
            table = OUT_RULES if rule.direction == "egress" else IN_FREE if guard == STATELESS else IN_RULES
            found.setdefault((table.number, FAMILY[rule.ethertype], whose), set()).add(switch)
    return {key: frozenset(switches) for key, switches in found.items()}


@query
def consulting(world, group_id):
    """The switches on which a group is somebody's remote group."""
    return frozenset().union(*(world.ask(consulted, group_id) or {}).values())


@query
def tables_of(world, group_id):
    """The tables in which a group is looked up as remote group, by family and realm; changes seldom."""
    return tuple(sorted(world.ask(consulted, group_id) or ()))


def members_known(world, port):
    return spread(*(world.ask(consulting, group) for group in port.security_groups)) if home(world, port) else ()


def addresses(world, port):
    """The addresses by which a port is a member of its groups. A pair for everything is not one of them."""
    own = [ip for _, ip in pairs(port) if not ip.endswith("/0")]
    return own or ([] if world.ask(has_subnets, port.network_id) else [eui64(LINK_LOCAL, port.mac_address)])


@flows(per="port", on=members_known)
def belong(world, port):
    """Clause 1: the port's addresses are members of its groups."""
    if not port.port_security_enabled:
        return
    members: dict = {}
    for group in port.security_groups:
        id = world.ask(peers_in, group)
        for number, family, whose in world.ask(tables_of, group) or ():
            for ip in addresses(world, port):
                if id is not None and (":" in ip) == (family == 0x86dd):
                    members.setdefault((number, family, whose, ip), []).append(id)
    for (number, family, whose, ip), groups in members.items():
        table = TABLES[number]
        side = (DESTINATION if table is OUT_RULES else SOURCE)[family]
        yield table, "remote", match({REALM: whose, "eth_type": family, side: ip}), tuple(
            conjunction(id, 1, 2) for id in sorted(groups))


TABLES = {table.number: table for table in (OUT_RULES, IN_RULES, IN_FREE)}


@flows(per="security_group", on=lambda world, group: spread(world.ask(consulting, group.id)))
def join(world, group):
    """Both clauses hold: the conjunction allows it."""
    for number in sorted({number for number, *_ in world.ask(tables_of, group.id) or ()}):
        yield TABLES[number], "remote", match(conj_id=group.key), (FORWARD if number == OUT_RULES.number else COMMIT,)

