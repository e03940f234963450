"""What the small cloud of tests/kit/net.py consists of: named objects, and switches that hold what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from controller.openflow.classify import Tables
from controller.openflow.conntrack import Conntrack

if TYPE_CHECKING:
    from tests.kit.net import Net


class Thing:
    """A named object of the cloud; its attributes are those of its row as it is now."""

    def __init__(self, net: Net, kind: str, id: str, name: str) -> None:
        self.net, self.kind, self.id, self.name = net, kind, id, name

    @property
    def row(self) -> Any:
        row = self.net.model.get(self.kind, self.id)
        assert row is not None, f"{self.kind} {self.name} is gone"
        return row

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.row, attribute)

    def __repr__(self) -> str:
        return self.name


class Port(Thing):
    """A port: its MAC, its first address of each IP version ("" if it has none) and its link-local address."""

    @property
    def mac(self) -> str:
        return str(self.row.mac_address)

    @property
    def ip(self) -> str:
        return next((fixed.ip_address for fixed in self.row.fixed_ips if ":" not in fixed.ip_address), "")

    @property
    def ip6(self) -> str:
        return next((fixed.ip_address for fixed in self.row.fixed_ips if ":" in fixed.ip_address), "")


class Bridge:
    """A switch as it is after all that it was told, and its connection tracking."""

    def __init__(self) -> None:
        self.held: dict[tuple, Any] = {}
        self.tables, self.conntrack = Tables(), Conntrack()

    def take(self, told: Mapping[tuple, Any]) -> None:
        for key, entry in told.items():
            if entry is None:
                self.held.pop(key, None)
                self.tables.remove(key)
            else:
                self.held[key] = entry
                self.tables.put(key, entry.cookie, entry.body, entry.why.reason if entry.why else "")
