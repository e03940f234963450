"""What the doctor finds, one fault at a time, on rows alone."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rest.inspect_doctor import Fabric, Finding, examine, version
from tests.kit.tenant import Tenant

HOME = "00000000000000a1"
PORT = "3fa2c1d0-0000-4000-8000-000000000001"


class Clinic(Tenant):
    """Two healthy hosts, the first of which has a port of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = {}
        for host, switch in (("one", HOME), ("two", "00000000000000b2")):
            self.put("host", host, hostname=host, tunnel_ip=f"192.0.2.{len(self.standing) + 1}", ovs_version="3.3.0")
            self.put("switch", switch, host_id=host, bridge="br-int")
            self.standing[switch] = SimpleNamespace(in_step=True)
        self.put("network", "net", mtu=1450, admin_state_up=True)
        self.put("port", PORT, name="web", network_id="net", mac_address="fa:16:3e:00:00:01", admin_state_up=True,
                 binding_host_id="one", port_security_enabled=True)
        self.put("interface", "one/tap", host_id="one", switch_id=HOME, name="tap", port_id=PORT, ofport=3, mtu=1450,
                 mac_address="fa:16:3e:00:00:01")
        self.homes: dict[str, str | None] = {PORT: HOME}
        self.sessions: dict[str, dict] = {}
        self.peers: list[Any] | None = [SimpleNamespace(host_id=host, address=host, problems=()) for host in ("one", "two")]

    def findings(self, **more: Any) -> list[Finding]:
        return examine(Fabric(self.model, self.standing, self.homes.get, self.sessions, self.peers), **more)


def test_a_healthy_fabric_has_no_finding() -> None:
    assert Clinic().findings() == []


FAULTS = {
    "bad: host one: has no tunnel address": lambda it: it.put("host", "one", tunnel_ip=None),
    "bad: hosts one, two: have the same tunnel_ip": lambda it: it.put("host", "one", tunnel_ip="192.0.2.2"),
    "bad: hosts one, two: have the same hostname": lambda it: it.put("host", "two", hostname="one"),
    "bad: hosts: some have an IPv4 and some an IPv6": lambda it: it.put("host", "two", tunnel_ip="2001:db8::2"),
    "note: host one: Open vSwitch 3.1.0 drops connections": lambda it: it.put("host", "one", ovs_version="3.1.0"),
    "bad: host two: Open vSwitch 2.5.9 has no neighbour": lambda it: it.put("host", "two", ovs_version="2.5.9"),
    f"bad: switch {HOME} (one): is known but not connected": lambda it: it.standing.pop(HOME),
    f"bad: switch {HOME} (one): is connected but not in step": lambda it: setattr(it.standing[HOME], "in_step", False),
    f"bad: switch {HOME} (one): another controller is its master": lambda it: it.sessions.update({HOME: {"role": "slave"}}),
    "note: switch 00000000000000ee: is connected but unknown": lambda it: it.standing.update({"00000000000000ee": None}),
    "bad: host three: has no integration bridge": lambda it: (
        it.put("host", "three", hostname="three", tunnel_ip="192.0.2.9", ovs_version="3.3.0"),
        it.peers.append(SimpleNamespace(host_id="three", address="", problems=()))),
    "bad: interface tap on one: Open vSwitch says: no such device": lambda it: it.put("interface", "one/tap", error="no such device"),
    "bad: interface tap on one: has MAC fa:16:3e:00:00:02, its port": lambda it: it.put(
        "interface", "one/tap", mac_address="fa:16:3e:00:00:02"),
    "note: hosts one, two: show one certificate, of ann": lambda it: [
        it.put("certificate", f"host:{name}", name="ann") for name in ("one", "two")],
    "note: interface tap on one: carries 1400 bytes, its network 1450": lambda it: it.put("interface", "one/tap", mtu=1400),
    "note: interface tap on one: names the port": lambda it: it.model.remove("port", PORT),
    "bad: interface tap on one: names port web, which is reached through the parent of trunk t": lambda it: it.put(
        "trunk", "t", port_id="other", sub_ports=[{"port_id": PORT, "segmentation_type": "vlan", "segmentation_id": 5}]),
    "bad: port web: is bound to two, but plugged in on one": lambda it: (
        it.put("port", PORT, binding_host_id="two"), it.homes.clear()),
    "bad: port web: is plugged in more than once: tap on one is taken, not tap2 on one": lambda it: it.put(
        "interface", "one/tap2", host_id="one", switch_id=HOME, name="tap2", port_id=PORT, ofport=4, mtu=1450),
    "bad: port web: is plugged in more than once: tap on one is taken, not tap on two": lambda it: (
        it.put("port", PORT, binding_host_id=""), it.put("interface", "two/tap", host_id="two", switch_id="00000000000000b2",
                                                          name="tap", port_id=PORT, ofport=4, mtu=1450)),
    "note: ports: 1 bound to a host without an interface there: web": lambda it: (
        it.model.remove("interface", "one/tap"), it.homes.clear()),
    "bad: host one: has ports of network net, and no uplink to physnet1": lambda it: it.put(
        "network", "net", provider_network_type="flat", provider_physical_network="physnet1"),
    "note: host one: has ports with a minimum, and no queues at the interface by which its tunnels leave": lambda it: promise(it, None),
    "note: host one: promises 8000 kbit/s, and eth1 has 8000: each port gets a part": lambda it: promise(it, "eth1"),
    "bad: host one: its database is not connected": lambda it: it.peers.pop(0),
    "bad: host two: hadron-ip is nonsense": lambda it: setattr(it.peers[1], "problems", ("hadron-ip is nonsense",)),
}


def promise(clinic: Clinic, interface: str | None) -> None:
    """The port has a minimum of all that its host sends."""
    clinic.put("host", "one", queues=interface, speed=8)
    clinic.put("minimum_bandwidth_rule", "rule", qos_policy_id="gold", min_kbps=8000, direction="egress")
    clinic.put("port", PORT, qos_policy_id="gold", key=1)


def test_a_host_that_reaches_the_physical_network_is_healthy() -> None:
    clinic = Clinic()
    clinic.put("network", "net", provider_network_type="flat", provider_physical_network="physnet1")
    clinic.put("uplink", "one/physnet1", host_id="one", switch_id=HOME, physical_network="physnet1", ofport=65100)
    assert clinic.findings() == []


def test_a_host_that_reaches_one_of_a_networks_segments_is_healthy() -> None:
    clinic = Clinic()
    clinic.put("network", "net", provider_network_type="flat", provider_physical_network="physnet1")
    for wire in ("physnet1", "physnet2"):
        clinic.put("segment", f"on {wire}", network_id="net", network_type="flat", physical_network=wire)
    clinic.put("uplink", "one/physnet2", host_id="one", switch_id=HOME, physical_network="physnet2", ofport=65100)
    assert clinic.findings() == []


@pytest.mark.parametrize("said", FAULTS)
def test_a_fault_is_found_and_alone(said: str) -> None:
    clinic = Clinic()
    FAULTS[said](clinic)
    [found] = clinic.findings()
    assert f"{found.severity}: {found.about}: {found.text}".startswith(said)


def test_refused_entries_and_failed_rules_come_first_and_the_same_of_many_hosts_is_said_once() -> None:
    clinic = Clinic()
    for host in ("one", "two"):
        clinic.put("host", host, ovs_version="3.1.0")
    refused = {"called": "port web", "switch": HOME, "host": "one", "said": "no", "text": "table=x"}
    found = clinic.findings(refused=[refused], broken=["KeyError: 'x'"])
    assert [one.severity for one in found] == ["bad", "bad", "note"] and found[2].about == "host one, host two"
    assert (found[0].about, found[0].remedy) == ("port web", "hadron why 'table=x'")


@pytest.mark.parametrize("text,numbers", [("3.1.0", (3, 1, 0)), ("2.17.9-1ubuntu", (2, 17, 9)), ("3", (3,)), ("", ()), (None, ()),
                                          ("unknown", ())])
def test_versions_are_read_as_far_as_they_are_numbers(text: str | None, numbers: tuple) -> None:
    assert version(text) == numbers
