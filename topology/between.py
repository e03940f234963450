"""The paths between two switches, the shortest first: what they cost, what circuits have left on them, and which are in use."""
from apps.bandwidth import shares
from topology.in_use import ways_of_all
from topology.paths import k_shortest, wires
from topology.reservations import room


def seen(world, one, other):
    """What is needed of the fabric: the wires of each switch, what may still be committed of each, and the links that
    frames between the two take now."""
    around, free = world.ask(wires), world.ask(shares).free
    share = world.setting("circuit_percent") / 100
    room_of = {wire.at: free.get(wire.at, int(room(wire.speed, world.setting("link_speed"), world.setting("link_speed_limit")) * share))
               for held in around.values() for wire in held}
    return around, room_of, {path.links for path in ways_of_all(world, one, other)}


def paths(around, room_of, used, one, other, count):
    """Up to so many of them. Plain data, ready for JSON."""
    return [{"cost": path.cost, "switches": list(path.switches), "links": [f"{wire.source}:{wire.port}" for wire in path.wires],
             "room_kbps": min(min(room_of[wire.at], room_of[wire.back]) for wire in path.wires), "in_use": path.links in used}
            for path in k_shortest(around, one, other, count)]
