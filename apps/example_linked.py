"""The part of the example cloud that links join: a ring of four switches without tunnels, a wire to the first host, and a
policy of ways there."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

SWITCHES = (11, 12, 13, 14)
HOST, WIRE = 1, 900                 # the first host's switch, and the port of its wire to the first of these
NETWORK = 1


def documents(id_of: Callable[[str, int], str], owned: Callable[..., dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, attributes) of the switches, their links, and a machine on each."""
    for switch in SWITCHES:
        yield "switch", {"id": f"{switch:016x}", "label": switch + 16}
        for other in SWITCHES:
            if abs(other - switch) in (1, 3):
                yield "link", {"id": f"{switch:016x}:{other}", "source_switch_id": f"{switch:016x}", "source_port": other,
                               "target_switch_id": f"{other:016x}", "target_port": switch, "speed": 1000}
        for port in (1, *SWITCHES):
            yield "interface", {"id": f"{switch:016x}:{port}", "switch_id": f"{switch:016x}", "name": f"s{switch}-eth{port}",
                                "ofport": port, "link_state": "up"}
        yield "port", owned("port", 1000 + switch, name=f"m{switch}", key=1000 + switch, network_id=id_of("network", NETWORK),
                            mac_address=f"fa:16:3e:00:01:{switch:02x}", admin_state_up=True, fixed_ips=[
                                {"subnet_id": id_of("subnet", 1), "ip_address": f"10.0.0.{100 + switch}"}],
                            security_groups=[id_of("security_group", 1)], port_security_enabled=True,
                            switch_port=f"{switch:016x}:1")
    ends = (f"{HOST:016x}", WIRE), (f"{SWITCHES[0]:016x}", WIRE)
    for (here, port), (there, into) in (ends, ends[::-1]):
        yield "interface", {"id": f"{here}:{port}", "switch_id": here, "name": f"wire{port}", "ofport": port,
                            "link_state": "up", **({"host_id": "host1", "wire": True} if here == ends[0][0] else {})}
        yield "link", {"id": f"{here}:{port}", "source_switch_id": here, "source_port": port, "target_switch_id": there,
                       "target_port": into, "speed": 1000}
    yield "path_policy", owned("path_policy", 1, network_id=id_of("network", NETWORK), plane=1, strict=True,
                               avoid=[f"{SWITCHES[0]:016x}"], prefer=[], waypoint=f"{SWITCHES[1]:016x}")
    yield "circuit", owned("circuit", 1, key=1, a_switch_port=f"{SWITCHES[0]:016x}:{SWITCHES[0]}",
                           z_switch_port=f"{SWITCHES[2]:016x}:{SWITCHES[2]}",
                           committed_kbps=10_000, peak_kbps=20_000)
