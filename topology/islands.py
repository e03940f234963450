"""Islands: switches that links join. A host's switch that has links too leads out of its island, by tunnels.

So a network may live on hosts that tunnels join and on switches that nothing but links join: of each island one such switch,
its *relay*, passes on what comes by the one and goes on by the other (apps/relays.py).
"""
from apps.underlay import tunnel_address
from controller.app import query
from topology.paths import wires


@query
def islands(world):
    """{switch: the first switch of its island} of all that have links; nothing where no tunnel leads to any of them."""
    around = world.ask(wires)
    found: dict[str, str] = {}
    for first in around if any(world.ask(tunnel_address, switch) for switch in around) else ():
        waiting = [first] if first not in found else []
        while waiting:
            here = waiting.pop()
            found[here] = first
            waiting += {wire.target for wire in around[here]} - found.keys()
    return found


@query
def relays(world):
    """{island: relay}: the first switch of the island that tunnels lead to; one that is lost comes after all others."""
    found: dict[str, tuple[bool, str]] = {}
    for switch, island in world.ask(islands).items():
        if world.ask(tunnel_address, switch):
            rank = world.get("loss", switch) is not None, switch
            found[island] = min(found.get(island, rank), rank)
    return {island: switch for island, (_, switch) in found.items()}


@query
def relay_of(world, switch_id):
    """The relay of a switch to which no tunnel leads, if its island has one."""
    if world.ask(tunnel_address, switch_id):
        return None
    return world.ask(relays).get(world.ask(islands).get(switch_id))


def relaying(world, switches):
    """The relays that frames between these switches need: none if all are of one island, or all have tunnels."""
    at = world.ask(islands)
    if not at or len({at.get(switch) for switch in switches}) < 2:
        return frozenset()
    return frozenset(filter(None, (world.ask(relay_of, switch) for switch in switches)))
