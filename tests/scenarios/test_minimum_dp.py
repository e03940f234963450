"""Minimums with real packets: beside a machine that floods the interface by which both leave their host, a port has what its
policy promises.

Open vSwitch's userspace datapath does not heed the queue that a flow chooses. What the kernel's makes of it, a filter of the
device does here: frames of the machine's MAC go into the class of the queue that the switch says it has chosen for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from scenarios.queueing import give_queues, mix_up, put_into
from tests.scenarios.measure import flood, lost, meet
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
NIC, PROMISED = 5, 2                    # Mbit/s
SOURCE = {"outside": 8, "tunnel": 58}   # where the last four octets of the machine's MAC are in a frame that leaves


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two hosts; host 1 sends 5 Mbit/s to either side."""
    with Site(hosts=2, external=True, settings={"link_speed_limit": NIC}) as made:
        made.wait_uplinks(2)
        for device in ("eth1", "eth2"):
            give_queues(made.cloud.host(1), device)
        yield made


def policy(site: Site, **rule: Any) -> str:
    made = site.ask("POST", "/v2.0/qos/policies", {"policy": {"name": "gold"}})["policy"]["id"]
    site.ask("POST", f"/v2.0/qos/policies/{made}/minimum_bandwidth_rules", {"minimum_bandwidth_rule": rule})
    return str(made)


@pytest.mark.parametrize(("way", "kind"), [("tunnel", "vxlan"), ("outside", "flat")])
def test_a_port_has_what_is_promised_beside_one_that_floods_and_without_its_queue_it_has_not(site: Site, way: str, kind: str) -> None:
    host, device = site.cloud.host(1), "eth1" if way == "tunnel" else "eth2"
    provider = {"provider:physical_network": "physnet1"} if kind == "flat" else {}
    network = site.network(way, kind=kind, port_security_enabled=False, **provider)
    near, loud = site.machines(*(Wish(f"{way}{number}", network, 1, 10 + number) for number in (1, 2)))
    far, deaf = site.machines(*(Wish(f"{way}{number}", network, 2, 10 + number) for number in (3, 4)))
    site.update(near, qos_policy_id=policy(site, min_kbps=PROMISED * 1000))
    number = wait(lambda: next(iter(promised(site, device)), None), "there is no queue for the port")
    assert promised(site, device) == {number: f"prio 7 rate {PROMISED}Mbit ceil {NIC}Mbit"}
    assert number in chosen(site, near)
    put_into(host, device, near.mac, SOURCE[way], number)
    meet(near, far)
    with flood(loud, deaf):
        drowned, sent = lost(near, far, PROMISED)
        mix_up(host, device)
        without, sent_without = lost(near, far, PROMISED)
    print(f"{way}: {drowned} of {sent} frames lost with a queue, {without} of {sent_without} without")
    assert drowned <= 0.1 * sent
    assert without > 0.1 * sent_without, "the interface was not full: this has shown nothing"
    site.update(near, qos_policy_id=None)
    wait(lambda: not promised(site, device), "the queue outlives the promise")


def promised(site: Site, device: str) -> dict[int, str]:
    """{number of a queue: rates} of the classes of a device that are some port's."""
    said = site.cloud.host(1).run(["tc", "class", "show", "dev", device]).stdout
    found = {int(number, 16) - 1: text for number, text in re.findall(r"class htb 1:(\w+) parent 1:fffe (.*?) burst", said)}
    return {number: text for number, text in found.items() if number}


def chosen(site: Site, machine: Machine) -> set[int]:
    """The queues that the switch says it puts a broadcast of the machine's into."""
    number = site.cloud.host(1).vsctl("get", "Interface", machine.vm.plug.device, "ofport")
    said = site.cloud.host(1).appctl("ofproto/trace", "br-int", f"in_port={number},dl_src={machine.mac},dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x88b5")
    return {int(one, 16) for one in re.findall(r"skb_priority\((0x[0-9a-f]+)\)", said)}
