"""Who guards a port, and what is its own: questions that several features ask.

A port with port security is held to its own addresses and to its security groups; the groups are all stateful, or
all stateless. Without port security nobody guards it.
"""
from functools import lru_cache
from hashlib import blake2s

from apps.pipeline import (
    ACCESS_OUT,
    ANSWER,
    COMMIT,
    GROUPS,
    GUARD,
    IN_FREE,
    IN_TRACK,
    LOCATE,
    REALM,
    STATEFUL,
    STATELESS,
    UNGUARDED,
)
from apps.realms import realm
from controller.app import query, tally
from controller.openflow.actions import set_field
from controller.packet import ethernet
from topology.binding import EDGE

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


@query
def is_held(world, network_id):
    """Whether access lists say something of a network."""
    return bool(world.find("access_rule", "network_id", network_id) or
                world.find("port_isolation", "network_id", network_id))


def first_judge(world, port):
    """The table where the judging of what a port sends begins."""
    if port.device_owner == EDGE:
        return LOCATE
    if world.ask(is_held, port.network_id):
        return ACCESS_OUT
    return ANSWER if world.ask(guard_of, port.id) == UNGUARDED else GUARD


def _digest(text):
    return int.from_bytes(blake2s(text.encode(), digest_size=4).digest(), "big")


@lru_cache(4096)
def digest_of(groups):
    return _digest(" ".join(groups))


def groups_of(port):
    """The groups that a port is in, as one thing: ports that are in the same ones share their rules' flows."""
    return tuple(sorted(port.security_groups))


@tally(per="port")
def together(world, port):
    """Combinations of groups gather by their digest."""
    if port.port_security_enabled:
        yield digest_of(groups_of(port)), groups_of(port)


@query
def groups_key(world, groups):
    """What GROUPS holds for these groups: their digest. Of several with one digest, which happens once in four thousand
    million pairs, each but the first gets another."""
    alike = sorted(world.gathered(together, digest_of(groups)))
    place = alike.index(groups) if groups in alike else 0
    return _digest(" ".join((*groups, str(place)))) if place else digest_of(groups)


def ask_for(world, port):
    """The action that says whose rules are to be asked; nobody's, if nobody guards the port.

    Stateless ones are asked at once, and must know now whose addresses they see; others hear of it after connection
    tracking, so that no packet on its way there knows what has just changed.
    """
    if not port.port_security_enabled:
        return b""
    key = world.ask(groups_key, groups_of(port))
    if world.ask(guard_of, port.id) == STATELESS:
        return set_field({REALM: world.ask(realm, port.network_id), GROUPS: key})
    return set_field({GROUPS: key})


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
