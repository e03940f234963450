"""Chance draws links between switches: the part of `chance.py` that transport over links needs."""

from __future__ import annotations

from tests.laws.chance_plain import PLAIN, dpid
from tests.laws.chance_routed import HOSTS, NETWORKS, Draw
from tests.laws.operations import Operation, name

FIRST_PORT = 65200
CIRCUITS, CIRCUIT_PORT = 3, 70
SWITCHES = [*(name("switch", number) for number in range(HOSTS)), *(dpid(number) for number in range(PLAIN))]
# A ring, and from each switch one that is not its neighbour: so there are several paths of one cost.
PAIRS = [(one, (one + step) % len(SWITCHES)) for one in range(len(SWITCHES)) for step in (1, -1, 3, -3)]
LINKS = len(PAIRS)


class Linked(Draw):
    """Links, each direction by itself, so that many are seen one way only; some pairs of switches have two."""

    def link(self) -> Operation:
        number = self._below(LINKS)
        one, other = PAIRS[number]
        second = 10 if self._maybe(0.1) else 0
        document = {
            "source_switch_id": SWITCHES[one],
            "source_port": FIRST_PORT + other + second,
            "target_switch_id": SWITCHES[other],
            "target_port": FIRST_PORT + one + second,
            "speed": self.random.choice((None, 100, 10000)),
            "latency": self.random.choice((None, 10, 500)),
        }
        if not self.tame and self._maybe(0.1):
            document["target_port"] = FIRST_PORT + self._below(len(SWITCHES))
        return Operation("link", f"{document['source_switch_id']}:{document['source_port']}", document)

    def path_policy(self) -> Operation:
        """Of a tame history each network has a policy of its own number."""
        number = self._below(NETWORKS)
        places = [name("switch", self._below(HOSTS)), f"{name('switch', self._below(HOSTS))}:{FIRST_PORT + self._below(HOSTS)}"]
        return Operation("path_policy", name("path_policy", number), {
            "network_id": name("network", number if self.tame else self._below(NETWORKS)), "plane": number + 1,
            "avoid": places[: self._below(3)], "prefer": places[: self._below(2)], "strict": self._maybe(0.3),
            "waypoint": name("switch", self._below(HOSTS)) if self._maybe(0.3) else None})

    def circuit(self) -> Operation:
        """Between switch ports that nobody else has; in a wild history also others'."""
        number = self._below(CIRCUITS)
        switches = self.random.sample(SWITCHES, 2)
        ports = [CIRCUIT_PORT + (number if self.tame else self._below(CIRCUITS)) for _ in "az"]
        return Operation("circuit", name("circuit", number), {
            "key": number + 1, "priority": self._below(3), "committed_kbps": self.random.choice((10, 60_000, 600_000)),
            "peak_kbps": self.random.choice((None, 900_000)), "protected": self._maybe(0.3), "admin_state_up": self._maybe(0.9),
            **{f"{end}_switch_port": f"{switch}:{port}" for end, switch, port in zip("az", switches, ports, strict=True)}})

    def circuit_end(self) -> Operation:
        switch, port = self.random.choice(SWITCHES), CIRCUIT_PORT + self._below(CIRCUITS)
        return Operation("interface", f"{switch}:{port}", {
            "switch_id": switch, "ofport": port, "name": f"eth{port}", "link_state": "up", "hw_address": None, "speed": None})

    def wire_port(self) -> Operation:
        """Where a link begins: sometimes what is sent there waits in queues."""
        one, other = PAIRS[self._below(LINKS)]
        return Operation("interface", f"{SWITCHES[one]}:{FIRST_PORT + other}", {
            "switch_id": SWITCHES[one], "ofport": FIRST_PORT + other, "name": f"wire{other}", "link_state": "up", "wire": True,
            "speed": self.random.choice((None, 100)), "queues": True if self._maybe(0.7) else None})

    def broken(self) -> Operation:
        one, other = PAIRS[self._below(LINKS)]
        return Operation("link", f"{SWITCHES[one]}:{FIRST_PORT + other}", None)
