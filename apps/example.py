"""A small cloud in which every rule has something to say: `hadron pipeline` draws what its flows do.

Two hosts; a network of machines with stateful groups, one with stateless groups and one that nobody guards, which
has a trunk; a router and a way outside (`example_routed.py`); plain switches that links join (`example_linked.py`). A test
fails when a rule of an app has no flow here: give the example what that rule is about.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps import example_linked, example_routed

PROJECT = "example"
Document = dict[str, Any]


def documents() -> Iterator[tuple[str, Document]]:
    """(kind, attributes) of every object and fact of the example."""
    for host in (1, 2):
        yield "host", {"id": f"host{host}", "hostname": f"host{host}", "tunnel_ip": f"192.0.2.{host}",
                       "ovs_version": "3.1.0"}
        yield "switch", {"id": f"{host:016x}", "host_id": f"host{host}", "bridge": "br-int", "label": 16 + host}
    yield "network", _owned("network", 1, name="blue", key=1, mtu=1450, **{
        "provider:network_type": "vxlan", "provider:segmentation_id": 1})
    yield "subnet", _owned("subnet", 1, name="blue-v4", network_id=_id("network", 1), ip_version=4,
                           cidr="10.0.0.0/24", gateway_ip="10.0.0.1", enable_dhcp=True)
    yield "subnet", _owned("subnet", 2, name="blue-v6", network_id=_id("network", 1), ip_version=6,
                           cidr="2001:db8::/64", gateway_ip="2001:db8::1", enable_dhcp=True,
                           subnetpool_id=_id("subnetpool", 2),
                           ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    yield "subnet", _owned("subnet", 5, name="blue-more", network_id=_id("network", 1), ip_version=4,
                           cidr="10.2.0.0/24", gateway_ip="10.2.0.1", enable_dhcp=True)
    yield from _groups()
    yield from _policy()
    for number, (name, host, group) in enumerate((("web", 1, 1), ("db", 2, 1), ("log", 1, 2), ("tap", 1, None)), 1):
        yield from _port(number, name, host, group)
    yield "port", _owned("port", 5, name="inner", key=20, network_id=_id("network", 1), mac_address="fa:16:3e:00:00:05",
                         fixed_ips=[], admin_state_up=True, port_security_enabled=True, security_groups=[])
    yield "trunk", _owned("trunk", 1, name="both", port_id=_id("port", 4), admin_state_up=True, sub_ports=[
        {"port_id": _id("port", 5), "segmentation_type": "vlan", "segmentation_id": 100}])
    yield "port_binding", {"id": _id("port_binding", 1), "port_id": _id("port", 2), "host": "host1"}
    yield from _local_ips()
    yield "interface", {"id": "host1/tap2", "host_id": "host1", "switch_id": f"{1:016x}", "name": "tap2", "ofport": 20,
                        "port_id": _id("port", 2), "link_state": "up", "mtu": 1500}
    yield from _edge()
    yield from _apart()
    yield from _access()
    yield from example_routed.documents(_id, _owned)
    yield from example_linked.documents(_id, _owned)


def _local_ips() -> Iterator[tuple[str, Document]]:
    """Two addresses that stand for the first port on its host: one becomes the port's, the other stays what it is."""
    for number, mode in enumerate(("translate", "passthrough"), 1):
        yield "local_ip", _owned("local_ip", number, network_id=_id("network", 1), local_port_id=_id("port", 5),
                                 local_ip_address=f"10.0.0.{100 + number}", ip_mode=mode)
        yield "local_ip_association", {"id": _id("local_ip_association", number), "local_ip_id": _id("local_ip", number),
                                       "fixed_port_id": _id("port", 1), "fixed_ip": "10.0.0.11"}


def _apart() -> Iterator[tuple[str, Document]]:
    """A network that lives on one host, has no router, and holds whatever its machine says of itself."""
    yield "network", _owned("network", 9, name="apart", key=9, mtu=1450, admin_state_up=True, **{
        "provider:network_type": "vxlan", "provider:segmentation_id": 9})
    yield "port", _owned("port", 95, name="lone", key=95, network_id=_id("network", 9), mac_address="fa:16:3e:00:00:95",
                         fixed_ips=[], admin_state_up=True, security_groups=[], port_security_enabled=False)
    yield "interface", {"id": "host1/tap95", "host_id": "host1", "switch_id": f"{1:016x}", "name": "tap95", "ofport": 95,
                        "port_id": _id("port", 95), "link_state": "up"}


def _edge() -> Iterator[tuple[str, Document]]:
    """A port that takes whatever is plugged in, and what is."""
    switch, port = f"{0xa1:016x}", _id("port", 90)
    yield "interface", {"id": f"{switch}:9", "switch_id": switch, "ofport": 9, "name": "eth9", "link_state": "up", "settled": True}
    yield "port", _owned("port", 90, name="edge", key=90, network_id=_id("network", 1), mac_address="02:00:00:00:00:09",
                         fixed_ips=[], admin_state_up=True, security_groups=[], port_security_enabled=False,
                         device_owner="network:switch_port", switch_port=f"{switch}:9")
    yield "station", {"id": f"{_id('network', 1)}/02:00:00:00:00:09", "network_id": _id("network", 1), "port_id": port,
                      "mac_address": "02:00:00:00:00:09", "ip_addresses": ["10.0.0.90", "2001:db8::90"],
                      "switch_id": switch, "ofport": 9}


def _id(kind: str, number: int) -> str:
    return f"{abs(sum(kind.encode())):08x}-0000-4000-8000-{number:012x}"


def _owned(kind: str, number: int, **said: Any) -> Document:
    return {"id": _id(kind, number), "project_id": PROJECT, **said}


def _groups() -> Iterator[tuple[str, Document]]:
    kind, rule = "security_group", "security_group_rule"
    for number, name in ((1, "servers"), (2, "loggers")):
        yield kind, _owned(kind, number, name=name, key=number, stateful=number == 1)
    said: tuple[Document, ...] = (
        {"direction": "egress"}, {"direction": "ingress", "protocol": "icmp"},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80},
        {"direction": "ingress", "remote_group_id": _id(kind, 1)},
        {"direction": "egress", "protocol": "udp", "remote_group_id": _id(kind, 1)},
        {"direction": "egress", "protocol": "tcp", "remote_address_group_id": _id("address_group", 1)})
    yield "address_group", _owned("address_group", 1, name="updates", key=3, addresses=["198.51.100.0/24"])
    for group in (1, 2):
        for number, one in enumerate(said, 10 * group):
            yield rule, _owned(rule, number, security_group_id=_id(kind, group), ethertype="IPv4", **one)


def _policy() -> Iterator[tuple[str, Document]]:
    """What the fourth port may send and receive, counted in packets and in bits."""
    policy = _id("qos_policy", 1)
    yield "qos_policy", _owned("qos_policy", 1, name="gold")
    yield "dscp_marking_rule", {"id": _id("dscp_marking_rule", 1), "qos_policy_id": policy, "dscp_mark": 46}
    for number, direction in enumerate(("egress", "ingress"), 1):
        said = {"qos_policy_id": policy, "direction": direction}
        yield "bandwidth_limit_rule", {"id": _id("bandwidth_limit_rule", number), **said, "max_kbps": 10_000,
                                       "max_burst_kbps": 0}
        yield "packet_rate_limit_rule", {"id": _id("packet_rate_limit_rule", number), **said, "max_kpps": 2,
                                         "max_burst_kpps": 0}


def _access() -> Iterator[tuple[str, Document]]:
    """Machines of the network `green` speak no telnet, and not to each other."""
    yield "access_rule", _owned("access_rule", 1, network_id=_id("network", 2), priority=100, action="deny", protocol="tcp",
                                port_range_min=23, port_range_max=23)
    yield "port_isolation", _owned("port_isolation", 1, network_id=_id("network", 2))
    for port in (1, 4):
        yield "watch", _owned("watch", port, port_id=_id("port", port), network_id=None, peers=["10.0.0.0/8"])
    yield "watch", _owned("watch", 10, network_id=_id("network", 2), peers=[])
    for group in (1, 2):
        yield "watch", _owned("watch", 10 + group, security_group_id=_id("security_group", group), peers=[])
    for port in (1, 3):
        yield "log", _owned("log", port, resource_type="security_group", target_id=_id("port", port), event="ALL", enabled=True)


def _port(number: int, name: str, host: int, group: int | None) -> Iterator[tuple[str, Document]]:
    fixed = [{"subnet_id": _id("subnet", 1), "ip_address": f"10.0.0.{10 + number}"},
             {"subnet_id": _id("subnet", 2), "ip_address": f"2001:db8::{number:x}"}]
    yield "port", _owned("port", number, name=name, key=15 + number, network_id=_id("network", 1),
                         mac_address=f"fa:16:3e:00:00:{number:02x}", fixed_ips=fixed, admin_state_up=True,
                         zone=11 if number == 1 else None,
                         security_groups=[_id("security_group", group)] if group else [],
                         allowed_address_pairs=[{"ip_address": "10.0.0.50", "mac_address": None}] if group == 1 else [],
                         port_security_enabled=group is not None, **{"binding:host_id": f"host{host}"},
                         qos_policy_id=None if group else _id("qos_policy", 1))
    yield "interface", {"id": f"host{host}/tap{number}", "host_id": f"host{host}", "switch_id": f"{host:016x}",
                        "name": f"tap{number}", "port_id": _id("port", number), "ofport": number,
                        "link_state": "up", "mtu": 1500}
