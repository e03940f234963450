"""Many ports on real hosts: made over REST in bulk, plugged in as interfaces without a device in the kernel."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.host import Host

AT_ONCE = 200       # interfaces in one transaction with a database
PATIENCE = 300.0
NORMAL = "br-normal"


def until(condition: Callable[[], Any], *, pause: float = 0.02, seconds: float = PATIENCE) -> Any:
    """What the condition gives, once it is true. TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(pause)
    return found


def make_network(hadron: Hadron) -> str:
    """A dual-stack network with room for 65 000 ports."""
    network = str(hadron.create("network", name="bench")["id"])
    hadron.create("subnet", network_id=network, ip_version=4, cidr="10.0.0.0/16")
    hadron.create("subnet", network_id=network, ip_version=6, cidr="fd00::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    return network


def create_ports(hadron: Hadron, network: str, count: int, **more: Any) -> list[dict[str, Any]]:
    """So many ports, in requests of a hundred."""
    made: list[dict[str, Any]] = []
    while len(made) < count:
        body = {"ports": [{"network_id": network, **more}] * min(100, count - len(made))}
        status, answer = hadron.request("POST", "/v2.0/ports", body)
        if status != 201:
            raise RuntimeError(f"{status} {answer}")
        made += answer["ports"]
    return made


def plug_dummies(host: Host, ports: Iterable[dict[str, Any]]) -> None:
    """Plug ports into a host, in a few transactions."""
    ports = list(ports)
    for start in range(0, len(ports), AT_ONCE):
        words: list[str] = []
        for port in ports[start:start + AT_ONCE]:
            name = f"d{port['id'][:13].replace('-', '')}"
            words += ["--", "add-port", "br-int", name, "--", "set", "Interface", name, "type=dummy",
                      f"external_ids:iface-id={port['id']}", f'external_ids:attached-mac="{port["mac_address"]}"']
        host.vsctl(*words[1:], timeout=120)


def plug_everywhere(cloud: Cloud, ports: list[dict[str, Any]]) -> None:
    """Plug ports in, evenly over the hosts, all hosts at once."""
    with ThreadPoolExecutor(len(cloud.hosts)) as pool:
        list(pool.map(lambda each: plug_dummies(each[1], ports[each[0]::len(cloud.hosts)]), enumerate(cloud.hosts)))


def wait_active(hadron: Hadron, count: int) -> None:
    """Until so many ports are ACTIVE, and every switch has confirmed all it was told."""
    def active() -> bool:
        _, answer = hadron.request("GET", "/v2.0/ports?status=ACTIVE&fields=id")
        return len(answer["ports"]) >= count

    until(lambda: in_step(hadron) and active())         # in this order: the second question is a long list


def switches(hadron: Hadron) -> list[dict[str, Any]]:
    """What Hadron says of the switches."""
    return list(hadron.request("GET", "/inspect/switches")[1]["switches"])


def in_step(hadron: Hadron) -> list[dict[str, Any]]:
    """The switches, if there are some and all hold what they should; else none."""
    found = switches(hadron)
    return found if all(one["state"] == "in step" for one in found) else []
