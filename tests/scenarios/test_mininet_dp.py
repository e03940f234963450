"""Mininet as its users use it: their own command line against a real Hadron, and the experiments with a verdict."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios import room
from scenarios.__main__ import experiments
from scenarios.room import Room

ROOT = Path(__file__).parents[2]
MN = shutil.which("mn", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
pytestmark = [pytest.mark.root, pytest.mark.skipif(
    bool(room.fits()) or not (MN and importlib.util.find_spec("mininet")), reason="there is no Mininet, or no root")]


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A room in which a Hadron takes whatever comes into its default network."""
    log = tmp_path_factory.mktemp("mininet") / "hadron.log"
    with Room() as made:
        serving = made.start([sys.executable, "-m", "controller", "serve", "--default-network", "flat", "--store", "memory"], output=log)
        deadline = time.monotonic() + 30
        while "REST on" not in log.read_text():
            assert serving.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield made


def mn(flat: Room, *words: str) -> str:
    """What Mininet's own command says of a ping of all by all."""
    assert MN
    command = [sys.executable, MN, *words, "--switch", "ovs,datapath=user", "--controller", "remote", "--test", "pingall"]
    done = flat.run(command, timeout=150)
    return done.stdout + done.stderr


@pytest.mark.parametrize("words", [
    pytest.param(["--topo", "single,3"], marks=pytest.mark.experiment),
    ["--topo", "torus,3,3"],
    pytest.param(["--custom", "scenarios/topologies.py", "--topo", "fattree,4,2"], marks=pytest.mark.experiment)],
    ids=lambda words: words[-1])
def test_every_pair_of_mininets_hosts_pings_on_topologies_with_and_without_loops(flat: Room, words: list[str]) -> None:
    said = mn(flat, *words)
    (lost, received, all_of_them) = re.findall(r"Results: (\d+)% dropped \((\d+)/(\d+) received\)", said)[0]
    assert (lost, received) == ("0", all_of_them), said


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "scenarios", *words], cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.experiment
def test_attacks_come_to_nothing() -> None:
    status, said = run("attacks")
    assert status == 0 and "VERDICT: 11 of 11 attacks come to nothing" in said, said


@pytest.mark.experiment
def test_after_chaos_everything_is_as_it_was() -> None:
    status, said = run("chaos", "--rounds", "2", "--seed", "2")
    assert status == 0 and "VERDICT: 2 of 2 times" in said, said


def test_one_command_lists_the_experiments_and_runs_the_one_that_is_named() -> None:
    status, said = run()
    assert status == 0 and all(re.search(rf"^{name} +\w", said, re.M) for name in ("attacks", "chaos", "two_tenants_same_ip"))
    status, said = run("nonsense")
    assert status == 2 and "two_tenants_same_ip" in said
    assert set(experiments()) >= {"attacks", "chaos", "two_tenants_same_ip"}
