"""Services of every network, at 169.254.169.254 and fe80::a9fe:a9fe: metadata on port 80, names on port 53.

    metadata.py     HTTP over TCP           names.py        DNS over UDP and TCP

They are there before any router is, and whichever MAC a machine sends to: what is for these addresses and ports ends
here, so a machine may reach them through its gateway. Only from a port's own addresses; what is said is for that port
and made of what is its own. ARP and neighbour discovery for the addresses are answered by flows. No security group is
asked, as with DHCP.
"""
from apps import metadata, names
from apps.guards import pairs
from apps.pipeline import ANSWER, BACK, METERS, ND_REPLY, SENDER, SERVE
from apps.places import everywhere, homes_of, plugged
from apps.replies import arp_reply
from apps.servers import SERVICE_IP, SERVICE_IP6, SERVICE_MAC, has_services
from controller.app import Ask, Heard, answers, flows
from controller.openflow import Meter, controller, match, meter, move, set_field
from controller.openflow.actions import drop
from controller.packet import dns, ethernet, ipv4, ipv6, tcp, udp
from controller.values import ip_number, ip_version, prefix

APP = 16
ARP, IPV4, IPV6, TCP, UDP, ICMPV6 = 0x806, 0x800, 0x86dd, 6, 17, 58
SOLICITATION, SOLICITED_OVERRIDE, TARGET_LINK_LAYER = 135, 0x60000000, 2
RATE, BURST = 100, 300              # packets a second of one port: user data of 64 KB are some 60
FLOODED = 250                       # a second: less is a machine that starts
HERE = {4: ipv4.address(SERVICE_IP), 6: ipv6.address(SERVICE_IP6)}


def kinds(world):
    """The protocols and ports that are served."""
    if metadata.serves(world):
        yield TCP, metadata.PORT
    if names.serves(world):
        yield UDP, dns.PORT
        yield TCP, dns.PORT


@flows(per="switch", on=everywhere)
def stand(world, switch):
    for protocol, port in kinds(world):
        field = "tcp_dst" if protocol == TCP else "udp_dst"
        for where in ({"eth_type": IPV4, "ipv4_dst": SERVICE_IP}, {"eth_type": IPV6, "ipv6_dst": SERVICE_IP6}):
            yield ANSWER, "question", match({**where, "ip_proto": protocol, field: port}, vlan_vid=0), (SERVE,)
    if has_services(world):
        yield from neighbours()
    yield SERVE, "rest", match(), (drop("nobody is served here"),)


def neighbours():
    """Who asks for the addresses, everybody or them alone, hears of their MAC on the spot."""
    yield ANSWER, "question", match({"eth_type": ARP, "arp_op": 1, "arp_tpa": SERVICE_IP}, vlan_vid=0), (
        *arp_reply(SERVICE_MAC, SERVICE_IP), *BACK)
    yield ANSWER, "question", match({"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": SOLICITATION,
                                     "nd_target": SERVICE_IP6}, vlan_vid=0), (
        move("eth_src", "eth_dst"), set_field(eth_src=SERVICE_MAC),
        move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=SERVICE_IP6), set_field(icmpv6_type=136),
        set_field(nd_reserved=SOLICITED_OVERRIDE), set_field(nd_options_type=TARGET_LINK_LAYER), ND_REPLY)


@flows(per="port", on=homes_of)
def serve(world, port):
    if has_services(world):
        yield Meter(METERS["services"] + port.key, pps=RATE, burst=BURST)
        yield SERVE, "port", match({SENDER: port.key}), (meter(METERS["services"] + port.key), controller())


@answers(of=serve, flood=FLOODED)
def answer(world, port, frame):
    """What a port is answered: a name, or a step in a conversation; to a port of a trunk with its tag."""
    network, seen = world.need("network", port.network_id), world.known(plugged, port.id)
    out = b"".join(seen.out) if seen and seen.tag else None
    segment = tcp.read(frame)
    if segment is not None:
        service = {metadata.PORT: metadata.SERVICE, dns.PORT: names.SERVICE}.get(segment.to_port)
        if service is None or segment.to_ip not in HERE.values() or not is_own(port, segment.from_mac, segment.from_ip):
            return ()
        return (Heard(frame, service, network.mtu, out),)
    asked = udp.read(frame) or udp.read_over_ipv6(frame)
    if asked is None or asked.to_ip not in HERE.values() or not is_own(port, asked.from_mac, asked.from_ip):
        return ()
    return tuple(addressed(out, one) for one in names.answer(world, port, asked, network.mtu))


def addressed(out, answer):
    """An answer that leaves by these actions, if there are some to be said."""
    if out is None:
        return answer
    if isinstance(answer, Ask):
        return answer._replace(then=lambda told: tuple((out, one) for one in answer.then(told)))
    return out, answer


def is_own(port, mac: bytes, ip: bytes) -> bool:
    """Whether a port may send from a MAC and an address: where nobody guards it, too."""
    said, version = mac.hex(":"), 4 if len(ip) == 4 else 6
    own = pairs(port)
    if version == 6 and ipv6.is_link_local(ip) and ip == ipv6.link_local(mac):
        return mac in {ethernet.address(one) for one in (port.mac_address, *(one for one, _ in own))}
    number = int.from_bytes(ip, "big")
    return any(said == one and _within(number, version, address) for one, address in own)


def _within(number: int, version: int, address: str) -> bool:
    if "/" not in address:
        return ip_version(address) == version and number == ip_number(address)
    block = prefix(address)
    return block.version == version and block.first <= number <= block.last
