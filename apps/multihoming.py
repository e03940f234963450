"""Several gateways of one router: every connection keeps to the gateway by which it began.

    from within   keep ─► each gateway's conntrack zone in turn ─► GATE is that of the connection ─► route
    a new one     route ─► the first gateway that is there, or by `enable_default_route_ecmp` any of them (a select group)

Each gateway has a conntrack zone of its own (`gateways.py` remembers all connections there), so an answer leaves by the
gateway where the question came in, with the address that was asked. One host is the gateway host for all of them, so
that it sees both directions. A gateway whose wire that host has not is not there: its connections begin anew by another.
"""
from apps.gateways import EVERYTHING, leading, spread_over, towards
from apps.metered import outward
from apps.outside import on_gateway, outside, served, several
from apps.pipeline import GATE, KEEP, ROUTE, ROUTER
from apps.places import gateway_switch
from apps.routing import FAMILIES, closeness, measure
from controller.app import flows
from controller.openflow.actions import FORGET_IN_PORT, ct, ct_clear, dec_ttl, group, resubmit, set_field
from controller.openflow.group import Group
from controller.openflow.match import match

APP = 23
GROUPS, PLACES = 32, {family: 30 + place for place, family in enumerate(FAMILIES)}       # extra routes have the first 30
UNTRACKED, TRACKED = (0, 0x20), 0x20
MEMBER = ((0x22, 0x22), (0x24, 0x26))             # established; or about one that is, such as an ICMP error
STRANGE = (TRACKED, 0x26)


@flows(per="port", on=on_gateway)
def look_up(world, port):
    """What comes from within: is it of a connection of this gateway? If not, the next one is asked."""
    router, _ = outside(world, port)
    ports = [world.need("port", id) for id in world.ask(served, router.id)]
    if len(ports) < 2:
        return
    place = ports.index(port)
    for family in FAMILIES:
        within: dict = {ROUTER: router.key, "eth_type": family}
        if place == 0:
            yield KEEP, "gateway", match({**within, "ct_state": UNTRACKED}), (ct(port.zone, KEEP),)
        for state in MEMBER:
            yield KEEP, "gateway", match({**within, "ct_state": state, "ct_zone": port.zone}), (
                set_field({GATE: port.key}), ROUTE)
        yield KEEP, "gateway", match({**within, "ct_state": STRANGE, "ct_zone": port.zone}), (
            (ct(ports[place + 1].zone, KEEP),) if port is not ports[-1] else (ROUTE,))


def at_gateway(world, router):
    """The gateway host, of a router that spreads connections."""
    switch = world.ask(gateway_switch, router.id) if router.enable_default_route_ecmp and several(world, router) else None
    return (switch,) if switch else ()


@flows(per="router", on=at_gateway)
def spread_out(world, router):
    """New connections to what is near no gateway: over all of them."""
    if not router.admin_state_up:
        return
    for family, everything in EVERYTHING.items():
        gateways = spread_over(world, router, everything)
        if not gateways:
            continue
        number = router.key * GROUPS + PLACES[family]
        yield Group(number, "select", [(1, None, _by(world, port, everything, hop)) for port, hop in gateways])
        yield ROUTE, closeness(0), leading(router, everything), (ct_clear(), dec_ttl(), FORGET_IN_PORT, group(number))


def _by(world, port, destination, hop):
    router, network = outside(world, port)
    return (*measure(world, router, network), *towards(port, network, destination, hop), *outward(world, router)[:-1],
            resubmit(outward(world, router)[-1]))
