"""Questions: what machines ask whoever is there about addresses and routers, and the controller answers.

    DHCPv4                    dhcp.py
    router solicitations      router_advertisements.py
    DHCPv6                    dhcp6.py

`answer` finds them by what they look like, the same on every switch; `ask` knows by one flow for each port whether
they are for us, however many kinds they are. A port asks so many a second and no more. What is not for us goes its
way like any other frame, and so does whatever is inside a VLAN of the tenant's own.
"""
from apps import dhcp, dhcp6, router_advertisements
from apps.pipeline import ANSWER, ASK, METERS, SENDER
from apps.places import everywhere, homes_of, plugged
from controller.app import answers, flows
from controller.openflow import Meter, controller, match, meter
from controller.packet import ethernet

APP = 6
IPV4, IPV6, UDP, ICMPV6 = 0x800, 0x86dd, 17, 58
SOLICITATION, ALL_ROUTERS, ALL_SERVERS = 133, "ff02::2", "ff02::1:2"
RATE = 20                           # a second from one port; a machine that starts asks five times or so


@flows(per="switch", on=everywhere)
def find(world, switch):
    for fields in ({"eth_type": IPV4, "ip_proto": UDP, "udp_src": 68, "udp_dst": 67},
                   {"eth_type": IPV6, "ip_proto": UDP, "udp_dst": 547, "ipv6_dst": ALL_SERVERS},
                   {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": SOLICITATION, "ipv6_dst": ALL_ROUTERS}):
        yield ANSWER, "question", match(fields, vlan_vid=0), (ASK,)


@flows(per="port", on=homes_of)
def ask(world, port):
    wanted = list(kinds(world, port))
    if not wanted:
        return
    # The meter's number is the port's key, one in all the fabric: no two ports ever want the same meter.
    yield Meter(METERS["questions"] + port.key, pps=RATE, burst=RATE)
    for fields in wanted:
        yield ASK, "port", match({SENDER: port.key, **fields}), (meter(METERS["questions"] + port.key), controller())


def kinds(world, port):
    """What tells our questions from others' among those that get here, in as few matches as do."""
    four, routers, six = (serve(world, port) for serve in (dhcp.serves, router_advertisements.serves, dhcp6.serves))
    if four and routers and six:
        yield {}
        return
    if four:
        yield {"eth_type": IPV4}
    if routers and six:
        yield {"eth_type": IPV6}
    elif routers or six:
        yield {"eth_type": IPV6, "ip_proto": ICMPV6 if routers else UDP}


@answers(of=ask)
def answer(world, port, frame: bytes):
    """The frames to hand to the port for one that it sent; to a port of a trunk with its tag."""
    found, seen = reply(world, port, frame), world.known(plugged, port.id)
    return tuple((b"".join(seen.out), one) for one in found) if seen and seen.tag else found


def reply(world, port, frame: bytes) -> tuple[bytes, ...]:
    outer = ethernet.read(frame)
    if outer is None or outer.ethertype == ethernet.IPV4:
        return dhcp.offer(world, port, frame)
    return router_advertisements.advertise(world, port, frame) or dhcp6.reply(world, port, frame)
