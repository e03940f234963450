"""What people run: the demo and the Mininet experiment, from their own command lines to their exit status."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import leftovers, matrix
from scenarios.vm import VM, Plug
from tests.scenarios.site import wait

pytestmark = pytest.mark.root
ROOT = Path(__file__).parents[2]
mininet = pytest.mark.skipif(not (importlib.util.find_spec("mininet") and shutil.which("mnexec")), reason="there is no Mininet")


# As many machines have it: nothing may be executed in /run, and the way out is a proxy.
NOTHING_RUNS_IN_RUN = ["unshare", "-m", "sh", "-c", """
mount --rbind /run /run && mount -o remount,bind,nosuid,nodev,noexec /run && exec "$@" """, "sh"]


def run(module: str, *words: str) -> tuple[int, str]:
    proxy = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    done = subprocess.run([*NOTHING_RUNS_IN_RUN, sys.executable, "-m", f"scenarios.{module}", *words], cwd=ROOT, capture_output=True,
                          text=True, timeout=120, env=os.environ | proxy)
    return done.returncode, done.stdout + done.stderr


def drawn(text: str) -> dict[tuple[str, str], str]:
    """What a printed matrix says of each pair."""
    lines = [line.split() for line in text.splitlines()]
    at = next(number for number, words in enumerate(lines) if len(words) > 4 and all(re.fullmatch(r"[a-z]+\d", word) for word in words))
    names = lines[at]
    return {(words[0], name): sign for words in lines[at + 1:at + 1 + len(names)] for name, sign in zip(names, words[1:], strict=True)}


def test_the_demo_measures_what_it_expects_and_says_where_to_look_next() -> None:
    status, text = run("demo", "--once")
    assert status == 0 and "measured = expected" in text, text
    said = drawn(text)
    assert len(said) == 64 and said["red1", "red4"] == "+" and said["red1", "blue1"] == "."
    assert all(sign == ("-" if a == b else "+" if a[:-1] == b[:-1] else ".") for (a, b), sign in said.items())
    for word in ("hadron flows --port red1", "hadron why", "hadron pipeline", "hadron-cloud exec"):
        assert word in text
    assert f"export PATH={Path(sys.executable).parent}:$PATH" in text
    assert len(set(re.findall(r"fd00:10::f816:3eff:fe[\da-f:]+", text))) == 8
    # The same addresses, on the same hosts.
    places = {name: (host, ip) for name, host, ip in re.findall(r"^  (\w+\d) +(host\d) +([\d.]+)", text, re.M)}
    assert len(places) == 8 and all(places[name] == places[name.replace("red", "blue")] for name in places if "red" in name)


def test_the_demo_leaves_nothing_behind_when_it_is_told_to_end() -> None:
    with subprocess.Popen([sys.executable, "-u", "-m", "scenarios.demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as going:
        try:
            assert going.stdout
            heard = ""
            for line in going.stdout:
                heard += line
                if "Up until Ctrl-C" in line:
                    break
            prefix = re.findall(r"--prefix (\w+)", heard)[0]
            assert leftovers.namespaces(prefix)
            going.send_signal(signal.SIGINT)
            assert going.wait(20) == 0
        finally:
            going.terminate()
    wait(lambda: not leftovers.namespaces(prefix) and not (leftovers.RUN_DIRECTORY / prefix).exists(), "something is left", 10)


@mininet
@pytest.mark.parametrize("kind", ["vxlan", "gre"])
def test_the_mininet_experiment_finds_two_tenants_isolated(kind: str) -> None:
    status, text = run("two_tenants_same_ip", "--kind", kind)
    assert status == 0 and "VERDICT: isolated" in text, text
    assert "!" not in drawn(text).values()


@mininet
def test_without_hadron_the_same_experiment_finds_them_not_isolated() -> None:
    status, text = run("two_tenants_same_ip", "--plain")
    assert status == 1 and "VERDICT: NOT ISOLATED" in text, text
    assert drawn(text)["red1", "blue1"] == "!"


@mininet
def test_a_killed_experiment_leaves_nothing_behind() -> None:
    before = set(leftovers.RUN_DIRECTORY.glob("mn*"))
    going = subprocess.Popen([sys.executable, "-m", "scenarios.two_tenants_same_ip"], cwd=ROOT, stdout=subprocess.DEVNULL)
    made = wait(lambda: {path for path in leftovers.RUN_DIRECTORY.glob("mn*") if leftovers.namespaces(path.name)} - before, "nothing is made")
    prefix = made.pop().name
    going.kill()
    going.wait()
    wait(lambda: not leftovers.namespaces(prefix) and not (leftovers.RUN_DIRECTORY / prefix).exists(), "something is left", 20)


def test_a_drawn_matrix_points_at_what_is_wrong() -> None:
    vms = [VM("x", Plug(1, name, "", ""), None, Path()) for name in ("red1", "red2", "blue1")]          # type: ignore[arg-type]
    expected = {(a.name, b.name): a.name[:3] == b.name[:3] for a in vms for b in vms if a is not b}
    measured = expected | {("red1", "red2"): False, ("blue1", "red2"): True}
    assert [line.split() for line in matrix.draw(vms, measured, expected).splitlines()] == [
        ["red1", "red2", "blue1"], ["red1", "-", "!", "."], ["red2", "+", "-", "."], ["blue1", ".", "!", "-"]]
