"""A ring of six switches, one of whose links is cut and mended under a stream of a thousand frames a second.

    python -m scenarios.ring_reroute
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import networkx

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Mesh, Stream

ABOUT = "a link of a ring is cut and mended under 1 000 frames a second: what that costs"


CUTS, MOST = 3, 50


def experiment(cloud: Cloud, hadron: Hadron) -> int:
    mesh = Mesh(cloud.host(1), networkx.cycle_graph(6))
    mesh.wait_for_links(hadron)
    red = hadron.create("network", name="red")
    one, other = mesh.plug_all(hadron, [(red, 1), (red, 2)])
    mesh.wait_for_ports(hadron)
    one.send(other.mac, b"\xff" * 8)
    other.wait(1)
    stream = Stream(one, other)
    stream.start()
    mended = [0]
    for number in range(1, CUTS + 1):
        stream.wait(stream.sent + 300)
        print(f"cut {number}, after {stream.sent} frames", flush=True)
        mesh.cut(1, 2)
        mesh.wait_for_links(hadron, missing=1)
        stream.wait(stream.sent + 300)
        mended.append(stream.sent)
        mesh.mend(1, 2)
        mesh.wait_for_links(hadron)
        stream.wait(stream.sent + 700)
    lost = stream.end()
    costs = [sum(before <= one < after for one in lost) for before, after in itertools.pairwise(mended)]
    print(f"lost by each cut: {costs} ms; after the last mending: {len(lost) - sum(costs)}")
    middle = sorted(costs)[CUTS // 2]
    print(f"VERDICT: a cut costs {middle} ms (at most {MOST} wanted), of {stream.sent} frames {len(lost)} were lost")
    return 0 if middle < MOST and len(lost) == sum(costs) else 1


def main(words: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=1) as cloud, Hadron(
            Path(directory), address=cloud.controller_address, adopt=["all"]) as hadron:
        return experiment(cloud, hadron)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
