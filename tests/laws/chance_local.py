"""Chance draws local IPs and the ports that they stand for: the part of `chance.py` that they need."""

from __future__ import annotations

from tests.laws.chance_routed import NETWORKS, PORTS, Draw
from tests.laws.operations import Operation, name

LOCAL_IPS, STANDING = 3, 8                    # … and the ports from the first on that they may stand for


class Local(Draw):
    """Addresses that on each host stand for a port of that host."""

    def local_ip(self) -> Operation:
        """No two tame ones have one address, and nobody else has it."""
        number = self._below(LOCAL_IPS)
        address = f"10.0.0.{200 + number}" if self.tame else self.random.choice(("10.0.0.77", "10.0.0.200", "10.0.0.11"))
        return Operation("local_ip", name("local_ip", number), {
            "project_id": "acme", "network_id": name("network", number % NETWORKS), "local_port_id": name("port", PORTS - 1 - number),
            "local_ip_address": address, "ip_mode": self.random.choice(("translate", "translate", "passthrough"))})

    def standing(self) -> Operation:
        number = self._below(STANDING)
        port = number if self.tame else self._below(STANDING)
        return Operation("local_ip_association", name("local_ip_association", number), {
            "local_ip_id": name("local_ip", self._below(LOCAL_IPS)), "fixed_port_id": name("port", port),
            "fixed_ip": f"10.0.{port % NETWORKS if self.tame else 0}.{10 + port // NETWORKS}"})
