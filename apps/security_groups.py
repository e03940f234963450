"""Security groups: which connections a port may open or accept.

    out_track ─ct─► [rules] ─► forward ─► in_track ─ct─► [rules] ─► commit ─► deliver
                    the sender's                         the receiver's

    [rules]: addresses ─► opened ─► out_rules or in_rules ─► allowed

Rules are about connections, so they are held against what conntrack says of one: its addresses, protocol and port as
they were in the packet that opened it. Who opened a connection must have an egress rule for it, the other side an
ingress rule; whatever is said on it later, in either direction, is held against the very same two rules. An answer
passes because its question would. When a rule goes, what it allowed ends with the next packet of whichever side.
ICMP errors have the addresses of the connection that they are about, and pass while that does.

Of a later piece of a packet (a fragment) nobody knows the port. Pieces pass the rules and are put together again behind
them (`allowed`, `commit`): what lacks the first one, which has the port, gets no further.

Guarded by stateless groups, a port's packets are held against its rules in both directions as they are, never tracked.

Ports that are in the same groups share their rules' flows: GROUPS says which groups those are. So a rule is one flow on
each host for each such combination, however many ports there are.

A rule with a remote group needs the members' addresses × the ports that use the rule. A conjunction makes that
a sum: clause 1 is one flow for each member's address on a host, whatever rules or ports use the group;
clause 2 is the rule's; the conjunction's id is the remote group's key. Elsewhere the same address is somebody else:
REALM, the networks that can send to each other (`realms.py`), keeps their members' flows apart.
"""
from itertools import product

from apps.guards import LINK_LOCAL, groups_key, groups_of, guard_of, has_subnets, pairs
from apps.pipeline import (
    ADDRESSES,
    ALLOWED,
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
    OPENED,
    OUT_FREE,
    OUT_RULES,
    OUT_TRACK,
    REALM,
    RECEIVER,
    STATEFUL,
    STATELESS,
)
from apps.places import everywhere, home, homes_of, switches_of
from apps.protocols import OPENING, PACKET, conversations
from apps.realms import realm
from controller.app import Lingers, flows, query, spread, tally
from controller.openflow.actions import conjunction, count, ct, drop, resubmit, set_field
from controller.openflow.match import match
from controller.values import eui64

APP = 5
FAMILY = {"IPv4": 0x800, "IPv6": 0x86dd}
FAMILIES = tuple(FAMILY.values())
TAGS = (0x8100, 0x88a8)      # IEEE 802.1Q, 802.1ad

# Connection state (ovs-fields(7)): new 1, established 2, related 4, reply 8, invalid 16, tracked 32.
NEW, INVALID, UNKNOWN = (0x21, 0x21), (0x30, 0x30), (0, 0)
TRACKED, UNTRACKED = (0x20, 0x20), (0, 0x20)
QUESTION, ANSWERING = (0x20, 0x28), (0x28, 0x28)
PIECE, LATER_PIECE = (1, 1), (3, 3)
JUDGES = {STATEFUL: {"egress": OUT_RULES, "ingress": IN_RULES}, STATELESS: {"egress": OUT_FREE, "ingress": IN_FREE}}
ONWARD = {OUT_RULES: ALLOWED, IN_RULES: ALLOWED, OUT_FREE: FORWARD, IN_FREE: COMMIT}
TABLES = {table.number: table for table in ONWARD}
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
            yield before, "dispatch", match({GUARDS: STATELESS, "eth_type": family}), (OUT_FREE,)
        yield IN_FREE, "other", match(eth_type=family), (drop("no rule of the receiver's groups allows it in"),)
    for before in (ANSWER, ASK):
        yield before, "rest", match(), (FORWARD,)
    yield OUT_FREE, "rest", match(), (drop("no rule of the sender's groups allows it out"),)
    yield IN_FREE, "rest", match(), (DELIVER,)


@flows(per="switch", on=everywhere)
def look_up(world, switch):
    """Each packet of a guarded port is looked up once; then the rules of its sender are asked, then the receiver's."""
    yield ADDRESSES, "rest", match(), (OPENED,)
    for family in FAMILIES:
        yield OUT_TRACK, "look_up", match(eth_type=family), (ct(NETWORK, ADDRESSES),)
        yield IN_TRACK, "tracked", match(eth_type=family, ct_state=TRACKED), (resubmit(ADDRESSES),)
        yield IN_TRACK, "look_up", match(eth_type=family, ct_state=UNTRACKED), (ct(NETWORK, ADDRESSES),)
        yield COMMIT, "new", match(eth_type=family, ct_state=NEW), (ct(NETWORK, commit=True), DELIVER)
    yield OUT_TRACK, "rest", match(), (FORWARD,)
    yield IN_TRACK, "rest", match(), (DELIVER,)
    yield COMMIT, "rest", match(), (DELIVER,)


@flows(per="network", on=lambda world, network: spread(switches_of(world, network.id)))
def know_addresses(world, network):
    """What is said behind conntrack: so a packet that is there already when networks are joined is judged as they are then."""
    yield ADDRESSES, "network", match({NETWORK: network.key}), (set_field({REALM: world.ask(realm, network.id)}), OPENED)


@flows(per="switch", on=everywhere)
def choose_rules(world, switch):
    """Who opened a connection has its egress rules asked for whatever is said on it, the other side its ingress rules.

    It is leaving its sender as long as it has no receiver.
    """
    yield OPENED, "never", match(ct_state=INVALID), (drop("not part of any connection"),)
    yield OPENED, "leaving", match({RECEIVER: 0, "ct_state": QUESTION}), (OUT_RULES,)
    yield OPENED, "leaving", match({RECEIVER: 0, "ct_state": ANSWERING}), (IN_RULES,)
    yield OPENED, "arriving", match(ct_state=ANSWERING), (OUT_RULES,)
    yield OPENED, "rest", match(), (IN_RULES,)
    for rules, whose in ((OUT_RULES, "sender"), (IN_RULES, "receiver")):
        yield rules, "answer", match(ct_state=ANSWERING), (drop("a rule that allowed the connection went"),)
        yield rules, "rest", match(), (drop(f"no rule of the {whose}'s groups allows it"),)
    yield ALLOWED, "leaving", match({RECEIVER: 0}), (FORWARD,)
    yield ALLOWED, "rest", match(), (COMMIT,)


@flows(per="switch", on=everywhere)
def put_together(world, switch):
    """Behind the rules a packet in pieces is put together again, as conntrack does: so its first piece must be there."""
    for family in FAMILIES:
        for rules in (OUT_RULES, IN_RULES):
            yield rules, "piece", match(eth_type=family, ip_frag=LATER_PIECE), (ALLOWED,)
        yield ALLOWED, "piece", match({RECEIVER: 0, "eth_type": family, "ip_frag": PIECE}), (ct(NETWORK, FORWARD),)
        yield COMMIT, "piece", match(eth_type=family, ct_state=TRACKED, ip_frag=PIECE), (ct(NETWORK, commit=True), DELIVER)


# ---- rules of groups

@query
def openings(world, group_id, guard):
    """What a group's rules allow: (direction, remote group or address group or None, fields of a match), each once, with the
    rule that says so."""
    found: dict = {}
    words = PACKET if guard == STATELESS else OPENING
    for rule in world.find("security_group_rule", "security_group_id", group_id):
        family = FAMILY[rule.ethertype]
        fields = conversation_with(rule, family, words)
        for talk in conversations(rule, family, words):
            needs = words.needs if fields or talk else {}
            remote = rule.remote_group_id or rule.remote_address_group_id
            found.setdefault((rule.direction, remote, tuple({"eth_type": family, **needs, **fields, **talk}.items())), rule.id)
    return tuple(found.items())


def conversation_with(rule, family, words):
    """The addresses of a rule as a match."""
    if not rule.remote_ip_prefix or rule.remote_ip_prefix.endswith("/0"):
        return {}
    return {(words.destination if rule.direction == "egress" else words.source)[family]: rule.remote_ip_prefix}


@query
def peers_in(world, group_id):
    """The conjunction id of a remote group, or of an address group: its key."""
    addresses = world.get("address_group", group_id)
    return addresses.key if addresses is not None else world.need("security_group", group_id).key


@tally(per="port")
def users(world, port):
    """Groups gather the switches, the kinds of guard and the realms of the ports that they guard; and on each switch the
    combinations of groups that these are in."""
    switches = homes_of(world, port)
    if switches and port.port_security_enabled:
        guard, together = world.ask(guard_of, port.id), groups_of(port)
        for switch, group in product(switches, together):
            yield group, (switch, guard, world.ask(realm, port.network_id))
            yield (group, switch), (together, guard)


def used(world, group):
    """The switches with ports in the group."""
    return {switch for switch, *_ in world.gathered(users, group.id)}


def unasked(world, group_id, switch, keys):
    """The entries of combinations of groups in which no port on the switch is any more."""
    asked = [match({GROUPS: world.ask(groups_key, together)}) for together, _ in world.gathered(users, (group_id, switch))]
    parts = [one[4:int.from_bytes(one[2:4])] for one in asked]
    return [key for key in keys if not any(part in key[2] for part in parts)]


# What a packet's way through connection tracking remembers is which groups were asked for: so those must be there still
# when Open vSwitch credits what has passed before its port went into others.
@flows(per="security_group", on=used, each=True, lingers=Lingers(unasked, ("security_group", "security_group_rule", "address_group")))
def allow(world, group, switch):
    """Rules that need no remote group stand alone; the others are clause 2 of the remote group's conjunction."""
    for together, guard in sorted(world.gathered(users, (group.id, switch))):
        yield from allowed(world, group, {GROUPS: world.ask(groups_key, together)}, guard)


def allowed(world, group, asked, guard):
    alone: dict = {}
    shared: dict = {}
    for (direction, remote, fields), _ in world.ask(openings, group.id, guard) or ():
        table = JUDGES[guard][direction]
        wanted = match({**asked, **dict(fields)})
        if remote is None:
            alone[table, wanted] = ONWARD[table]
        elif (id := world.ask(peers_in, remote)) is not None:
            shared.setdefault((table, wanted), set()).add(id)
    for table in JUDGES[guard].values():
        both = [(table, match(asked, eth_type=family)) for family in FAMILIES]
        if all(whole in alone for whole in both):            # only IP gets here: one flow says it for both
            alone[table, match(asked)] = [alone.pop(whole) for whole in both][0]
    for (table, wanted), onward in alone.items():
        yield table, "rule", wanted, (onward,)
    for (table, wanted), groups in shared.items():
        if (table, wanted) not in alone:
            yield table, "remote", wanted, tuple(conjunction(id, 2, 2) for id in sorted(groups))


def used_and_watched(world, group):
    """The switches with ports in the group, if somebody wants to know what its rules allow."""
    return used(world, group) if world.find("watch", "security_group_id", group.id) else ()


@flows(per="security_group", on=used_and_watched, each=True)
def count_allowed(world, group, switch):
    """Of a group that is watched each rule has flows above the others that do the same and count."""
    for together, guard in sorted(world.gathered(users, (group.id, switch))):
        yield from counted(world, group, {GROUPS: world.ask(groups_key, together)}, guard)


def counted(world, group, asked, guard):
    """What a rule allows that begins a connection, apart from the rest; the stateless do not know which that is.

    A rule with a remote group knows by the conjunction that its other half holds.
    """
    for (direction, remote, fields), rule in world.ask(openings, group.id, guard) or ():
        level, wanted, table = "rule", {**asked, **dict(fields)}, JUDGES[guard][direction]
        if remote is not None:
            if (id := world.ask(peers_in, remote)) is None:
                continue
            level, wanted = "remote", {**wanted, "conj_id": id}
        state, mask = wanted.get("ct_state", UNKNOWN)
        began = {"ct_state": (state | NEW[0], mask | NEW[1])}
        for above, what, more in ((1, "followed", {}), (2, "began", began))[:1 if guard == STATELESS else 2]:
            yield table, (level, above), match({**wanted, **more}), (
                count(what, "security_group_rule", rule, within=group.id), ONWARD[table])


# ---- remote groups

@query
def consulted(world, group_id):
    """Where a group's members must be known, as the remote group of some rule: {(table, family, realm): switches}."""
    found: dict = {}
    for rule in world.find("security_group_rule", "remote_group_id", group_id):
        for switch, guard, where in world.gathered(users, rule.security_group_id):
            table = JUDGES[guard][rule.direction]
            found.setdefault((table.number, FAMILY[rule.ethertype], where), set()).add(switch)
    return {key: frozenset(switches) for key, switches in found.items()}


@query
def consulting(world, group_id):
    """The switches on which a group is somebody's remote group."""
    return frozenset().union(*(world.ask(consulted, group_id) or {}).values())


@query
def consulting_in(world, group_id, realm_key):
    """The switches on which a group is the remote group of somebody in a realm."""
    return frozenset().union(*(switches for (*_, where), switches in (world.ask(consulted, group_id) or {}).items()
                               if where == realm_key))


@query
def tables_of(world, group_id):
    """The tables in which a group is looked up as remote group, by family and realm; changes seldom."""
    return tuple(sorted(world.ask(consulted, group_id) or ()))


def members_known(world, port):
    """Where a port's addresses are members': there are strangers with the same addresses in other realms."""
    if not home(world, port):
        return ()
    here = world.ask(realm, port.network_id)
    return spread(*(world.ask(consulting_in, group, here) for group in port.security_groups))


def addresses(world, port):
    """The addresses by which a port is a member of its groups. A pair for everything is not one of them."""
    own = [ip for _, ip in pairs(port) if not ip.endswith("/0")]
    return own or ([] if world.ask(has_subnets, port.network_id) else [eui64(LINK_LOCAL, port.mac_address)])


@flows(per="port", on=members_known)
def belong(world, port):
    """Clause 1: the port's addresses are members of its groups."""
    yield from membership(world, port, addresses(world, port))


def membership(world, port, known):
    """That addresses are a port's, and so members of its groups."""
    if not port.port_security_enabled:
        return
    here = world.ask(realm, port.network_id)
    members: dict = {}
    for group in port.security_groups:
        id = world.ask(peers_in, group)
        for number, family, where in world.ask(tables_of, group) or ():
            for ip in known if where == here else ():
                if id is not None and (":" in ip) == (family == 0x86dd):
                    members.setdefault((number, family, ip), []).append(id)
    for (number, family, ip), groups in members.items():
        table = TABLES[number]
        words = PACKET if table in JUDGES[STATELESS].values() else OPENING
        side = (words.destination if table in (OUT_RULES, OUT_FREE) else words.source)[family]
        yield table, "remote", match({REALM: here, "eth_type": family, **words.needs, side: ip}), tuple(
            conjunction(id, 1, 2) for id in sorted(groups))


@flows(per="security_group", on=lambda world, group: spread(world.ask(consulting, group.id)))
def join(world, group):
    """Both clauses hold: the conjunction allows it."""
    for number in sorted({number for number, *_ in world.ask(tables_of, group.id) or ()}):
        yield TABLES[number], "remote", match(conj_id=group.key), (ONWARD[TABLES[number]],)

