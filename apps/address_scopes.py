"""Address scopes: routers lead between networks of one scope without translation, and not between those of two.

What is of no scope is a scope too. Outside, where the router translates (SNAT of IPv4, floating IPs), the scope of who is
translated does not matter; what keeps its address passes only within its scope, in both directions (`translate_in` and
`translate_out` in `gateways.py`).
"""
from apps.gateways import leads
from apps.outside import on_gateway, outside, snat
from apps.pipeline import GATE, NETWORK, ROUTE, ROUTER
from apps.places import joints
from apps.routing import DESTINATION, IPV4, closeness, family_of, router_of, where_routed
from apps.scopes import same_scope
from controller.app import flows
from controller.openflow.actions import drop
from controller.openflow.match import match
from controller.values import prefix

APP = 15
APART = "between two address scopes"


def others(world, router, network_id, family):
    """The networks of a router whose addresses are of another scope than this one's."""
    return [world.need("network", id) for id in sorted(world.gathered(joints, ("networks", router.id)))
            if id != network_id and not same_scope(world, id, network_id, family)]


def refused(router, network, destination, **more):
    """What comes from a network goes to no such destination."""
    wanted: dict = {ROUTER: router.key, NETWORK: network.key, "eth_type": family_of(destination), **more}
    if not destination.endswith("/0"):
        wanted[DESTINATION[family_of(destination)]] = destination
    return ROUTE, closeness(prefix(destination).length, True), match(wanted), (drop(APART),)


@flows(per="port", on=where_routed)
def keep_apart(world, port):
    """To the subnets of this interface, and to what is routed by them; routes between two subnets are wished for."""
    router = router_of(world, port)
    if router.paired:
        return
    for fixed in port.fixed_ips:
        cidr = world.need("subnet", fixed.subnet_id).cidr
        beyond = [one.destination for one in router.routes if one.nexthop in prefix(cidr)]
        for network in others(world, router, port.network_id, family_of(cidr)):
            for destination in dict.fromkeys((cidr, *beyond)):
                yield refused(router, network, destination)


@flows(per="port", on=on_gateway)
def keep_within(world, port):
    """Outside, what is not translated; what has a floating address is."""
    router, network = outside(world, port)
    for destination, _ in leads(world, port):
        family = family_of(destination)
        if family != IPV4 or not snat(router, network):
            for other in others(world, router, network.id, family):
                yield refused(router, other, destination, **({GATE: 0} if family == IPV4 else {}))
