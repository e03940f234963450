"""A model with a writer in memory, and two tenants in it: what most tests start from."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from controller.errors import Refused
from controller.model import Model
from controller.particles import load_all
from controller.resource import Resources
from controller.store.memory import MemoryStore
from controller.write import Context, Writer

ROOT = Path(__file__).resolve().parents[2]
ADMIN = Context(project_id="admin", roles=frozenset({"admin"}), user="root", is_admin=True)
ANN = Context(project_id="a" * 32, roles=frozenset({"member"}), user="ann")
MIA = Context(project_id=ANN.project_id, roles=frozenset({"manager"}), user="mia")
BOB = Context(project_id="b" * 32, roles=frozenset({"member"}), user="bob")


@cache
def core() -> Resources:
    """The core resources, as the repository's model files declare them."""
    return load_all([ROOT / "apps", ROOT / "topology"])


class Clock:
    """Time that stands still until it is told to pass."""

    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> str:
        hours, rest = divmod(self.seconds, 3600)
        return f"2024-01-01T{hours:02}:{rest // 60:02}:{rest % 60:02}Z"

    def tick(self, seconds: int = 1) -> None:
        self.seconds += seconds


def _ids(last: int) -> Callable[[], str]:

    def new() -> str:
        nonlocal last
        last += 1
        return f"{last:08x}-0000-4000-8000-000000000000"
    return new


@contextmanager
def refused(type: str) -> Iterator[None]:
    """What is within must be refused, as Neutron names the case."""
    try:
        yield
    except Refused as wrong:
        assert wrong.type == type, f"{wrong.type}: {wrong}"
    else:
        raise AssertionError(f"was not refused as {type}")


class World:
    """A model and its writer. `make` and the rest act for `ann` unless told otherwise.

        world = World()
        net = world.make("network", name="blue")
        world.make("subnet", network_id=net.id, ip_version=4, cidr="10.0.0.0/24")
        port = world.make("port", network_id=net.id)
    """

    def __init__(self, store: Any = None, *, resources: Resources | None = None, **options: Any) -> None:
        self.resources = resources or core()
        self.model = Model(self.resources)
        self.clock = Clock()
        self.store = store if store is not None else MemoryStore()
        ids = _ids(1000 * self.store.load()[0])
        self.writer = Writer(self.model, self.resources, self.store, clock=self.clock, new_id=ids, **options)
        self.writer.load()

    def make(self, kind: str, by: Context = ANN, **attributes: Any) -> Any:
        """One new row. Attributes with a colon are written with two underscores: `binding__host_id`."""
        return self.writer.create(by, kind, [_said(attributes)])[0]

    def change(self, row: Any, by: Context = ANN, **attributes: Any) -> Any:
        return self.writer.update(by, row.KIND, row[0], _said(attributes))

    def drop(self, row: Any, by: Context = ANN) -> None:
        self.writer.delete(by, row.KIND, row[0])

    def now(self, row: Any) -> Any:
        """The row as it is by now, or None."""
        return self.model.get(row.KIND, row[0])

    def show(self, row: Any, by: Context = ANN) -> dict[str, Any]:
        """What the API answers."""
        return self.model.show(row.KIND, self.now(row), admin=by.is_admin)

    def network(self, *cidrs: str, by: Context = ANN, **attributes: Any) -> Any:
        """A network with a subnet for each CIDR."""
        network = self.make("network", by, **attributes)
        for cidr in cidrs:
            self.make("subnet", by, network_id=network.id, ip_version=6 if ":" in cidr else 4, cidr=cidr)
        return network

    def host(self, name: str, address: str = "192.0.2.1", number: int = 1) -> str:
        """A host and its switch, as OVSDB would tell of them; the switch's id."""
        switch = f"{number:016x}"
        self.writer.learn([("host", {"id": name, "hostname": name, "tunnel_ip": address}),
                           ("switch", {"id": switch, "host_id": name, "bridge": "br-int"})])
        return switch

    def plug(self, port: Any, host: str, switch: str, ofport: int) -> None:
        """The port's interface is seen on a host."""
        self.writer.learn([("interface", {
            "id": f"{host}/tap{ofport}", "host_id": host, "switch_id": switch, "name": f"tap{ofport}",
            "port_id": port.id, "ofport": ofport, "mac_address": port.mac_address, "link_state": "up"})])


def _said(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", ":"): value for name, value in attributes.items()}


def two_tenants(*, ports: int = 2, cidr: str = "10.0.0.0/24", **options: Any) -> tuple[World, dict[Context, list[Any]]]:
    """Ann and Bob, each with a network of the same addresses and some ports on it."""
    world = World(**options)
    made = {}
    for who in (ANN, BOB):
        network = world.network(cidr, by=who, name=f"{who.user}'s")
        made[who] = [world.make("port", who, network_id=network.id, name=f"{who.user}{number}")
                     for number in range(ports)]
    return world, made
