"""A ring of six switches, each of whose links is cut and mended under a stream of a thousand frames a second.

    python -m scenarios ring_reroute
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import networkx

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Mesh
from scenarios.meshed import cut_each, run

ABOUT = "each link of a ring is cut and mended under 1 000 frames a second: what that costs"
MOST = 50                               # milliseconds that the middle one of the cuts may cost


def experiment(cloud: Cloud, hadron: Hadron) -> int:
    mesh = Mesh(cloud.host(1), networkx.cycle_graph(6))
    mesh.wait_for_links(hadron)
    red = hadron.create("network", name="red")
    machines = {one.switch: one for one in mesh.plug_all(hadron, [(red, number) for number in mesh.names.values()])}
    mesh.wait_for_ports(hadron)
    mesh.wait_for_switches(hadron)
    costs = []
    for one, other, cost in cut_each(mesh, hadron, machines):
        print(f"link {one} - {other}: {cost.cut} ms when cut, {cost.mended} when mended", flush=True)
        costs.append(cost)
    middle, mended = sorted(cost.cut for cost in costs)[len(costs) // 2], sum(cost.mended for cost in costs)
    print(f"VERDICT: a cut costs {middle} ms (at most {MOST} wanted), a link that comes back {mended}")
    return 0 if middle < MOST and not mended else 1


def main(words: Sequence[str]) -> int:
    return run(experiment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
