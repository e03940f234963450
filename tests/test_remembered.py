"""What outlives the process is passed over if it does not fit, and never trusted with more than it may say."""
from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.pipeline import PIPELINE
from controller import main
from controller.app import RULES, TALLIES, declared
from controller.compile import Compiler
from controller.remembered import MAGIC, MARK, Remembered, _proof, fingerprint
from tests.kit.worlds import World, two_tenants

VERSION = b"v" * MARK


def remembered(path: Path, world: World, version: bytes = VERSION, key: bytes = b"secret") -> Remembered:
    main.load_apps()
    made = Remembered(path, Compiler(world.model, RULES, TALLIES, strict=True), [*declared(), *PIPELINE], version)
    made.key = key
    return made


@pytest.fixture
def world() -> World:
    made, ports = two_tenants()
    for number, port in enumerate(port for some in ports.values() for port in some):
        made.plug(port, "host1", made.host("host1"), number + 1)
    return made


@pytest.fixture
def kept(world: World, tmp_path: Path) -> Path:
    """The file of a compiler that knows all rows."""
    one = remembered(tmp_path / "answers", world)
    one.compiler.update([(kind, id, None, None, ()) for kind, rows in world.model.rows.items() for id in rows], tell=False)
    one.write()
    return tmp_path / "answers"


def test_what_was_written_is_taken_back(world: World, kept: Path) -> None:
    again = remembered(kept, world)
    assert again.take_back() == world.model.rows
    assert again.compiler.units and world.model.changes_since(world.model.rows) == []
    assert kept.stat().st_mode & 0o777 == 0o600 and [one.name for one in kept.parent.iterdir()] == ["answers"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"", "cut short": lambda data: data[:-1], "cut in the middle": lambda data: data[:len(data) // 2],
    "shorter than its proof": lambda data: data[:10], "a bit is another": lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:],
    "with more at the end": lambda data: data + b"x", "something else": lambda data: b"SQLite format 3\0" + data}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_passed_over(world: World, kept: Path, damage: str) -> None:
    kept.write_bytes(DAMAGES[damage](kept.read_bytes()))
    again = remembered(kept, world)
    assert again.take_back() is None and not again.compiler.units


def test_one_of_another_version_or_another_store_is_passed_over(world: World, kept: Path) -> None:
    for one in (remembered(kept, world, b"w" * MARK), remembered(kept, world, key=b"another"), remembered(kept.with_name("none"), world)):
        assert one.take_back() is None and not one.compiler.units


class Evil:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("evil",)


def test_it_can_name_nothing_that_is_not_hadrons_own(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = MAGIC + VERSION + pickle.dumps(Evil())
    (tmp_path / "answers").write_bytes(data + _proof(hashlib.blake2b(data).digest(), b"secret"))
    assert remembered(tmp_path / "answers", world).take_back() is None
    assert not (tmp_path / "evil").exists()


def test_what_cannot_be_written_leaves_what_was(world: World, kept: Path) -> None:
    before = kept.read_bytes()
    again = remembered(kept, world)
    again.take_back()
    again.compiler.punts[0] = lambda: None                  # type: ignore[assignment]
    with pytest.raises(Exception, match="lambda"):
        again.write()
    assert kept.read_bytes() == before


def test_every_file_of_code_and_every_setting_makes_another_version(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "app.py"
    versions = set()
    for text, settings in (("one", {}), ("two", {}), ("two", {"mtu": 9000}), ("two", {"mtu": 1500})):
        file.write_text(text)
        versions.add(fingerprint([tmp_path / "code"], settings))
    file.with_name("app.yaml").touch()
    versions.add(fingerprint([tmp_path / "code"], {}))
    assert len(versions) == 5
    assert fingerprint([main.HERE / "controller"], {}) == fingerprint([main.HERE / "controller"], {})


WRITES = """
import os, sys, time
from pathlib import Path
from tests.kit.worlds import two_tenants
from tests.test_remembered import remembered
one = remembered(Path(sys.argv[1]), two_tenants()[0])
one.begin()
one.tick(0.0)
one.settle(0.0)                                 # nothing has changed
assert not one._child
one.changed()
one.compiler.world.broken["question"] = "ValueError"
for moment in (0.1, 0.2):
    one.tick(moment)
one.settle(0.3)
assert not one._child                           # while something fails it is not kept
one.compiler.world.broken.clear()
one.changed()
one.tick(1.0)
assert not one._due                             # who has changed something a moment ago may go on
one.tick(2.0)
one.settle(2.0)
assert one._child
while one._child:
    one.tick(3.0)
one.changed()
one.tick(4.0)
one.tick(5.0)
assert not one._due                             # not so soon again
one.tick(60.0)
one.settle(60.0)
one.close()
assert not one._child
"""


def test_it_is_written_by_a_child_once_it_is_quiet(world: World, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITES, str(tmp_path / "answers")], check=True, timeout=60)
    assert remembered(tmp_path / "answers", world).take_back() is not None
