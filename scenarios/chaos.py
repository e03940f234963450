"""Chaos: wires break, switches lose their controller, Hadron is killed; afterwards everybody hears everybody again.

    python -m scenarios chaos [--rounds 12] [--seed 1]

Two tenants on a fat tree (with two pods) of which every part has a second way around it. In each round something breaks at
random while machines talk; once it is mended, all links are seen, all ports are active, all pairs of a tenant reach each
other, none across tenants does, and a second compilation of everything finds nothing to change.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from scenarios import room

ABOUT = "wires break, switches lose their controller, Hadron is killed: afterwards everybody hears everybody, and nobody else"


def cut_wires(wired: Any, chance: random.Random) -> str:
    """One to three wires are down for a moment."""
    wires = chance.sample(wired.wires, chance.randint(1, 3))
    for state in ("down", "up"):
        for wire in wires:
            for end in (wire.intf1, wire.intf2):
                end.ifconfig(state)
        time.sleep(chance.random())
    return f"{len(wires)} wires"


def lose_controller(wired: Any, chance: random.Random) -> str:
    """Some switches cannot reach Hadron for a moment."""
    names = [switch.name for switch in chance.sample(wired.net.switches, 3)]
    for port in (1, 6653):                                      # nobody listens at the first
        for name in names:
            subprocess.run(["ovs-vsctl", "set-controller", name, f"tcp:127.0.0.1:{port}"], check=True)
        time.sleep(chance.random())
    return f"the controller of {', '.join(names)}"


def kill_hadron(wired: Any, chance: random.Random) -> str:
    """It crashes, a wire breaks while it is away, and it starts again."""
    wired.hadron.kill()
    told = cut_wires(wired, chance)
    wired.hadron.start()
    return f"Hadron, and {told} while it was away"


def lose_flows(wired: Any, chance: random.Random) -> str:
    """Somebody deletes all flows of a switch; an audit puts them back."""
    name = chance.choice(wired.net.switches).name
    subprocess.run(["ovs-ofctl", "-OOpenFlow14", "del-flows", name], check=True)
    status, answer = wired.hadron.request("POST", "/inspect/audit")
    assert status == 200, answer
    return f"the flows of {name}"


HARM = (kill_hadron, cut_wires, lose_controller, lose_flows, cut_wires)


def mended(wired: Any) -> str:
    """What is still wrong once everything is there again; empty if nothing is."""
    wired.until(lambda: len(wired.links()) == 2 * len(wired.wires), "all links are seen")
    wired.until(wired.active, "all ports are active")
    if lost := wired.lost_pairs():
        return f"{len(lost)} pairs do not hear each other: {lost[:3]}"
    if crossed := wired.crossed():
        return f"{crossed} hears another tenant"
    status, answer = wired.hadron.request("POST", "/inspect/audit?recompute=true")
    differ = answer.get("recompute", {}).get("differ")
    return "" if status == 200 and not differ else f"{differ} entries are not what a compilation from nothing says"


def experiment(rounds: int, seed: int) -> int:
    from scenarios.topologies import FatTree
    from scenarios.wired import Wired
    chance, wrong = random.Random(seed), 0
    topo = FatTree(ports=4, pods=2)
    tenants = {name: ("red", "blue")[number % 2] for number, name in enumerate(sorted(topo.hosts()))}
    with Wired(topo, tenants=tenants) as wired:
        for number in range(rounds):
            told = HARM[number % len(HARM)](wired, chance)
            began = time.monotonic()
            text = mended(wired)
            wrong += bool(text)
            print(f"{'WRONG' if text else 'mended'} after {time.monotonic() - began:.1f} s: {told}{'; ' + text if text else ''}", flush=True)
    print(f"VERDICT: {rounds - wrong} of {rounds} times everything is as it should be again")
    return 1 if wrong else 0


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often something breaks")
    parser.add_argument("--seed", type=int, default=1, help="of chance")
    choice = parser.parse_args(words)
    return room.experiment("chaos", words, lambda: experiment(choice.rounds, choice.seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
