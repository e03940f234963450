"""Which ways over links frames take from one switch to another, as things are."""
from apps.multipath import equal
from apps.path_policies import trees_of
from topology.paths import joined
from topology.trees import trees


def ways(world, network_id, one, other):
    """The paths that frames of a network take between two switches, without labels of tunnels: several if connections are
    spread over them; () if none leads there. The way back is the way there."""
    for policy in world.find("path_policy", "network_id", network_id):
        return _by_policy(world, policy, one, other)
    return ways_of_all(world, one, other)


def ways_of_all(world, one, other):
    """The same for networks without a policy of their own."""
    found = world.ask(trees)
    vias = [path.via for path in world.ask(equal, one).paths.get(other, ())]
    return tuple(filter(None, (_by_way_of(found, found, one, via, other) for via in (vias if len(vias) > 1 else [other]))))


def _by_policy(world, policy, one, other):
    """By the trees of its plane, or the usual ones where these have no way."""
    plane, usual = world.ask(trees_of, policy.id), world.ask(trees)
    first = policy.waypoint if policy.waypoint in usual.around else other
    path = _by_way_of(plane, plane if policy.strict else usual, one, first, other)
    return (path,) if path is not None else ()


def _by_way_of(found, instead, one, via, other):
    parts = [found.path(*ends) or instead.path(*ends) for ends in ((one, via), (via, other))]
    return joined(*(part.wires for part in parts)) if all(part is not None for part in parts) else None
