"""Chance draws access rules and isolation: the part of `chance.py` that `apps/access.py` needs."""

from __future__ import annotations

from tests.laws.chance_routed import NETWORKS, SUBNETS, Routed
from tests.laws.operations import Operation, name

ACCESS_RULES = 6
WATCHES = NETWORKS + 6
LABELS, LABEL_RULES = 2, 6
LOGS = 4


class Access(Routed):
    """Access lists of networks."""

    def access_rule(self) -> Operation:
        """Its number is its priority: no two of a network have one."""
        number = self._below(ACCESS_RULES)
        network = self._below(NETWORKS)
        subnet = self.random.choice([None, *(each for each in range(SUBNETS) if each % NETWORKS == network or not self.tame)])
        protocol, least, most = self.random.choice(
            ((None, None, None), ("tcp", 23, 23), ("udp", 5000, 5099), ("icmp", 8, None), ("ipv6-icmp", 128, 0), ("47", None, None)))
        v6 = subnet % 3 == 2 if subnet is not None else self._maybe(0.5)
        return Operation("access_rule", name("access_rule", number), {
            "network_id": name("network", network), "subnet_id": name("subnet", subnet) if subnet is not None else None,
            "priority": number + 1, "action": self.random.choice(("allow", "deny")),
            "direction": self.random.choice((None, "egress", "ingress")), "ethertype": None, "protocol": protocol,
            "port_range_min": least, "port_range_max": most,
            "remote_ip_prefix": self.random.choice((None, "2001:db8::/32" if v6 else "10.0.0.0/9"))})

    def watch(self) -> Operation:
        """One for a port, a network or a group."""
        number = self._below(WATCHES)
        of, place = ("network", number) if number < NETWORKS else ("port" if number % 2 else "security_group", (number - NETWORKS) // 2)
        return Operation("watch", name("watch", number), {
            "port_id": None, "network_id": None, "security_group_id": None, f"{of}_id": name(of, place),
            "peers": self.random.sample(["10.0.0.0/8", "10.0.0.0/24", "2001:db8::/32"], self._below(3))})

    def label(self) -> Operation:
        """A metering label of everybody or of nobody."""
        number = self._below(LABELS)
        return Operation("metering_label", name("metering_label", number), {"key": number + 1, "shared": self._maybe(0.8)})

    def label_rule(self) -> Operation:
        """For one block outside, or for where it comes from."""
        number = self._below(LABEL_RULES)
        remote = self.random.choice((None, "0.0.0.0/0", "203.0.113.0/24", "2001:db8:3::/64"))
        return Operation("metering_label_rule", name("metering_label_rule", number), {
            "metering_label_id": name("metering_label", number % LABELS), "direction": self.random.choice(("ingress", "egress")),
            "excluded": self._maybe(0.3), "remote_ip_prefix": remote, "source_ip_prefix": None if remote else "10.0.0.0/9",
            "destination_ip_prefix": None})

    def log(self) -> Operation:
        """The first of a whole project, others of a group, a port, or both."""
        number = self._below(LOGS)
        return Operation("log", name("log", number), {
            "project_id": "acme", "resource_type": "security_group", "enabled": self._maybe(0.8), "beyond": self._maybe(0.5),
            "resource_id": name("security_group", self._below(3)) if number & 1 else None,
            "target_id": name("port", self._below(4)) if number & 2 else None, "event": self.random.choice(("ACCEPT", "DROP", "ALL"))})

    def isolation(self) -> Operation:
        """One for a network."""
        number = self._below(NETWORKS)
        return Operation("port_isolation", name("port_isolation", number), {"network_id": name("network", number)})
