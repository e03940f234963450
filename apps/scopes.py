"""Which address scope a network's addresses are of: within one, nobody else has them."""
from controller.app import query

IPV4, IPV6 = 0x800, 0x86dd


@query
def scope_of(world, network_id, family):
    """The address scope of a network's addresses of one IP version; None for those of no scope, which is one too."""
    for subnet in world.find("subnet", "network_id", network_id):
        pool = world.get("subnetpool", subnet.subnetpool_id) if subnet.subnetpool_id else None
        if pool is not None and (":" in subnet.cidr) == (family == IPV6):
            return pool.address_scope_id
    return None


def same_scope(world, network_id, other_id, family):
    return world.ask(scope_of, network_id, family) == world.ask(scope_of, other_id, family)


def shares_scope(world, network_id, other_id):
    """Whether the IPv4 addresses of both are of one scope that was made: there is nothing to translate between them."""
    return world.ask(scope_of, network_id, IPV4) is not None and same_scope(world, network_id, other_id, IPV4)
