"""The part of the example cloud that is routed: a router, a VLAN of a physical network, a way outside and back in."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Document = dict[str, Any]
SIX = {13: ((9, "2001:db8:4::1"),), 14: ((6, "2001:db8:3::2"),)}
"""IPv6 addresses of ports that have IPv4 as well: number of the subnet, and address."""


def documents(id_of: Callable[[str, int], str], owned: Callable[..., Document]) -> Iterator[tuple[str, Document]]:
    """A router joins `blue` and `green`, leads outside by two wires of host 2, and is passed by floating addresses."""
    for number, name, kind, tag, wire in ((2, "green", "vlan", 101, "physnet1"), (3, "world", "flat", None, "physnet2"),
                                          (8, "beyond", "flat", None, "physnet3")):
        yield "network", owned("network", number, name=name, key=number, mtu=1500, admin_state_up=True, **{
            "provider:network_type": kind, "provider:segmentation_id": tag, "provider:physical_network": wire,
            "router:external": number > 2})
        yield "uplink", {"id": f"host2/{wire}", "host_id": "host2", "switch_id": f"{2:016x}", "physical_network": wire,
                         "ofport": 65100 + number}
    for number, network, cidr, gateway in ((3, 2, "10.1.0.0/24", "10.1.0.1"), (4, 3, "203.0.113.0/24", "203.0.113.1"),
                                           (6, 3, "2001:db8:3::/64", "2001:db8:3::1"),
                                           (8, 8, "192.0.2.0/25", "192.0.2.1")):
        yield "subnet", owned("subnet", number, network_id=id_of("network", network), ip_version=6 if ":" in cidr else 4,
                              cidr=cidr, gateway_ip=gateway, enable_dhcp=False,
                              subnetpool_id=id_of("subnetpool", 1) if "." in cidr else None)
    yield "subnet", owned("subnet", 9, network_id=id_of("network", 2), ip_version=6, cidr="2001:db8:4::/64",
                          gateway_ip="2001:db8:4::1", enable_dhcp=True, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    for number in (1, 2):
        yield "subnetpool", owned("subnetpool", number, address_scope_id=id_of("address_scope", number), prefixes=[])
    yield "router", owned("router", 1, name="router", key=1, admin_state_up=True,
                          routes=[{"destination": "198.51.100.0/24", "nexthop": "10.0.0.11"}],
                          enable_ndp_proxy=True, enable_default_route_ecmp=True, external_gateways=[
                              {"network_id": id_of("network", number), "enable_snat": True, "external_fixed_ips": []}
                              for number in (3, 8)])
    yield from _ports(id_of, owned)
    yield "metering_label", owned("metering_label", 1, name="world", key=1, shared=True)
    for number, way in enumerate(("ingress", "egress"), 1):
        yield "metering_label_rule", owned("metering_label_rule", number, metering_label_id=id_of("metering_label", 1),
                                           direction=way, excluded=False, remote_ip_prefix="0.0.0.0/0")
    yield "neighbour", {"id": "world/203.0.113.1", "network_id": id_of("network", 3), "ip_address": "203.0.113.1",
                        "mac_address": "02:00:00:00:00:01"}
    for number, fixed in ((1, "10.0.0.11"), (2, None)):
        yield "floatingip", owned("floatingip", number, floating_network_id=id_of("network", 3), router_id=id_of("router", 1),
                                  floating_ip_address=f"203.0.113.{10 + number}", fixed_ip_address=fixed,
                                  port_id=id_of("port", 1) if fixed else None)
    yield "port_forwarding", {"id": id_of("port_forwarding", 1), "floatingip_id": id_of("floatingip", 2), "protocol": "tcp",
                              "external_port_range": "8080:8080", "internal_port_range": "80:80",
                              "internal_port_id": id_of("port", 2), "internal_ip_address": "10.0.0.12"}
    yield "ndp_proxy", owned("ndp_proxy", 1, router_id=id_of("router", 1), port_id=id_of("port", 2), ip_address="2001:db8::2")
    yield "route", owned("route", 1, subnet_a_id=id_of("subnet", 1), subnet_b_id=id_of("subnet", 3),
                         router_id=id_of("router", 1))


def _ports(id_of: Callable[[str, int], str], owned: Callable[..., Document]) -> Iterator[tuple[str, Document]]:
    router = id_of("router", 1)
    for number, network, subnet, address, owner, device in (
            (11, 1, 1, "10.0.0.1", "network:router_interface", router),
            (12, 1, 2, "2001:db8::1", "network:router_interface", router),
            (13, 2, 3, "10.1.0.1", "network:router_interface", router),
            (14, 3, 4, "203.0.113.2", "network:router_gateway", router),
            (17, 8, 8, "192.0.2.2", "network:router_gateway", router),
            (15, 3, 4, "203.0.113.11", "network:floatingip", id_of("floatingip", 1)),
            (16, 3, 4, "203.0.113.12", "network:floatingip", id_of("floatingip", 2))):
        yield "port", owned("port", number, key=15 + number, network_id=id_of("network", network), device_owner=owner,
                            device_id=device, mac_address=f"fa:16:3e:00:00:{number:02x}", admin_state_up=True,
                            fixed_ips=[{"subnet_id": id_of("subnet", each), "ip_address": ip}
                                       for each, ip in ((subnet, address), *SIX.get(number, ()))],
                            security_groups=[], port_security_enabled=False,
                            zone={14: 9, 17: 10}.get(number))
    yield "port", owned("port", 21, name="far", key=36, network_id=id_of("network", 2), mac_address="fa:16:3e:00:00:21",
                        fixed_ips=[{"subnet_id": id_of("subnet", 3), "ip_address": "10.1.0.9"}], admin_state_up=True,
                        security_groups=[id_of("security_group", 1)], port_security_enabled=True)
    yield "interface", {"id": "host2/far", "host_id": "host2", "switch_id": f"{2:016x}", "name": "far",
                        "port_id": id_of("port", 21), "ofport": 21, "link_state": "up", "mtu": 1500}
