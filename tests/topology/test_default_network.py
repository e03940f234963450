"""The default network: what is plugged in and claimed by nobody, and who is where on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.fake_peer import FakeSwitch
from tests.rest.fabric import Fabric, fabric
from tests.topology.plain import dpid, profile
from tests.topology.test_discovery import Site

NAME = "flat"


@pytest.fixture
def site() -> Iterator[Site]:
    with fabric(default_network=NAME) as net:
        yield Site(net)


def edges(net: Fabric) -> dict[str, dict[str, Any]]:
    """Ports of the default network, by the switch port that they are at."""
    (network,) = net.as_ops.get(f"/v2.0/networks?name={NAME}")["networks"]
    found = net.as_ops.get(f"/v2.0/ports?network_id={network['id']}")["ports"]
    return {one["binding:profile"]["local_link_information"][0]["switch_id"][-1] + ":"
            + one["binding:profile"]["local_link_information"][0]["port_id"]: one for one in found}


def settle(site: Site, *switches: FakeSwitch) -> None:
    site.net.until(site.net.settled)


def test_ports_with_nobody_but_a_machine_are_in_the_default_network_and_links_are_not(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    site.wires.join(a, 9, b, 9)
    a.port(1), a.port(2, up=False), b.port(1)
    site.net.until(lambda: set(edges(site.net)) == {"1:1", "2:1"})
    assert {one["status"] for one in edges(site.net).values()} <= {"BUILD", "ACTIVE"}
    site.net.until(lambda: {one["status"] for one in edges(site.net).values()} == {"ACTIVE"})
    a.port(2)
    site.net.until(lambda: set(edges(site.net)) == {"1:1", "1:2", "2:1"})
    a.port(1, up=False)
    site.net.until(lambda: set(edges(site.net)) == {"1:2", "2:1"})
    site.wires.join(a, 2, b, 1)                                     # machines give way to a wire
    site.net.until(lambda: not edges(site.net))


def test_a_tenant_may_claim_a_port_and_give_it_back(site: Site) -> None:
    a = site.switch(1)
    a.port(1)
    site.net.until(lambda: set(edges(site.net)) == {"1:1"})
    red = site.net.as_ops.create("network", name="red")
    port = site.net.as_ops.create("port", network_id=red["id"], binding__profile=profile(1, "eth1"))
    site.net.until(lambda: not edges(site.net))
    assert site.net.as_ops.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
    site.net.until(lambda: set(edges(site.net)) == {"1:1"})


def test_the_default_network_goes_with_the_operators_wish(tmp_path: Any) -> None:
    store = str(tmp_path / "hadron.db")
    with fabric(default_network=NAME, store=store) as net:
        net.fakes.add(dpid(1)).port(1)
        net.until(lambda: edges(net))
        before = edges(net)
    with fabric(default_network=NAME, store=store) as net:
        assert {name: one["id"] for name, one in edges(net).items()} == {name: one["id"] for name, one in before.items()}
    with fabric(adopt=["all"], store=store) as net:
        net.until(lambda: not edges(net))
