"""Who guards a port, and what is its own: questions that several features ask.

A port with port security is held to its own addresses and to its security groups; the groups are all stateful, or
all stateless. Without port security nobody guards it.
"""
from functools import lru_cache
from hashlib import blake2s

from apps.pipeline import COMMIT, IN_FREE, IN_TRACK, STATEFUL, STATELESS, UNGUARDED
from controller.app import query
from controller.packet import ethernet

LINK_LOCAL = "fe80::/64"
WAY_IN = {UNGUARDED: COMMIT, STATEFUL: IN_TRACK, STATELESS: IN_FREE}


@query
def guard_of(world, port_id):
    """What guards a port: nobody, stateful or stateless security groups."""
    port = world.need("port", port_id)
    if not port.port_security_enabled:
        return UNGUARDED
    groups = [world.get("security_group", group) for group in port.security_groups]
    return STATELESS if any(group is not None and not group.stateful for group in groups) else STATEFUL


def way_in(world, port_id):
    """The table that judges what a port receives."""
    return WAY_IN[world.ask(guard_of, port_id)]


@lru_cache(4096)
def realm(project_id):
    """What REALM holds for a project. Remote groups of tenants with the same addresses then share no flow; if two
    projects should have one digest, they share flows and are kept apart by their ports' keys."""
    return int.from_bytes(blake2s((project_id or "").encode(), digest_size=4).digest(), "big")


@query
def has_subnets(world, network_id):
    return bool(world.find("subnet", "network_id", network_id))


def pairs(port):
    """(MAC, IP) from which the port may send; the IP may be a CIDR."""
    own = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    own += [(pair.mac_address or port.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    return list(dict.fromkeys(own))


def own_macs(port):
    """The MACs, as bytes, from which the port may send."""
    return {ethernet.address(mac) for mac in (port.mac_address, *(mac for mac, _ in pairs(port)))}
