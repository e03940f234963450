"""A fat tree of twenty switches: connections between two pods are spread over its four cores, and each keeps to one.

    python -m scenarios fat_tree_ecmp
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Mesh, fat_tree
from scenarios.meshed import paths_taken, run

ABOUT = "a thousand connections between two pods of a fat tree are spread over its cores"
CONNECTIONS, CORES, OFF = 1000, 4, 0.25


def experiment(cloud: Cloud, hadron: Hadron) -> int:
    mesh = Mesh(cloud.host(1), fat_tree())
    mesh.wait_for_links(hadron)
    red = hadron.create("network", name="red", port_security_enabled=False)
    one, other = mesh.plug_all(hadron, [(red, mesh.names["edge 0 0"]), (red, mesh.names["edge 3 1"])])
    mesh.wait_for_ports(hadron)
    taken = paths_taken(mesh, one, other, CONNECTIONS)
    share = Counter(core for found in taken.values() for core in found)
    apart = sum(len(found) > 1 for found in taken.values())
    for core, count in sorted(share.items()):
        print(f"{core}: {count} connections {'#' * (count // 5)}")
    even = len(share) == CORES and all(abs(count - CONNECTIONS / CORES) <= OFF * CONNECTIONS / CORES for count in share.values())
    print(f"VERDICT: {len(taken)} connections over {len(share)} cores, {'evenly' if even else 'NOT evenly'}; {apart} came back by "
          "another core")
    return 0 if even and not apart and len(taken) == CONNECTIONS else 1


def main(words: Sequence[str]) -> int:
    return run(experiment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
