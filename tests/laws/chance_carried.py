"""Chance draws what carries several networks at once, trunks, what one is carried by, segments, and where ports may come."""

from __future__ import annotations

from tests.laws.chance_routed import HOSTS, NETWORKS, PORTS, WIRES, Draw
from tests.laws.operations import Operation, name

TRUNKS, SUB_PORTS = 3, 9  # parents are the first ports; sub-ports of a tame history those after, each in one trunk


class Carried(Draw):
    """Trunks, segments and bindings."""

    def segment(self) -> Operation:
        """A tame network has one on each wire: its own, and this one."""
        number = self._below(NETWORKS)
        kind = self.random.choice(("vlan", "vlan", "flat")) if not self.tame else "vlan"
        return Operation(
            "segment",
            name("segment", number),
            {
                "network_id": name("network", number if self.tame else self._below(NETWORKS)),
                "network_type": kind,
                "physical_network": f"physnet{(number + 1) % WIRES if self.tame else self._below(WIRES)}",
                "segmentation_id": None if kind == "flat" else 300 + number,
            },
        )

    def trunk(self) -> Operation:
        number = self._below(TRUNKS)
        own = range(TRUNKS + number, TRUNKS + SUB_PORTS, TRUNKS) if self.tame else range(PORTS)
        subs = self.random.sample(own, self._below(min(4, len(own) + 1)))
        return Operation(
            "trunk",
            name("trunk", number),
            {
                "port_id": name("port", number if self.tame else self._below(PORTS)),
                "admin_state_up": self._maybe(0.9),
                "sub_ports": [
                    {"port_id": name("port", sub), "segmentation_type": "vlan",
                     "segmentation_id": sub + 1 if self.tame else 1 + self._below(PORTS)}
                    for sub in subs
                ],
            },
        )  # fmt: skip

    def binding(self) -> Operation:
        """One at most for a tame port: two of one host would quarrel."""
        port = number = self._below(PORTS)
        if not self.tame:
            port = self._below(PORTS)
        host = self.random.choice((f"host{self._below(HOSTS)}", f"node{self._below(HOSTS)}"))
        return Operation("port_binding", name("port_binding", number), {"port_id": name("port", port), "host": host})
