"""Two views of the same state: what tenants have asked for, and what it is made of. Each leads to the other.

    logical     networks, ports, routers; for administrators each port also says at which `interface` it is
    physical    hosts, switches, their interfaces, links, stations; each interface says which `ports` are there

The logical view knows nothing of what is below: no switch, no host, no number. Who may see an object is asked of `sees`.
"""
from apps.exits import exits
from apps.places import plugged
from topology.graph import is_two_way


def logical(model, world, sees, admin):
    """{"networks", "ports", "routers"}: what the asker may see of each."""
    ports = [port for port in model.find("port", "all", True) if sees("port", port)]
    at = interfaces_at(model) if admin else {}
    return {"networks": [network_of(model, row, sees) for row in model.find("network", "all", True) if sees("network", row)],
            "ports": [{**port_of(model, port), **({"interface": at.get(seat_of(world, port))} if admin else {})} for port in ports],
            "routers": [router_of(model, row) for row in model.find("router", "all", True) if sees("router", row)]}


def network_of(model, network, sees):
    subnets = [row for row in model.find("subnet", "network_id", network.id) if sees("subnet", row)]
    return {"id": network.id, "name": network.name, "project_id": network.project_id, "external": network.router_external,
            "shared": model.value("network", model.resources["network"].attributes["shared"], network),
            "subnets": [{"id": one.id, "cidr": one.cidr, "gateway_ip": one.gateway_ip} for one in subnets],
            "ports": [row.id for row in model.find("port", "network_id", network.id) if sees("port", row)]}


def port_of(model, port):
    status = model.live.get("port.status")
    return {"id": port.id, "name": port.name, "project_id": port.project_id, "network": port.network_id,
            "mac_address": port.mac_address, "addresses": [fixed.ip_address for fixed in port.fixed_ips],
            "device_id": port.device_id, "device_owner": port.device_owner, "status": status(port) if status else "DOWN"}


def router_of(model, router):
    ports = model.find("port", "device_id", router.id)
    return {"id": router.id, "name": router.name, "project_id": router.project_id,
            "networks": sorted({port.network_id for port in ports}), "external_networks": [one.network_id for one in exits(router)]}


def physical(model, world):
    """{"hosts", "switches", "links", "stations"}: all of it."""
    ports: dict = {}
    machines: dict = {}
    for port in model.find("port", "all", True):
        if (seat := seat_of(world, port)) is not None:
            ports.setdefault(seat, []).append(port)
    for station in model.find("station", "all", True):
        machines.setdefault((station.switch_id, station.ofport), []).append(station.id)
    links = {row.id: row for row in model.find("link", "all", True)}
    return {"hosts": [host_of(model, row) for row in model.find("host", "all", True)],
            "switches": [switch_of(model, row, ports, machines, links) for row in model.find("switch", "all", True)],
            "links": [link_of(model, row, links) for row in links.values()],
            "stations": [{"id": row.id, "network": row.network_id, "mac_address": row.mac_address,
                          "addresses": list(row.ip_addresses), "port": row.port_id,
                          "interface": f"{row.switch_id}:{row.ofport}"} for row in model.find("station", "all", True)]}


def host_of(model, host):
    return {"id": host.id, "name": host.hostname, "tunnel_ip": host.tunnel_ip,
            "switches": [row.id for row in model.find("switch", "host_id", host.id)]}


def switch_of(model, switch, ports, machines, links):
    seen = model.find("interface", "switch_id", switch.id)
    return {"id": switch.id, "name": switch.bridge or "", "host": switch.host_id, "interfaces": [{
        "id": one.id, "ofport": one.ofport, "name": one.name, "state": one.link_state, "speed": one.speed, "error": one.error,
        "ports": [{"id": port.id, "name": port.name, "network": port.network_id, "project_id": port.project_id}
                  for port in ports.get((switch.id, one.ofport), ())],
        "stations": machines.get((switch.id, one.ofport), []),
        "link": f"{switch.id}:{one.ofport}" if f"{switch.id}:{one.ofport}" in links else None} for one in seen]}


def link_of(model, link, links):
    age = model.live.get("link.age")
    return {"id": link.id, "source": {"switch": link.source_switch_id, "ofport": link.source_port},
            "target": {"switch": link.target_switch_id, "ofport": link.target_port}, "speed": link.speed,
            "latency": link.latency, "age": age(link) if age else None, "two_way": is_two_way(link, links)}


def seat_of(world, port):
    """(switch, OpenFlow port) where a port is, or None. Any thread may ask."""
    seen = world.known(plugged, port.id)
    return (seen.switch_id, seen.ofport) if seen is not None else None


def interfaces_at(model):
    """The id of the interface at each (switch, OpenFlow port)."""
    return {(row.switch_id, row.ofport): row.id for row in model.find("interface", "all", True) if row.ofport}
