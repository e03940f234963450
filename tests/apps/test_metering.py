"""Metering: what crosses a router's gateway is counted for labels, once for each, and nothing else is."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from controller.openflow.decode import read_match
from tests.kit import frames
from tests.kit.leading import Leading
from tests.kit.net import Net
from tests.kit.worlds import ADMIN


@pytest.fixture
def cloud(net: Net) -> Leading:
    return Leading(net)


def label(net: Net, *rules: dict[str, Any], **said: Any) -> str:
    """The id of a label with these rules."""
    ((id, *_),) = net.writer.create(ADMIN, "metering_label", [{"shared": True, **said}])
    if rules:
        net.writer.create(ADMIN, "metering_label_rule", [{"metering_label_id": id, **rule} for rule in rules])
    net.settle()
    return str(id)


def counted(net: Net, journey: Any) -> Counter[tuple[str, str]]:
    """(label, direction) of each flow that counts for a label and that the packet passed."""
    held = {(entry.key[1], read_match(entry.match)["metadata"][0]): entry.counts for bridge in net.bridges.values()
            for entry in bridge.held.values() if getattr(entry, "counts", None) and entry.counts.kind == "metering_label"}
    passed = re.findall(r"metering\(\d+\): priority (\d+), .*metadata=(0x[0-9a-f]+)", str(journey))
    found = [held.get((int(priority), int(number, 16))) for priority, number in passed]
    return Counter((of.id, of.what) for of in found if of)


def back(cloud: Leading) -> bytes:
    """The answer to `cloud.out`."""
    return frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, cloud.gateway.ip, 80, 40000, flags=0x12)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_both_ways_are_counted_and_the_packets_pass_as_ever(net: Net, cloud: Leading, host: str) -> None:
    a = net.port("a", on=host, network=cloud.inside)
    whole = label(net, {"direction": "egress", "remote_ip_prefix": "0.0.0.0/0"}, {"direction": "ingress", "remote_ip_prefix": "0.0.0.0/0"})
    assert counted(net, net.send(cloud.out(a)).reaches(cloud.away)) == {(whole, "egress"): 1}
    assert counted(net, net.send(cloud.away, back(cloud)).reaches(a)) == {(whole, "ingress"): 1}


def test_every_label_counts_by_itself_and_rules_name_addresses_within_and_outside(net: Net, cloud: Leading) -> None:
    a = net.port("a", on="host1", network=cloud.inside)
    out, into = {"direction": "egress"}, {"direction": "ingress"}
    whole = label(net, {**out, "remote_ip_prefix": "0.0.0.0/0"})
    near = label(net, {**out, "remote_ip_prefix": f"{cloud.away.ip}/32"}, {**into, "destination_ip_prefix": f"{a.ip}/32"})
    label(net, {**out, "remote_ip_prefix": "192.0.2.0/24"}, {**into, "source_ip_prefix": "192.0.2.0/24"})
    label(net, {**out, "remote_ip_prefix": "0.0.0.0/0"}, {**out, "remote_ip_prefix": f"{cloud.away.ip}/32", "excluded": True})
    label(net, {**out, "source_ip_prefix": f"{a.ip}/32"}, shared=False, project_id="somebody else")
    assert counted(net, net.send(cloud.out(a)).reaches(cloud.away)) == {(whole, "egress"): 1, (near, "egress"): 1}
    assert counted(net, net.send(cloud.away, back(cloud)).reaches(a)) == {(near, "ingress"): 1}


def test_a_label_that_goes_leaves_nothing(net: Net, cloud: Leading) -> None:
    net.port("a", on="host1", network=cloud.inside)
    before = {switch: set(bridge.held) for switch, bridge in net.bridges.items()}
    one = label(net, {"direction": "egress", "remote_ip_prefix": "0.0.0.0/0"})
    assert {switch: set(bridge.held) for switch, bridge in net.bridges.items()} != before
    net.writer.delete(ADMIN, "metering_label", one)
    net.settle()
    assert {switch: set(bridge.held) for switch, bridge in net.bridges.items()} == before
