"""Neighbours: ARP and IPv6 neighbour discovery are answered on the asking switch.

Who asks all for a fixed address gets its MAC at once and nobody else hears of it. Left alone, and carried like
any frame: questions to one neighbour (is it still there?), what a port asks and announces about its own address
(RFC 5227: whoever is answered takes its address for a duplicate), addresses that a port may take over from another
(allowed address pairs), and whatever is inside a VLAN of the tenant's own.
"""
from apps.pipeline import ANSWER, BACK, FORWARD, ND_REPLY, NETWORK, SENDER
from apps.places import everywhere, homes_of, is_contested, network_wide
from apps.replies import TO_SENDER, arp_reply
from controller.app import flows
from controller.openflow.actions import drop, move, set_field
from controller.openflow.match import match, shape

APP = 4
ARP, IPV6, ICMPV6 = 0x806, 0x86dd, 58
TO_ALL, TO_GROUP = "ff:ff:ff:ff:ff:ff", ("33:33:00:00:00:00", "ff:ff:00:00:00:00")
SOLICITED_OVERRIDE = 0x60000000          # flags of the advertisement, RFC 4861 §4.4
TARGET_LINK_LAYER, NOT_TAGGED = 2, 0     # option type, RFC 4861 §4.6.1


WHO_HAS = shape(NETWORK, "arp_tpa", vlan_vid=NOT_TAGGED, eth_dst=TO_ALL, eth_type=ARP, arp_op=1)
SOLICITED = shape(NETWORK, "nd_target", vlan_vid=NOT_TAGGED, eth_dst=TO_GROUP, eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=135)
ADVERTISE = (set_field(icmpv6_type=136), set_field(nd_reserved=SOLICITED_OVERRIDE), set_field(nd_options_type=TARGET_LINK_LAYER),
             ND_REPLY)
TO_SENDERS_IP = move("ipv6_src", "ipv6_dst")


@flows(per="port", on=network_wide)
def answer(world, port):
    network, mac = world.need("network", port.network_id), port.mac_address
    for ip in dict.fromkeys([fixed.ip_address for fixed in port.fixed_ips]):
        if is_contested(world, network.id, ip):
            continue
        if ":" in ip:
            yield ANSWER, "known", SOLICITED(network.key, ip), (
                TO_SENDER, set_field(eth_src=mac), TO_SENDERS_IP, set_field(ipv6_src=ip), *ADVERTISE)
        else:
            yield ANSWER, "known", WHO_HAS(network.key, ip), (*arp_reply(mac, ip), *BACK)


PROBE = shape(SENDER, "arp_tpa", eth_type=ARP, arp_op=1)


@flows(per="port", on=homes_of)
def announce(world, port):
    """Probes for the port's own addresses and announcements of them are for the others."""
    for ip in dict.fromkeys([fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address]):
        if is_contested(world, port.network_id, ip):
            continue                                   # that is not answered, and is heard of by claims.py
        yield ANSWER, "probe", PROBE(port.key, ip), (FORWARD,)


@flows(per="switch", on=everywhere)
def stand(world, switch):
    # A solicitation from nobody (duplicate address detection) must reach the address's owner, if there is one.
    from_nobody = match(eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=135, ipv6_src="::")
    yield ANSWER, "probe", from_nobody, (FORWARD,)
    # Setting the target's link-layer address needs a packet that is an advertisement already: hence this table.
    yield ND_REPLY, "advertise", match(eth_type=IPV6, ip_proto=ICMPV6, icmpv6_type=136), (
        move("eth_src", "nd_tll"), *BACK)
    yield ND_REPLY, "rest", match(), (drop("not a neighbour advertisement"),)

