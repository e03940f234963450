"""The store's disk fills up: writes are refused and change nothing, the fabric is served on, and all is well once there is room.

And one that takes nothing at all: Hadron does not start, and says why in a line.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scenarios.controller import Hadron, NotReady
from scenarios.namespace import run
from tests.faults.fabric import Fabric, until

pytestmark = pytest.mark.root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)])
    try:
        yield place
    finally:
        run(["umount", "-l", str(place)])


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_refuses_writes_and_stops_nothing_else(disk: Path, tmp_path: Path) -> None:
    with Fabric(tmp_path, hosts=2, store=str(disk / "hadron.db")) as fabric:
        network = fabric.network("red")
        a, b = fabric.machines(network, a=1, b=2)
        fabric.reached(a, b)
        ballast = fill(disk)
        body = {"ports": [{"network_id": network, "name": f"too much {number}"} for number in range(50)]}
        until(lambda: fabric.hadron.request("POST", "/v2.0/ports", body)[0] != 201, what="no room for another port")
        before = fabric.hadron.request("GET", "/v2.0/ports")
        for method, path, said in (("POST", "ports", body), ("DELETE", f"ports/{a.port_id}", None),
                                   ("PUT", f"networks/{network}", {"network": {"name": "blue" * 60}})):
            status, answer = fabric.hadron.request(method, f"/v2.0/{path}", said)
            assert status == 503 and answer["NeutronError"]["type"] == "ServiceUnavailable", answer
        assert fabric.hadron.request("GET", "/v2.0/ports") == before

        fabric.cloud.move(b, 1)                                 # what is seen is followed, even if it cannot be saved
        fabric.active(a, b)
        fabric.reached(a, b)
        assert fabric.wrong() == []
        assert fabric.hadron.log.read_text().count("\n") < 200, "nor is the next disk filled"

        os.unlink(ballast)
        fabric.machines(network, c=2)
        fabric.hadron.kill()
        held = fabric.snapshot()
        fabric.hadron.start()
        until(fabric.in_step)
        assert fabric.snapshot() == held and fabric.wrong() == []


def test_a_disk_that_cannot_be_written_is_named_and_the_store_left_as_it_is(disk: Path, tmp_path: Path) -> None:
    hadron = Hadron(tmp_path, openflow=0, ovsdb=0, store=str(disk / "hadron.db"))
    with hadron:
        made = hadron.create("network", name="kept")
    hadron.log.unlink()
    run(["mount", "-o", "remount,ro", str(disk)])
    with pytest.raises(NotReady, match=r"hadron: cannot start: .*hadron\.db: cannot be opened \(.*\); is the directory there"):
        hadron.start()
    assert "Traceback" not in hadron.log.read_text() and "damaged" not in hadron.log.read_text()
    run(["mount", "-o", "remount,rw", str(disk)])
    with hadron:
        assert hadron.request("GET", f"/v2.0/networks/{made['id']}")[0] == 200
