"""Hops: who is outside sees the router on the way to what is behind it; traceroute asks for that.

A packet from outside whose time to live ends here is answered before anything is translated: so the error tells of the
packet that its sender knows (RFC 5508 §7), whatever the address stands for. It goes back to the MAC that it came from.
"""
from apps.gateways import where_entered
from apps.outside import family_of, outside
from apps.pipeline import FORWARD, METERS, NAT_IN, NETWORK, ROUTE, ROUTER, SENDER
from apps.routing import ICMP, ICMPV6, RATE, addresses
from controller.app import answers, flows
from controller.openflow.actions import controller, meter, resubmit, set_field
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.packet import icmp_errors

APP = 22


@flows(per="port", on=where_entered)
def expire(world, port):
    router, network = outside(world, port)
    yield Meter(METERS["hops"] + port.key, pps=RATE, burst=RATE)
    for family in sorted({family_of(ip) for ip in addresses(port)}):
        for left in (0, 1):
            yield NAT_IN, "expired", match({ROUTER: router.key, NETWORK: network.key, "eth_type": family, "nw_ttl": left}), (
                meter(METERS["hops"] + port.key), controller())


@answers(of=expire)
def say_so(world, port, frame):
    """Who asked for the router itself is there: that goes on, to be answered as always."""
    router, network = outside(world, port)
    seen, own = icmp_errors.read(frame), addresses(port)
    here = set_field({NETWORK: network.key, SENDER: port.key})
    if seen is not None and seen.destination in own and seen.protocol in (ICMP, ICMPV6):
        return ((here + set_field({ROUTER: router.key}) + resubmit(ROUTE), frame),)
    error = icmp_errors.error(frame, own, icmp_errors.TIME_EXCEEDED)
    return ((here + resubmit(FORWARD), error),) if error else ()
