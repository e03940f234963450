"""Chance draws what carries several networks at once: trunks."""

from __future__ import annotations

from tests.laws.chance_routed import PORTS, Draw
from tests.laws.operations import Operation, name

TRUNKS, SUB_PORTS = 3, 9  # parents are the first ports; sub-ports of a tame history those after, each in one trunk


class Carried(Draw):
    """Trunks."""

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
