"""Metering labels with real packets: what crosses a router's gateway is counted, each packet once, both ways."""
from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.leading import Outside, connect
from tests.scenarios.site import wait

pytestmark = pytest.mark.root
SITE = {"statistics_interval": 1}
AWAY = "203.0.113.1"


def label(outside: Outside, **rules: dict[str, Any]) -> str:
    """The id of a label of the project red, with a rule for each direction that is named."""
    site = outside.site
    id = str(site.ask("POST", "/v2.0/metering/metering-labels", {"metering_label": {"name": "world", "project_id": "red"}})["metering_label"]["id"])
    for direction, said in rules.items():
        site.ask("POST", "/v2.0/metering/metering-label-rules", {
            "metering_label_rule": {"metering_label_id": id, "direction": direction, **said}})
    return id


def told(outside: Outside, id: str) -> tuple[int, ...]:
    said = outside.site.ask("GET", f"/v2.0/metering/metering-labels/{id}/statistics")["statistics"]
    return tuple(said[f"{way}_{unit}"] for way in ("egress", "ingress") for unit in ("packets", "bytes"))


def test_what_crosses_a_gateway_is_counted_for_its_labels_and_packets_pass(outside: Outside) -> None:
    _, (a, b) = outside.tenant("red", 1, 2)
    _, (stranger,) = outside.tenant("blue", 1)
    for machine in (a, b, stranger):
        wait(lambda vm=machine.vm: vm.ping(AWAY), f"{machine} does not reach outside", 20)
    for host in outside.site.cloud.hosts:
        if host.pid():
            host.appctl("revalidator/wait")         # what passed until now is credited to the flows that it passed by
    everything = {"remote_ip_prefix": "0.0.0.0/0"}
    whole = label(outside, egress=everything, ingress=everything)
    one = label(outside, egress={"source_ip_prefix": f"{a.ip}/32"}, ingress={"destination_ip_prefix": f"{a.ip}/32"})
    none = label(outside, egress={"remote_ip_prefix": "192.0.2.0/24"}, ingress={"remote_ip_prefix": "192.0.2.0/24"})
    for machine, count in ((a, 20), (b, 30), (stranger, 10)):
        assert machine.vm.ping(AWAY, count, interval=0.02).received == count
    for id, count in ((whole, 50), (one, 20), (none, 0)):
        wait(lambda id=id, count=count: told(outside, id) == (count, 98 * count) * 2, f"not {count} each way", 30)
    assert connect(a.vm.run, AWAY, 80)[0] == 1
    wait(lambda: told(outside, one)[0] > 20 and told(outside, one)[2] > 20, "TCP is not counted", 20)
