"""Names that a machine hears of beyond its own network.

    on networks that a router joins to it       names of its project's ports there
    anywhere                                    names of its project's floating IPs, with their addresses outside; and names
                                                of its project's ports on subnets that publish theirs (dns_publish_fixed_ip)
"""
from apps import dns_names
from apps.places import routed
from controller.app import only, tally


def joined(world, network, project):
    """The project's networks to which routers lead from this one, in order."""
    others = (world.get("network", id) for id in world.ask(routed, network.id) if id != network.id)
    return [other for other in others if other is not None and other.project_id == project]


@tally(per="floatingip")
def outside(world, floating):
    """Projects gather the names of their floating IPs: (project, whole name) has an address, and that the name."""
    network = world.get("network", floating.floating_network_id)
    name = dns_names.name_of_floating(world.settings, network, floating) if network else ""
    if not name and floating.port_id:
        name = _of_port(world, world.get("port", floating.port_id))
    if name:
        yield (floating.project_id, name), floating.floating_ip_address
        yield (floating.project_id, floating.floating_ip_address), name


def _of_port(world, port):
    """What the port is called that it stands for, where that has a domain which somebody chose."""
    network = world.get("network", port.network_id) if port and port.dns_name else None
    chosen = network is not None and (port.dns_domain or network.dns_domain)
    return dns_names.full_name(world.settings, network, port, "") if chosen else ""


@tally(per="port")
@only(lambda port: port.dns_name)
def published(world, port):
    """The same for ports on subnets that say so."""
    for fixed in port.fixed_ips:
        subnet = world.get("subnet", fixed.subnet_id)
        if subnet is not None and subnet.dns_publish_fixed_ip:
            name = dns_names.full_name(world.settings, world.need("network", port.network_id), port, fixed.ip_address)
            yield (port.project_id, name), fixed.ip_address
            yield (port.project_id, fixed.ip_address), name


def everywhere(world, project, name):
    """What a project's machines hear of a name, or of an address, wherever they are: its addresses, or its names."""
    return tuple(sorted(world.gathered(outside, (project, name)) | world.gathered(published, (project, name))))
