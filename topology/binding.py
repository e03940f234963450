"""Binding without OVSDB: `binding:profile` names the port of a switch that a machine is plugged into.

    {"local_link_information": [{"switch_id": "00:00:00:00:00:00:00:a1", "port_id": "s1-eth3"}]}

That is Neutron's convention for bare metal. The switch is named by its datapath id, however it is written, or by the
MAC address that is its last digits; the port by its OpenFlow number or its name.
"""
from collections.abc import Mapping

from controller.app import query
from controller.errors import Conflict, Invalid

WHERE = "binding:profile"
LINKS = "local_link_information"
EDGE = "network:switch_port"            # the owner of ports that are there for whatever is plugged in: see stations.py


def place(write, document, asked, before) -> None:
    """Find out which switch port a port document names; one switch port carries one port."""
    document["switch_port"] = named = switch_port(document[WHERE])
    if named is None:
        return
    for other in write.find("port", "switch_port", named):
        if other.id != document["id"] and other.device_owner != EDGE:
            raise Conflict("PortBindingError", f"{WHERE}: {LINKS}: port {other.id} is bound to switch port {named}; "
                                               "unbind it first, or name another")


def switch_port(profile: Mapping) -> str | None:
    """<switch>:<number or name>, or None if the profile names none. Raises Invalid."""
    links = profile.get(LINKS)
    if not links:
        return None
    if not isinstance(links, tuple) or len(links) != 1 or not isinstance(links[0], Mapping):
        raise Invalid(WHERE, f"{LINKS} must be a list of one {{switch_id, port_id}}: bonds are not served")
    switch, port = str(links[0].get("switch_id", "")), str(links[0].get("port_id", ""))
    digits = switch.lower().removeprefix("0x").replace(":", "").replace("-", "")
    if not 0 < len(digits) <= 16 or set(digits) - set("0123456789abcdef"):
        raise Invalid(WHERE, f"{LINKS}: switch_id must be a datapath id of up to 16 hexadecimal digits, not {switch[:80]!r}")
    if not 0 < len(port) <= 255 or not port.isprintable():
        raise Invalid(WHERE, f"{LINKS}: port_id must be the number or the name of a port of the switch")
    return f"{digits.zfill(16)}:{port}"


@query
def plugged_into(world, port_id):
    """The interface (of a switch without host) that a port document names, or None if there is none (or no more)."""
    named = world.need("port", port_id).switch_port or ":"           # it may have just been unbound
    switch, _, name = named.partition(":")
    found = [seen for seen in (world.get("interface", named), *world.find("interface", "switch_id+name", (switch, name)))
             if seen is not None and world.ask(holder, seen.id) == port_id]
    return found[0] if found else None


@query
def holder(world, interface_id):
    """The id of the port document that is bound to this interface of a switch without host, or None.

    Where a tenant's is, it comes before one that is there for whatever is plugged in.
    """
    seen = world.get("interface", interface_id)
    if seen is None or seen.host_id is not None:
        return None
    names = (seen.ofport, seen.name) if seen.name else (seen.ofport,)
    bound = [port for name in names for port in world.find("port", "switch_port", f"{seen.switch_id}:{name}")]
    return min((port.device_owner == EDGE, port.id) for port in bound)[1] if bound else None


@query
def tenant(world, interface_id):
    """The holder, if it is a tenant's."""
    id = world.ask(holder, interface_id)
    return id if id is not None and world.need("port", id).device_owner != EDGE else None
