"""Chance draws plain switches, their ports, what is bound to them, and the wires between them."""

from __future__ import annotations

from tests.laws.chance_routed import NETWORKS, PORTS, Draw
from tests.laws.operations import Operation, name

PLAIN, ENDS = 3, 3  # switches without host, and ports of each for wires
FIRST_END = 40
EDGES, FIRST_EDGE = 3, 300  # ports that take whatever is plugged in: where wires may end, too


def dpid(number: int) -> str:
    return f"{0x100 + number:016x}"


class PlainSwitches(Draw):
    """Switches of which OpenFlow alone tells."""

    def plain(self) -> Operation:
        number = self._below(PLAIN)
        return Operation("switch", dpid(number), {"host_id": None, "label": 100 + number})

    def switch_port(self) -> Operation:
        """A port that a tenant may be bound to, or where a wire may end."""
        if self._maybe(0.5):
            return self._interface(dpid(self._below(PLAIN)), FIRST_END + self._below(ENDS))
        number = self._below(PORTS)
        return self._interface(dpid(number % PLAIN), 1 + number // PLAIN)

    def _interface(self, switch: str, port: int) -> Operation:
        gone = not self.tame and self._maybe(0.1)
        return Operation("interface", f"{switch}:{port}", {
            "switch_id": None if gone else switch, "ofport": port, "name": f"eth{port}", "hw_address": f"02:00:00:00:00:{port:02x}",
            "link_state": "up" if self._maybe(0.9) else "down", "speed": self.random.choice((None, 1000, 10_000))})

    def bound(self, number: int) -> str | None:
        """The switch port that a port names. Tame ones never name one that another names."""
        if self._maybe(0.7):
            return None
        place = number if self.tame or self._maybe(0.8) else self._below(PORTS)
        name = f"{1 + place // PLAIN}" if self._maybe(0.7) else f"eth{1 + place // PLAIN}"
        return f"{dpid(place % PLAIN)}:{name}"

    def way(self) -> Operation:
        """One direction of a wire: the ends are numbered round, and each is joined to its next; sometimes to another."""
        one = self._below(PLAIN * ENDS)
        other = (one ^ 1) % (PLAIN * ENDS) if self._maybe(0.8) else self._below(PLAIN * ENDS)
        (source, port), (target, into) = ((dpid(end % PLAIN), FIRST_END + end // PLAIN) for end in (one, other))
        return Operation("link", f"{source}:{port}", {
            "source_switch_id": source, "source_port": port, "target_switch_id": target, "target_port": into,
            "speed": self.random.choice((None, 1000, 10_000)), "latency": self.random.choice((None, 100, 5000))})

    def edge(self) -> Operation:
        number = self._below(EDGES)
        return Operation("port", name("port", FIRST_EDGE + number), {
            "key": FIRST_EDGE + 16 + number, "project_id": "hadron", "network_id": name("network", number % NETWORKS),
            "mac_address": f"fa:16:3e:00:03:{number:02x}", "admin_state_up": self._maybe(0.9), "fixed_ips": [],
            "port_security_enabled": False, "security_groups": [], "device_owner": "network:switch_port",
            "switch_port": f"{dpid(number % PLAIN)}:{FIRST_END + number % ENDS}"})

    def station(self) -> Operation:
        """A machine at such a port; one at a time has an address."""
        number, mac = self._below(EDGES), f"02:00:00:00:09:{self._below(4):02x}"
        network = name("network", number % NETWORKS)
        return Operation("station", f"{network}/{mac}", {
            "network_id": network, "mac_address": mac, "port_id": name("port", FIRST_EDGE + number),
            "ip_addresses": self.random.choice(([], ["10.0.0.99"], ["10.0.0.98", "fe80::98"])),
            "switch_id": dpid(number % PLAIN), "ofport": FIRST_END + number % ENDS})

    def plain_removal(self) -> Operation:
        if self._maybe(0.3):
            return (self.edge() if self._maybe(0.5) else self.station())._replace(document=None)
        switch = dpid(self._below(PLAIN))
        end = FIRST_END + self._below(ENDS) if self._maybe(0.5) else 1 + self._below(PORTS) // PLAIN
        kind = self.random.choice(("switch", "interface", "interface", "link", "link"))
        return Operation(kind, switch if kind == "switch" else f"{switch}:{end}", None)
