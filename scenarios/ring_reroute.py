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
MOST = 50                               # milliseconds that a cut may cost


def experiment(cloud: Cloud, hadron: Hadron) -> int:
    mesh = Mesh(cloud.host(1), networkx.cycle_graph(6))
    mesh.wait_for_links(hadron)
    red = hadron.create("network", name="red")
    machines = {one.switch: one for one in mesh.plug_all(hadron, [(red, number) for number in mesh.names.values()])}
    mesh.wait_for_ports(hadron)
    mesh.wait_for_switches(hadron)
    last = []
    for one, other, costs in cut_each(mesh, hadron, machines, MOST):
        print(f"link {one} - {other}: {costs[-1].cut} ms when cut, {costs[-1].mended} frames when mended"
              + "".join(f"; before, {each.cut} ms and {each.mended}" for each in costs[:-1]), flush=True)
        last.append(costs[-1])
    worst, mended = max(cost.cut for cost in last), sum(cost.mended for cost in last)
    print(f"VERDICT: a cut costs {worst} ms at most ({MOST} wanted), links that come back {mended} frames")
    return 0 if worst < MOST and not mended else 1


def main(words: Sequence[str]) -> int:
    return run(experiment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
