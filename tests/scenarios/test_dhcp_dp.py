"""DHCP with real clients: what a lease says, renewal and refusal."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.kit import dhcp, frames
from tests.kit.dhcp import ACK, DISCOVER, INFORM, NAK, OFFER, REQUEST
from tests.scenarios.far_gateway import BEYOND, GATEWAY, behind_far_gateway
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
CLIENTS = ["udhcpc", pytest.param("dhclient", marks=pytest.mark.skipif(not shutil.which("dhclient"), reason="is not there"))]
SUBNET = {"cidr": "10.0.0.0/24", "ip_version": 4, "gateway_ip": "10.0.0.254", "dns_nameservers": ["10.9.9.1", "10.9.9.2"],
          "host_routes": [{"destination": "10.77.0.0/16", "nexthop": "10.0.0.8"}]}
OPTIONS = [{"opt_name": "domain-name", "opt_value": "tenant.example"}, {"opt_name": "lease-time", "opt_value": "7200"},
           {"opt_name": "tftp-server", "opt_value": "boot.example"}, {"opt_name": "bootfile-name", "opt_value": "pxe.0"},
           {"opt_name": "42", "opt_value": "10.9.9.3"}]


@pytest.fixture(scope="module")
def machines(site: Site) -> list[Machine]:
    """Two with addresses to come by DHCP on host 1, one on host 2; the second one's port has options of its own."""
    network = site.network("leases", subnets=())
    site.create("subnet", network_id=network["id"], project_id="leases", **SUBNET)
    more = [{"fixed_ips": [{"ip_address": f"10.0.0.{number}"}]} for number in (11, 12, 13)]
    more[1]["extra_dhcp_opts"] = OPTIONS
    return site.machines(*(Wish(f"d{number}", network, host, 0, port) for number, host, port in zip((1, 2, 3), (1, 1, 2), more, strict=True)),
                         addresses=False)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_lease_says_all_that_the_subnet_says(machines: list[Machine], client: str) -> None:
    machine = machines[0]
    lease = machine.vm.dhcp(client=client)
    assert (lease.address, lease.mask, lease.gateway, lease.mtu, lease.seconds) == ("10.0.0.11", "255.255.255.0", "10.0.0.254", 1450, 86400)
    assert (lease.dns, lease.server) == (("10.9.9.1", "10.9.9.2"), "10.0.0.254")
    assert set(lease.routes) == {("10.77.0.0/16", "10.0.0.8"), ("0.0.0.0/0", "10.0.0.254"), ("169.254.169.254/32", "0.0.0.0")}
    routes = machine.vm.run(["ip", "route"]).stdout
    assert "10.77.0.0/16 via 10.0.0.8" in routes and "default via 10.0.0.254" in routes


@pytest.fixture(scope="module")
def far(site: Site) -> Machine:
    return behind_far_gateway(site, "far")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_gateway_outside_of_the_subnet_is_reached_on_the_link(far: Machine, client: str) -> None:
    far.vm.namespace.script("ip -4 addr flush dev eth0")
    lease = far.vm.dhcp(client=client)
    assert (lease.address, lease.gateway, lease.server) == ("10.66.0.11", GATEWAY, "169.254.169.254")
    assert lease.routes[0] == (f"{GATEWAY}/32", "0.0.0.0") and lease.routes[-1] == ("0.0.0.0/0", GATEWAY)
    for ip in (GATEWAY, BEYOND):
        wait(lambda to=ip: far.vm.ping(to), f"{ip} does not answer")


def test_a_port_s_own_options_come_before_the_subnet_s(machines: list[Machine]) -> None:
    given = machines[1].vm.dhcp()
    assert (given.address, given.seconds) == ("10.0.0.12", 7200)
    said = given.options
    assert (said["domain"], said["ntpsrv"], said["tftp"]) == ("tenant.example", "10.9.9.3", "boot.example")
    assert said.get("bootfile", said.get("boot_file")) == "pxe.0"


def test_a_change_is_told_with_the_next_lease(site: Site, machines: list[Machine]) -> None:
    machine = machines[2]
    before = machine.vm.dhcp()
    site.update(machine, fixed_ips=[{"ip_address": "10.0.0.33"}], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])
    after = machine.vm.dhcp()
    assert (before.address, before.mtu, after.address, after.mtu) == ("10.0.0.13", 1450, "10.0.0.33", 1400)
    site.update(machine, fixed_ips=[{"ip_address": "10.0.0.13"}], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": None}])


@contextmanager
def client_that_stays(machine: Machine, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A udhcpc that keeps its lease; `file` holds what happened last."""
    script = file.with_suffix(".sh")
    script.write_text(f'#!/bin/sh\n[ "$1" = bound ] && ip -4 addr replace $ip/$subnet dev eth0\necho "$1 $ip" >>{file}\n')
    script.chmod(0o755)
    going = machine.vm.start(["busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(script)])
    try:
        yield going
    finally:
        going.kill()
        going.communicate()
        machine.vm.namespace.script("ip -4 addr flush dev eth0")


def happened(file: Path, what: str, seconds: float = 10) -> None:
    wait(lambda: file.exists() and what in file.read_text(), f"no {what}", seconds)


def test_a_client_renews_its_lease_with_the_server_alone(machines: list[Machine], tmp_path: Path) -> None:
    """By unicast: it asks by ARP where the server is, and gets an answer, though there is no such machine."""
    machine, file = machines[0], tmp_path / "events"
    machine.vm.namespace.script("ip -4 addr flush dev eth0")
    with client_that_stays(machine, file) as client, machine.vm.capture("udp port 67") as seen:
        happened(file, "bound 10.0.0.11")
        client.send_signal(signal.SIGUSR1)              # `ip netns exec` has become the client
        happened(file, "renew 10.0.0.11")
        wait(lambda: [frame for frame in seen.frames() if frame[6:12] == frames.raw_mac(machine.mac)
                      and frame[30:34] == frames.raw_ip("10.0.0.254")], "it did not ask the server alone")


def answer(machine: Machine, frame: bytes) -> dhcp.Answer:
    """What a machine hears when it sends this question."""
    machine.nic.frames()
    machine.nic.send(frame)
    heard: list[bytes] = []

    def found() -> list[bytes]:
        heard.extend(machine.nic.frames())
        return [each for each in heard if each[12:14] == b"\x08\x00" and each[23] == 17 and each[34:38] == b"\0\x43\0\x44"]

    return dhcp.read(wait(found, "there is no answer")[0])


def test_wrong_requests_are_told_so(machines: list[Machine]) -> None:
    machine = machines[0]
    requested, server = 50, {54: frames.raw_ip("10.0.0.254")}
    assert answer(machine, dhcp.ask(machine.mac, DISCOVER))[4:5] == (OFFER,)
    right = answer(machine, dhcp.ask(machine.mac, REQUEST, {requested: frames.raw_ip("10.0.0.11"), **server}))
    assert (right.kind, right.yiaddr) == (ACK, "10.0.0.11")
    for wrong in ("10.0.0.12", "10.0.0.99", "192.0.2.1"):
        assert answer(machine, dhcp.ask(machine.mac, REQUEST, {requested: frames.raw_ip(wrong)})).kind == NAK
        told = answer(machine, dhcp.ask(machine.mac, REQUEST, {requested: frames.raw_ip(wrong), **server}))
        assert (told.kind, told.yiaddr) == (NAK, "0.0.0.0")
    informed = answer(machine, dhcp.ask(machine.mac, INFORM, ciaddr="10.0.0.11"))
    assert (informed.kind, informed.yiaddr) == (ACK, "0.0.0.0")


# What RFC 2132, 3397, 3442 and 5859 make of OPTIONS and more, of SUBNET and of a network of 1450 bytes.
FULL = [*OPTIONS, {"opt_name": "domain-search", "opt_value": "a.example,b.example"},
        {"opt_name": "tftp-server-address", "opt_value": "10.9.9.4"}, {"opt_name": "server-ip-address", "opt_value": "10.9.9.5"}]
ROUTES = "10 0a4d 0a000008 20 a9fea9fe 00000000 00 0a0000fe"
SAID = {1: "ffffff00", 3: "0a0000fe", 6: "0a090901 0a090902", 12: b"full".hex(), 15: b"tenant.example".hex(),
        26: "05aa", 28: "0a0000ff", 42: "0a090903", 51: "00001c20", 54: "0a0000fe", 58: "00000e10", 59: "0000189c",
        66: b"boot.example".hex(), 67: b"pxe.0".hex(), 119: "0161 076578616d706c65 00 0162 076578616d706c65 00",
        150: "0a090904"}


def test_every_option_is_told_byte_by_byte(site: Site, machines: list[Machine]) -> None:
    """In the offer and in the lease; routes by the number that the client knows best."""
    network = site.ask("GET", "/v2.0/networks?name=leases")["networks"][0]
    machine, = site.machines(Wish("full", network, 2, 0, {
        "fixed_ips": [{"ip_address": "10.0.0.44"}], "extra_dhcp_opts": FULL, "dns_name": "full"}), addresses=False)
    expected = {code: bytes.fromhex(text) for code, text in SAID.items()}
    for routes, told in ((121, {121}), (249, {249}), (33, set())):
        wanted = bytes((*(code for code in SAID if code not in (51, 54, 58, 59)), routes))
        ask = {55: wanted, 57: (1400).to_bytes(2, "big")}
        with_routes = expected | {code: bytes.fromhex(ROUTES) for code in told}
        for kind, heard, more in ((DISCOVER, OFFER, {}), (REQUEST, ACK, {50: frames.raw_ip("10.0.0.44"), 54: expected[54]})):
            found = answer(machine, dhcp.ask(machine.mac, kind, {**more, **ask}))
            assert {code: found.options[code] for code in found.options if code != 53} == with_routes
            assert (found.kind, found.yiaddr, found.siaddr) == (heard, "10.0.0.44", "10.9.9.5")
            assert (found.sname, found.file) == (b"boot.example", b"pxe.0")
    site.cloud.unplug(machine.vm)


def test_no_other_machine_hears_questions_or_answers(site: Site, machines: list[Machine]) -> None:
    asker, *others = machines
    stranger = site.network("strangers", subnets=("10.0.0.0/24",))
    others += site.machines(Wish("dx", stranger, 1, 0, {"fixed_ips": [{"ip_address": "10.0.0.11"}]}), addresses=False)
    with ExitStack() as recording:
        seen = [recording.enter_context(other.vm.capture("udp port 67 or udp port 68")) for other in others]
        assert asker.vm.dhcp().address == "10.0.0.11"
        for other in others:                            # each hears its own, so the recordings are alive
            other.nic.send(dhcp.ask(other.mac, DISCOVER))
        for capture in seen:
            wait(lambda capture=capture: capture.count() >= 2, "its own offer is not seen")
        assert [capture.count() for capture in seen] == [2] * len(others)
    site.cloud.unplug(others[-1].vm)


def test_a_switched_off_server_says_nothing_and_neighbours_hear_nothing_of_it(site: Site, machines: list[Machine]) -> None:
    machine = machines[2]
    site.update(machine, extra_dhcp_opts=[{"opt_name": "dhcp_disabled", "opt_value": "true"}])
    machine.nic.frames()
    machine.nic.send(dhcp.ask(machine.mac, DISCOVER))
    last = frames.arp_request(machine.mac, "0.0.0.0", "10.0.0.12")                  # is answered
    machine.nic.send(last)
    heard: list[bytes] = []
    wait(lambda: heard.extend(machine.nic.frames()) or any(frame[12:14] == b"\x08\x06" for frame in heard))
    assert not [frame for frame in heard if frame[12:14] == b"\x08\x00"]
    site.update(machine, extra_dhcp_opts=[{"opt_name": "dhcp_disabled", "opt_value": None}])
