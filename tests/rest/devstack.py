"""A cloud like the one that OpenStack's own clients are tested against: identity, one host, wires that lead outside."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rest.passwords import hashed
from tests.kit.people import CHEAP
from tests.rest.fabric import SWITCHES, Fabric, fabric

PASSWORD = "as many clients as there are"
WIRES = ("public", "outer", "wire", "rack")
SETTINGS = {"external_physical_network": "outer", "vlan_ranges": {"outer": [100, 199]}}
_ROLES: dict[str, dict[str, Any]] = {
    "demo": {"projects": {"demo": ["member"]}}, "alt": {"projects": {"alt": ["member"]}},
    "root": {"projects": {"admin": ["admin"], "demo": ["admin"]}, "system": ["admin"]}}


@dataclass(frozen=True)
class Devstack:
    """A running Hadron; everybody's password is PASSWORD."""

    fabric: Fabric

    @property
    def auth_url(self) -> str:
        """Where to log in."""
        identity = self.fabric.hadron.identity
        assert identity is not None
        return f"http://127.0.0.1:{identity.port}"


@contextmanager
def devstack(**more: Any) -> Iterator[Devstack]:
    """One of one host, to which WIRES lead; `more` is configuration. With `auth` in it, somebody else says who is who."""
    users = [{"name": name, "password": hashed(PASSWORD, CHEAP), **entry} for name, entry in _ROLES.items()]
    own = {} if "auth" in more else {"identity": "127.0.0.1:0", "auth": {"mode": "identity", "users": users}}
    with fabric(**{"settings": SETTINGS, **own, **more}) as running:
        running.host("host1")
        for number, wire in enumerate(WIRES, 1):
            running.learn("host1", ("uplink", {
                "id": f"host1/{wire}", "host_id": "host1-id", "switch_id": SWITCHES["host1"], "physical_network": wire,
                "ofport": 65100 + number}))
        yield Devstack(running)
