"""Three switches in a row, with wires of 20 Mbit/s: a circuit with 8 of them committed beside a network that sends 40.

    python -m scenarios circuits
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import networkx

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Mesh
from scenarios.meshed import run, upheld

ABOUT = "a circuit keeps its committed rate beside a network that fills the wires"
WIRE, COMMITTED = 20, 8                 # Mbit/s


def experiment(cloud: Cloud, hadron: Hadron) -> int:
    mesh = Mesh(cloud.host(1), networkx.path_graph(3))
    mesh.shape(WIRE)
    mesh.wait_for_links(hadron)
    red = hadron.create("network", name="red")
    loud, deaf = mesh.plug_all(hadron, [(red, 1), (red, 3)])
    one, other, third, fourth = (mesh.stand(switch) for switch in (1, 3, 1, 3))
    made = hadron.create("circuit", committed_kbps=COMMITTED * 1000, a_switch_port=one.place, z_switch_port=other.place)
    mesh.wait_for_ports(hadron)
    one.send_until_heard(other, b"first")
    print(f"circuit over {', '.join(made['path'])}: {made['status']}", flush=True)
    good, said = upheld(one, other, loud, deaf)
    status, answer = hadron.request("POST", "/v2.0/circuits", {"circuit": {
        "committed_kbps": 12_000, "a_switch_port": third.place, "z_switch_port": fourth.place}})
    print(f"a second one of 12 Mbit/s: {status} {answer.get('NeutronError', {}).get('message', '')}")
    print(f"VERDICT: {said}; what does not fit was {'refused' if status == 409 else 'taken'}")
    return 0 if good and status == 409 else 1


def main(words: Sequence[str]) -> int:
    return run(experiment, link_speed_limit=WIRE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
