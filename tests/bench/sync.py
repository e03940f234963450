"""Flows into a real Open vSwitch (dummy datapath): a session of ours beside `ovs-ofctl --bundle` with the same flows."""
from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.dummy_ovs import DummyOvs
from tests.switch.desk import Desk
from tests.switch.entries import entries, flow, flows

SWITCH = "00000000000000a1"
ROUNDS = 3
SMALL = 300         # changes of two flows, one after the other


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    found = []
    for count in (1_000,) if quick else (10_000, 100_000):
        with DummyOvs() as ovs, Desk() as desk:
            ovs.add_bridge("br0", switch_id=SWITCH)
            ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address))
            found.append(measure(ovs, desk, count))
        print(f"  {found[-1]}", file=sys.stderr, flush=True)
    return found


def measure(ovs: DummyOvs, desk: Desk, count: int) -> dict[str, Any]:
    wanted = flows(count)
    gc.collect()
    gc.freeze()
    desk.know(SWITCH)
    desk.until(lambda: desk.settled(SWITCH))
    text = Path(tempfile.mkstemp(prefix="flows")[1])
    text.write_text("\n".join(ofctl_line(number) for number in range(count)))
    times: dict[str, list[float]] = {"ours": [], "ofctl": [], "read": [], "cpu": []}
    for _ in range(ROUNDS):
        cpu = time.process_time()
        times["ours"].append(took(lambda: ordered(desk, wanted)))
        times["cpu"].append(time.process_time() - cpu)
        times["read"].append(took(lambda: compared(desk)))
        ovs.ofctl("del-flows", "br0")
        times["ofctl"].append(took(lambda: ovs.ofctl("add-flows", "br0", str(text), "--bundle")))
        ordered(desk, dict.fromkeys(wanted))
    text.unlink()
    small = sorted(took(lambda number=number: ordered(desk, entries(flow(number, 2), flow(number + 1, 3))))
                   for number in range(SMALL))
    middle = {name: statistics.median(each) for name, each in times.items()}
    return {
        "flows": count, "sync_s": round(middle["ours"], 3), "ovs_ofctl_bundle_s": round(middle["ofctl"], 3),
        "sync_flows_s": round(count / middle["ours"]), "ovs_ofctl_bundle_flows_s": round(count / middle["ofctl"]),
        "sync_cpu_s": round(middle["cpu"], 3), "read_and_compare_s": round(middle["read"], 3),
        "change_of_two_flows_ms": {"p50": round(1000 * small[SMALL // 2], 2), "p99": round(1000 * small[SMALL * 99 // 100], 2)},
    }


def took(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ordered(desk: Desk, changes: Any) -> None:
    """Have the switch changed, until it has confirmed."""
    desk.order(SWITCH, changes)
    while not desk.settled(SWITCH):
        desk.handle(desk.queue.get(timeout=60))


def compared(desk: Desk) -> None:
    """Read everything and compare; there must be nothing to do."""
    reads = len(desk.differences)
    desk.switches.read(SWITCH, audit=True)
    while len(desk.differences) == reads:
        desk.handle(desk.queue.get(timeout=60))
    assert desk.differences.pop()[1] == {}


def ofctl_line(number: int) -> str:
    """The flow of this number as ovs-ofctl reads it."""
    wanted = flow(number)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return f"cookie={wanted.cookie:#x},table=0,priority={wanted.priority},ip,nw_dst={address},actions=output:1"
