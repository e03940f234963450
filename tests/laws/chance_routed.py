"""Chance draws routers, their interfaces and routes, and what leads outside: the part of `chance.py` that routing needs."""

from __future__ import annotations

import random

from tests.laws.operations import Operation, name

NETWORKS, SUBNETS, PORTS, GROUPS, RULES, HOSTS, WIRES, ROUTERS = 4, 6, 24, 5, 14, 6, 2, 3
JOINTS = range(100, 100 + ROUTERS * SUBNETS)  # numbers of ports that are interfaces of routers
PAIRS = [(one, other) for other in range(SUBNETS) for one in range(other) if (one % 3 == 2) == (other % 3 == 2)]
WORLDS, GATES, HOLDERS, FLOATING, FORWARDS, STRANGERS = (8, 9), 200, 240, 6, 4, 4  # external networks, and what leads there
PROXIES = 4
WORLD, OUTSIDE = WORLDS[0], {8: "203.0.113", 9: "192.0.2"}
POOLS = 2
MODES = ("slaac", "dhcpv6-stateless", "dhcpv6-stateful")


class Draw:
    """What all draws need. `tame`: only what the write path lets through."""

    def __init__(self, seed: int, *, tame: bool = False) -> None:
        self.random, self.tame = random.Random(seed), tame

    def _maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def _below(self, number: int) -> int:
        return self.random.randrange(number)

    def _some(self, kind: str, number: int, most: int) -> list[str]:
        return [name(kind, each) for each in self.random.sample(range(number), self._below(most + 1))]


class Routed(Draw):
    """Routers and the way outside."""

    def router(self) -> Operation:
        number = self._below(ROUTERS)
        routes = [{"destination": self.random.choice(blocks), "nexthop": hop}
                  for blocks, hop in (
                      (("10.7.0.0/16", "10.7.7.0/24", "0.0.0.0/0"), f"10.0.{self._below(NETWORKS)}.{self._below(14)}"),
                      (("2001:db8:77::/48", "::/0"), f"2001:db8::{self._below(14)}"),
                  ) for _ in range(self._below(3))]  # fmt: skip
        if self._maybe(0.3):
            routes.append({"destination": "198.51.100.0/24", "nexthop": "203.0.113.99"})
        return Operation(
            "router",
            name("router", number),
            {"key": number + 1, "admin_state_up": self._maybe(0.9), "routes": routes,
             "paired": self._maybe(0.3), "ha": self._maybe(0.8), "distributed": self._maybe(0.8),
             "enable_default_route_ecmp": self._maybe(0.5), "enable_ndp_proxy": self._maybe(0.5), "external_gateways": [
                 {"network_id": name("network", world), "enable_snat": self._maybe(0.8), "external_fixed_ips": []}
                 for world in self.random.sample(WORLDS, self._below(len(WORLDS) + 1))]},
        )

    # ---- outside
    def world(self) -> Operation:
        """An external network, or its subnet."""
        world = self.random.choice(WORLDS)
        if self._maybe(0.5):
            return Operation("network", name("network", world), {
                "key": world + 1, "admin_state_up": True, "mtu": 1500, "provider:network_type": "flat",
                "provider:physical_network": f"physnet{world - WORLD}", "provider:segmentation_id": None})
        return Operation("subnet", name("subnet", world), {
            "network_id": name("network", world), "ip_version": 4, "cidr": f"{OUTSIDE[world]}.0/24", "enable_dhcp": False,
            "subnetpool_id": self.random.choice((None, name("subnetpool", 0))),
            "gateway_ip": self.random.choice((f"{OUTSIDE[world]}.1", None))})

    def proxy(self) -> Operation:
        """An address for which a router answers outside; no two tame ones are of one router and address."""
        number = self._below(PROXIES)
        router, port = (number % ROUTERS, number) if self.tame else (self._below(ROUTERS + 1), self._below(4))
        return Operation("ndp_proxy", name("ndp_proxy", number), {
            "router_id": name("router", router), "port_id": name("port", port), "ip_address": f"2001:db8::{10 + port}"})

    def gate(self) -> Operation:
        """A router's port on an external network."""
        router, world = self._below(ROUTERS), self.random.choice(WORLDS)
        number = router + (world - WORLD) * ROUTERS
        return Operation("port", name("port", GATES + number), {
            "key": GATES + 16 + number, "zone": 1000 + number, "project_id": "", "network_id": name("network", world),
            "mac_address": f"fa:16:3e:00:02:{number:02x}", "admin_state_up": True, "port_security_enabled": False,
            "fixed_ips": [{"subnet_id": name("subnet", world), "ip_address": f"{OUTSIDE[world]}.{2 + router}"}],
            "device_owner": "network:router_gateway", "device_id": name("router", router), "binding:host_id": ""})

    def holder(self) -> Operation:
        """The port that holds the address of a floating IP."""
        number = self._below(FLOATING)
        world = WORLDS[number > 3]
        return Operation("port", name("port", HOLDERS + number), {
            "key": HOLDERS + 16 + number, "project_id": "", "network_id": name("network", world),
            "mac_address": f"fa:16:3e:00:03:{number:02x}", "admin_state_up": True, "port_security_enabled": False,
            "fixed_ips": [{"subnet_id": name("subnet", world), "ip_address": f"{OUTSIDE[world]}.{50 + number}"}],
            "device_owner": "network:floatingip", "device_id": name("floatingip", number), "binding:host_id": ""})

    def pool(self) -> Operation:
        """A pool of addresses, of one of two scopes or of none."""
        scope = self.random.choice((None, name("address_scope", 0), name("address_scope", 1)))
        return Operation("subnetpool", name("subnetpool", self._below(POOLS)), {"address_scope_id": scope, "prefixes": []})

    def claim(self) -> Operation:
        """What a port has said of an address that several may have."""
        ip, port = self.random.choice(("10.0.0.77", "10.0.0.12", "2001:db8::77")), self._below(PORTS)
        network = name("network", port % NETWORKS if self._maybe(0.8) else 0)
        mac = self.random.choice((f"fa:16:3e:00:00:{port:02x}", "fa:16:3e:aa:00:00"))
        return Operation("claim", f"{network}/{ip}", {
            "network_id": network, "ip_address": ip, "port_id": name("port", port), "mac_address": mac})

    def loss(self) -> Operation:
        """A switch that is lost."""
        return Operation("loss", name("switch", self._below(HOSTS)), {})

    def stranger(self) -> Operation:
        """A machine outside of which a router has heard; one says that it has a floating address."""
        ip = self.random.choice([f"203.0.113.{100 + number}" for number in range(1, STRANGERS)] + ["203.0.113.52"])
        return Operation("neighbour", f"{name('network', WORLD)}/{ip}", {
            "network_id": name("network", WORLD), "ip_address": ip, "mac_address": f"02:00:00:00:00:{self._below(9):02x}"})

    def floating(self) -> Operation:
        """Even ones stand for an address, odd ones forward ports."""
        number = self._below(FLOATING)
        whole, world, port = number % 2 == 0 and self._maybe(0.8), WORLDS[number > 3], number % 4     # 0 may have two
        return Operation("floatingip", name("floatingip", number), {
            "project_id": "acme", "floating_network_id": name("network", world),
            "floating_ip_address": f"{OUTSIDE[world]}.{50 + number}", "router_id": name("router", port % ROUTERS),
            "port_id": name("port", port) if whole else None,
            "fixed_ip_address": f"10.0.{port % NETWORKS}.{10 + port}" if whole else None,
            "dns_name": f"www{number}" if number % 2 else "", "dns_domain": "acme.example." if number % 4 else "",
            "distributed": self.random.choice((None, None, True, False))})

    def forwarding(self) -> Operation:
        number = self._below(FORWARDS)
        inside = self.random.choice((f"{8000 + 10 * number}:{8003 + 10 * number}", "22:22", "9000:9003"))
        return Operation("port_forwarding", name("port_forwarding", number), {
            "floatingip_id": name("floatingip", 1 + number % 2 * 2), "protocol": self.random.choice(("tcp", "udp")),
            "external_port_range": f"{8000 + 10 * number}:{8003 + 10 * number}", "internal_port_range": inside,
            "internal_port_id": name("port", number), "internal_ip_address": f"10.0.{number}.10"})

    def route(self) -> Operation:
        """Between two subnets of one IP version; a tame one is the only one between them."""
        number = self._below(ROUTERS * len(PAIRS))
        router, pair = divmod(number, len(PAIRS)) if self.tame else (self._below(ROUTERS + 1), self._below(len(PAIRS)))
        ends = dict(zip(("subnet_a_id", "subnet_b_id"), (name("subnet", one) for one in PAIRS[pair]), strict=True))
        return Operation("route", name("route", number), {**ends, "router_id": name("router", router)})

    def joint(self) -> Operation:
        """A router's interface, with the address of the subnet's gateway or the next; a tame one has one on a subnet."""
        number = self.random.choice(JOINTS)
        router, subnet = divmod(number - JOINTS[0], SUBNETS)
        home = subnet % NETWORKS
        if not self.tame:
            router, subnet, home = self._below(ROUTERS + 1), self._below(SUBNETS), self._below(NETWORKS)
        return Operation(
            "port",
            name("port", number),
            {
                "key": number + 16,
                "project_id": "acme",
                "network_id": name("network", home),
                "mac_address": f"fa:16:3e:00:01:{number:02x}",
                "admin_state_up": self._maybe(0.9),
                "port_security_enabled": False,
                "fixed_ips": [{"subnet_id": name("subnet", subnet), "ip_address": address(subnet, router + 1)}],
                "device_owner": "network:router_interface",
                "device_id": name("router", router),
                "binding:host_id": "",
            },
        )


def address(subnet: int, number: int) -> str:
    """An address of a subnet; every third subnet is IPv6. Ports have theirs from 10 on."""
    if subnet % 3 == 2:
        return f"2001:db8::{number or ''}" if subnet == 2 else f"2001:db8:{subnet}::{number or ''}"
    return f"10.0.{subnet}.{number}"
