"""Chance draws plain switches, their ports, what is bound to them, and the wires between them."""

from __future__ import annotations

from tests.laws.chance_routed import PORTS, Draw
from tests.laws.operations import Operation

PLAIN, ENDS = 3, 3  # switches without host, and ports of each for wires
FIRST_END = 40


def dpid(number: int) -> str:
    return f"{0x100 + number:016x}"


class PlainSwitches(Draw):
    """Switches of which OpenFlow alone tells."""

    def plain(self) -> Operation:
        return Operation("switch", dpid(self._below(PLAIN)), {"host_id": None})

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

    def plain_removal(self) -> Operation:
        switch = dpid(self._below(PLAIN))
        end = FIRST_END + self._below(ENDS) if self._maybe(0.5) else 1 + self._below(PORTS) // PLAIN
        kind = self.random.choice(("switch", "interface", "interface", "link", "link"))
        return Operation(kind, switch if kind == "switch" else f"{switch}:{end}", None)
