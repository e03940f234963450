"""Realms: the networks between which packets may travel under their senders' own addresses.

Within a realm an address is one machine. In another realm the same address is another machine, and a stranger: so the
members of a remote group are known by their addresses and the realm of their network. Networks are of one realm if they
are joined

    by a router of ours                  `places.routed`
    by a machine that forwards           one with ports on both that may send from addresses which are not its own
    by routers that we do not see        networks on physical wires; but not those that have the same block of addresses,
                                         between which nobody can route
"""
from apps.places import routed
from apps.uplinks import on_wire
from controller.app import only, query, tally

WIRES = 0xFFFFFFFF               # the realm of networks on physical wires; others are called by a network's key


@query
def realm(world, network_id):
    """What REALM holds for a network: the least key of the networks in its realm."""
    found = set(world.ask(routed, network_id))
    waiting = list(found)
    while waiting:
        for machine in world.gathered(forwarders, ("machines", waiting.pop())):
            for other in world.gathered(forwarders, ("networks", machine)) - found:
                new = set(world.ask(routed, other)) - found
                found |= new
                waiting += new
    if any(world.ask(may_meet_others, network) for network in found):
        return WIRES
    return min((row.key for id in found if (row := world.get("network", id))), default=0)


@tally(per="port")
@only(lambda port: port.device_id and not port.device_owner.startswith("network:") and speaks_for_others(port))
def forwarders(world, port):
    """Machines that may forward packets gather their networks, and networks those machines."""
    machine = port.project_id, port.device_id
    yield ("machines", port.network_id), machine
    yield ("networks", machine), port.network_id


def speaks_for_others(port):
    """Whether a port may send from addresses that others have."""
    return not port.port_security_enabled or any("/" in pair.ip_address for pair in port.allowed_address_pairs)


@tally(per="subnet")
def blocks(world, subnet):
    """Blocks of addresses gather the networks on wires that have them."""
    network = world.get("network", subnet.network_id)
    if network is not None and on_wire(network):
        yield subnet.cidr, network.id


@query
def may_meet_others(world, network_id):
    """Whether routers that we do not see may join it to other networks: it is on a wire, and its addresses are its own."""
    network = world.get("network", network_id)
    return network is not None and on_wire(network) and all(
        len(world.gathered(blocks, subnet.cidr)) == 1 for subnet in world.find("subnet", "network_id", network_id))
