"""A large fabric in memory: many ports on many switches, dual stack, with security groups. Every run makes the same."""
from __future__ import annotations

import random
from typing import Any

from controller.main import load_apps
from controller.model import Model
from controller.values import ip_text

RULES_EACH = 5


def uuid(kind: int, number: int) -> str:
    return f"{kind * 0x9E3779B1 + number * 0x85EBCA6B & 0xFFFFFFFF:08x}-{kind:04x}-4000-8000-{number:012x}"


class Fabric:
    """`ports` on `switches`. A tenant has two networks of fifty ports (or of more, if `tenants` is said) and two groups
    of five rules; a port is in one or both of its tenant's groups. All tenants use the same addresses."""

    def __init__(self, ports: int, switches: int, tenants: int = 0) -> None:
        self.switches, self.tenants = switches, tenants or max(1, ports // 100)
        self.networks = self.groups = 2 * self.tenants
        self.model = Model(load_apps())
        for number in range(switches):
            self._switch(number)
        for number in range(self.networks):
            self._network(number)
        for number in range(self.groups):
            self._group(number)
        for number in range(ports):
            for kind, row in self.port(number):
                self.model.put(kind, row)

    def put(self, kind: str, **values: Any) -> Any:
        return self.model.put(kind, self.model.make(kind, values))

    def switch_id(self, number: int) -> str:
        return f"{number + 1:016x}"

    def _switch(self, number: int) -> None:
        self.put("host", id=f"host{number}", hostname=f"host{number}", tunnel_ip=ip_text(4, 0xC6120000 + number + 1))
        self.put("switch", id=self.switch_id(number), host_id=f"host{number}", bridge="br-int")

    def _network(self, number: int) -> None:
        self.put("network", id=uuid(1, number), project_id=f"tenant{number % self.tenants}", admin_state_up=True, key=number + 1, mtu=1450,
                 **{"provider:network_type": "vxlan", "provider:segmentation_id": number + 1})
        of = number // self.tenants
        for version, cidr, gateway in ((4, f"10.{of}.0.0/16", f"10.{of}.0.1"), (6, f"fd0{of}::/64", f"fd0{of}::1")):
            self.put("subnet", id=uuid(version, number), network_id=uuid(1, number), ip_version=version, cidr=cidr,
                     gateway_ip=gateway, enable_dhcp=True)

    def _group(self, number: int) -> None:
        group = uuid(2, number)
        self.put("security_group", id=group, project_id=f"tenant{number % self.tenants}", key=number + 1, stateful=True)
        wanted: list[dict[str, Any]] = [
            {"direction": "egress", "ethertype": "IPv4"}, {"direction": "egress", "ethertype": "IPv6"},
            {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": group},
            {"direction": "ingress", "ethertype": "IPv6", "remote_group_id": group},
            {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443}]
        for place, values in enumerate(wanted):
            self.rule(number * RULES_EACH + place, group, **values)

    def rule(self, number: int, group: str, **values: Any) -> Any:
        return self.put("security_group_rule", id=uuid(3, number), security_group_id=group, **values)

    def port(self, number: int, switch: int | None = None) -> list[tuple[str, Any]]:
        """The rows of a port and of its interface."""
        chance = random.Random(number)
        network = number % self.networks
        groups = tuple(uuid(2, network % self.tenants + place * self.tenants) for place in chance.choice(((0,), (1,), (0, 1))))
        home = chance.randrange(self.switches) if switch is None else switch
        mac = f"fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        of, address = network // self.tenants, number // self.networks + 2
        fixed = self.model.resources["port"].attributes["fixed_ips"].read(
            [{"subnet_id": uuid(4, network), "ip_address": ip_text(4, 0x0A000000 + (of << 16) + address)},
             {"subnet_id": uuid(6, network), "ip_address": ip_text(6, (0xFD00 + of << 112) + address)}])
        port = self.model.make("port", {
            "id": uuid(5, number), "network_id": uuid(1, network), "project_id": f"tenant{network % self.tenants}", "key": number + 16,
            "mac_address": mac, "fixed_ips": fixed, "security_groups": groups, "admin_state_up": True,
            "port_security_enabled": True, "binding:host_id": ""})
        seen = self.model.make("interface", {
            "id": f"host{home}/tap{number}", "host_id": f"host{home}", "switch_id": self.switch_id(home), "name": f"tap{number}",
            "port_id": port.id, "ofport": number % 60000 + 1})
        return [("port", port), ("interface", seen)]

    def router(self) -> Any:
        """The first tenant's router, as a changed row."""
        return self.put("router", id=uuid(6, 0), project_id="tenant0", key=1, admin_state_up=True)

    def joint(self, place: int, version: int) -> Any:
        """The router's interface on one of the tenant's two networks, as a changed row."""
        network, number = place * self.tenants, 2 * place + version // 6
        ip = f"10.{place}.0.1" if version == 4 else f"fd0{place}::1"
        fixed = self.model.resources["port"].attributes["fixed_ips"].read(
            [{"subnet_id": uuid(version, network), "ip_address": ip}])
        return self.put("port", id=uuid(7, number), network_id=uuid(1, network), project_id="tenant0",
                        key=(1 << 22) + number, mac_address=f"fa:16:3e:ff:ff:{number:02x}", fixed_ips=fixed,
                        admin_state_up=True, port_security_enabled=False, device_owner="network:router_interface",
                        device_id=uuid(6, 0))

    def changes(self) -> list[tuple]:
        """Every row, as if it had just appeared."""
        return [(kind, id, None, None, ()) for kind, rows in self.model.rows.items() for id in rows]
