"""Port security: a port sends only from its own addresses, and plays neither router nor DHCP server.

Own are the fixed addresses with the port's MAC, the allowed address pairs, and the link-local IPv6 address made
from each MAC (RFC 4291 appendix A). On a network without subnets there are no addresses to impersonate: any
frame with the port's MAC passes (ARP must name that MAC too).
"""
from apps.guards import LINK_LOCAL, has_subnets, pairs
from apps.pipeline import ANSWER, GUARD, METERS, ND_GUARD, ND_TARGET, SENDER
from apps.places import everywhere, homes_of
from apps.watched import where_watched
from controller.app import Alarm, FromPort, answers, flows
from controller.openflow.actions import controller, count, drop, meter
from controller.openflow.group import Meter
from controller.openflow.match import match, shape
from controller.packet.claims import claimed
from controller.values import eui64
from topology.binding import holder

APP = 3
ARP, IPV4, IPV6, UDP, ICMPV6 = 0x806, 0x800, 0x86dd, 17, 58
SOLICITATION, ADVERTISEMENT = 135, 136
FIRST_FRAGMENT = 1
TOLD = 10                           # frames a second, of all ports of a switch, that we are told of as forged


@flows(per="switch", on=everywhere)
def stand(world, switch):
    yield SPOOFS
    for table, level, fields, do in refusals():
        yield table, level, match(fields), do
    yield ND_GUARD, "own", match(SOLICITS, nd_sll=0), (ANSWER,)
    yield ND_GUARD, "own", match(ADVERTISES, nd_tll=0), (ND_TARGET,)
    yield ND_GUARD, "rest", match(), (ANSWER,)


SOLICITS, ADVERTISES = ({"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": kind} for kind in (SOLICITATION, ADVERTISEMENT))
SPOOFS = Meter(METERS["spoofs"], pps=TOLD, burst=TOLD)
TELL = meter(METERS["spoofs"]), controller()


def refusals():
    """What no port may say: table, level, what it is, and what is done with it."""
    yield GUARD, "never", {"eth_type": IPV4, "ip_proto": UDP, "udp_src": 67}, (drop("a port may not be a DHCP server"),)
    yield GUARD, "never", {"eth_type": IPV6, "ip_proto": UDP, "udp_src": 547}, (drop("a port may not be a DHCPv6 server"),)
    for message, name in ((134, "advertise a router"), (137, "redirect")):
        yield GUARD, "never", {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": message}, (drop(f"a port may not {name}"),)
    # Behind options a first fragment may end before what the above look at (RFC 7112 forbids it). Open vSwitch then
    # shows 0, and protocol 0 if not even the options can be followed.
    short = drop("its headers are cut short")
    yield GUARD, "never", {"eth_type": IPV6, "ip_proto": 0}, (short,)
    for hidden in ({"ip_proto": UDP, "udp_src": 0}, {"ip_proto": ICMPV6, "icmpv6_type": 0}):
        yield GUARD, "never", {"eth_type": IPV6, "ip_frag": FIRST_FRAGMENT, **hidden}, (short,)
    yield GUARD, "arp", {"eth_type": ARP}, (*TELL, drop("ARP with an address that is not the port's"))
    yield GUARD, "rest", {}, (drop("source address is not the port's"),)
    for said in (SOLICITS, ADVERTISES):
        # What Open vSwitch cannot parse (an option twice, a wrong length) it shows as target `::`.
        yield ND_GUARD, "never", {**said, "nd_target": "::"}, (drop("malformed neighbour discovery"),)
        yield ND_GUARD, "claim", said, (drop("neighbour discovery with a MAC that is not the port's"),)
    yield ND_TARGET, "rest", {}, (*TELL, drop("neighbour advertisement for an address that is not the port's"))


@flows(per="port", on=where_watched)
def count_refused(world, port):
    """Of a port that is watched it is counted what it may not say, and why: just above the flows that refuse it to all."""
    if not port.port_security_enabled:
        return
    yield SPOOFS
    for table, level, fields, do in refusals():
        counted = count("dropped", "port", port.id, within=port.network_id, about=do[-1].reason)
        yield table, (level, 1), match({SENDER: port.key, **fields}), (counted, *do)


@answers(of=count_refused)
def name_it(world, port, frame):
    """As of those that nobody watches."""
    return tuple(forged(world, port, *claimed(frame)))


@answers(of=stand)
def name_the_port(world, switch, frame):
    """Who says that it has an address that is not its own is dropped, and people are told who that is."""
    mac, ip = claimed(frame)

    def at(number):
        for seen in world.find("interface", "switch_id", switch.id):
            port = world.get("port", seen.port_id or holder(world, seen.id) or "") if seen.ofport == number else None
            if port is not None and port.port_security_enabled:
                yield from forged(world, port, mac, ip)
    return (FromPort(at),)


def forged(world, port, mac, ip):
    """A port says that it has an address; whose it is, if it is somebody's."""
    whose = [other.id for other in world.find("port", "network_id+ip_address", (port.network_id, ip)) if other.id != port.id]
    yield Alarm("spoof", {"object": f"port {port.id}", "address": ip or mac, "because": (
        f"it is port {whose[0]}'s" if whose else "it is not the port's")})


@flows(per="port", on=homes_of)
def guard(world, port):
    if not port.port_security_enabled:
        return
    if not world.ask(has_subnets, port.network_id):
        yield from guard_mac(port)
        return
    own = pairs(port)
    macs = list(dict.fromkeys([port.mac_address, *(mac for mac, _ in own)]))
    yield from guard_ipv4(port, macs, [pair for pair in own if ":" not in pair[1]])
    yield from guard_ipv6(port, macs, [pair for pair in own if ":" in pair[1]])


MAC = shape(SENDER, "eth_src")
MAC_ARP = shape(SENDER, "eth_src", "arp_sha", eth_type=ARP)


def guard_mac(port):
    mac = port.mac_address
    yield GUARD, "own", MAC_ARP(port.key, mac, mac), (ANSWER,)
    yield GUARD, "any", MAC(port.key, mac), (ANSWER,)


OWN_ARP = shape(SENDER, "eth_src", "arp_sha", "arp_spa", eth_type=ARP)
OWN_IPV4 = shape(SENDER, "eth_src", "ipv4_src", eth_type=IPV4)
PROBE = shape(SENDER, "eth_src", "arp_sha", eth_type=ARP, arp_op=1, arp_spa="0.0.0.0")
DISCOVER = shape(SENDER, "eth_src", eth_type=IPV4, ipv4_src="0.0.0.0", ip_proto=UDP, udp_src=68, udp_dst=67)


def guard_ipv4(port, macs, own):
    for mac, ip in own:
        yield GUARD, "own", OWN_ARP(port.key, mac, mac, ip), (ANSWER,)
        yield GUARD, "own", OWN_IPV4(port.key, mac, ip), (ANSWER,)
    for mac in macs:
        # Is an address free (RFC 5227)? Asked before one has any; so is the first DHCP question.
        yield GUARD, "own", PROBE(port.key, mac, mac), (ANSWER,)
        yield GUARD, "own", DISCOVER(port.key, mac), (ANSWER,)


OWN_IPV6 = shape(SENDER, "eth_src", "ipv6_src", eth_type=IPV6)
# Duplicate address detection (RFC 4862 §5.4): from nobody, about one's own address.
IS_IT_FREE = shape(SENDER, "eth_src", "nd_target", eth_type=IPV6, ipv6_src="::", ip_proto=ICMPV6, icmpv6_type=SOLICITATION)
SPEAK_FOR = shape(SENDER, "nd_target", eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=ADVERTISEMENT)
ASK_AS = shape(SENDER, "nd_sll", eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=SOLICITATION)
SPEAK_AS = shape(SENDER, "nd_tll", eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=ADVERTISEMENT)


def guard_ipv6(port, macs, own):
    for mac, ip in dict.fromkeys([*own, *[(mac, eui64(LINK_LOCAL, mac)) for mac in macs]]):
        yield GUARD, "own", OWN_IPV6(port.key, mac, ip), (ND_GUARD,)
        yield GUARD, "own", IS_IT_FREE(port.key, mac, ip), (ANSWER,)
        yield ND_TARGET, "own", SPEAK_FOR(port.key, ip), (ANSWER,)
    for mac in macs:
        yield ND_GUARD, "own", ASK_AS(port.key, mac), (ANSWER,)
        yield ND_GUARD, "own", SPEAK_AS(port.key, mac), (ND_TARGET,)
