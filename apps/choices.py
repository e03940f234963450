"""Which of several hosts does something for a router: a function of the model, spread over hosts by a digest."""
from hashlib import blake2s


def best(world, router, switches, order, seed, heed=True):
    """The first of some switches, or None: lost ones come last (if the router is `ha`, and unless `heed` is off), then it
    is by what `order` says of each, and then by a digest."""
    def preference(switch):
        lost = heed and router is not None and router.ha and world.get("loss", switch) is not None
        return lost, *order(switch), blake2s(f"{seed} {switch}".encode(), digest_size=8).digest()
    return min(switches, default=None, key=preference)


def is_elsewhere(world, router, switch_id):
    """Whether a switch is in none of the zones in which a router had best lead outside."""
    if router is None or not router.availability_zone_hints:
        return False
    host = world.get("host", world.need("switch", switch_id).host_id or "")
    return host is None or host.availability_zone not in router.availability_zone_hints
