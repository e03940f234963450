"""Claims: who has an address that several ports may have by their allowed address pairs, as with VRRP.

Who takes such an address tells everybody on the network, by gratuitous ARP or an unsolicited neighbour advertisement. That
is carried like any frame, and the controller gets a copy, so many a second. Who has said so last is a fact; the flows
that lead to the address follow: next hops of routers, and floating IPs. Before anybody has said anything it is the port's
whose fixed address it is; if it is nobody's, a router that has something for it asks (`ask_owners` in `routing.py`).
"""
from apps.pipeline import ANSWER, FORWARD, METERS, SENDER
from apps.places import homes_of, is_contested, owners, shared
from controller.app import Fact, answers, flows
from controller.openflow.actions import controller, meter
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.packet import arp, icmp6

APP = 13
ARP, IPV6, ICMPV6, REQUEST, REPLY, ADVERTISEMENT = 0x806, 0x86dd, 58, 1, 2, 136
RATE = 20                       # a second from one port


def contested(world, port):
    """The addresses that the port may have, and others too."""
    own = [fixed.ip_address for fixed in port.fixed_ips]
    return [ip for ip in dict.fromkeys([*own, *(ip for ip, _ in shared(port))]) if is_contested(world, port.network_id, ip)]


@flows(per="port", on=homes_of)
def listen(world, port):
    """What the port says of itself, and its answers to who asks."""
    addresses = contested(world, port)
    if addresses:
        yield Meter(METERS["claims"] + port.key, pps=RATE, burst=RATE)
    copied = (meter(METERS["claims"] + port.key), controller(), FORWARD)
    for ip in addresses:
        if ":" in ip:
            yield ANSWER, "probe", match({SENDER: port.key, "eth_type": IPV6, "ip_proto": ICMPV6,
                                          "icmpv6_type": ADVERTISEMENT, "nd_target": ip}), copied
        else:
            says = {SENDER: port.key, "eth_type": ARP, "arp_spa": ip}
            yield ANSWER, "probe", match(says, arp_op=REQUEST, arp_tpa=ip), copied
            yield ANSWER, "probe", match(says, arp_op=REPLY), copied


@answers(of=listen)
def hear(world, port, frame):
    told = arp.read(frame) or icmp6.read_neighbour(frame)
    if told is None or (port.id, told.sender_mac) not in world.ask(owners, port.network_id, told.sender_ip):
        return ()
    return (Fact("claim", {"id": f"{port.network_id}/{told.sender_ip}", "network_id": port.network_id,
                           "ip_address": told.sender_ip, "port_id": port.id, "mac_address": told.sender_mac}),)
