"""Hosts are renamed, moved, copied and set up anew under a running fabric: it follows, and whoever is not concerned notices nothing."""
from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from scenarios import underlay
from scenarios.controller import free_port
from scenarios.host import FIRST, Host
from scenarios.vm import VM, attach
from tests.faults.fabric import Fabric, Written, until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    with Fabric(tmp_path_factory.mktemp("hosts"), hosts=2) as made:
        yield made


@pytest.fixture(autouse=True)
def whole_before_and_after(fabric: Fabric, machines: list[VM]) -> Iterator[None]:
    """Each test finds the fabric as it should be, and must leave it so."""
    until(fabric.whole, what="the fabric is whole before the test")
    yield
    assert_whole(fabric, machines)


def assert_whole(fabric: Fabric, machines: list[VM]) -> None:
    a, b, c = machines
    fabric.active(*machines)
    fabric.reached(a, b, c)
    fabric.reached(b, a, c)
    until(fabric.whole, what="the fabric is whole after the test")


def says(host: Host, key: str, value: str) -> None:
    """A host says another thing of itself."""
    host.vsctl("set", "Open_vSwitch", ".", f'external_ids:{key}="{value}"')


def doctor(fabric: Fabric) -> str:
    """What `hadron doctor` finds that is bad."""
    status, answer = fabric.hadron.request("GET", "/inspect/doctor")
    assert status == 200
    return "\n".join(f"{one['about']} {one['text']}" for one in answer["findings"] if one["severity"] == "bad")


# ---- names and addresses of hosts

def test_a_host_that_is_called_otherwise_is_the_same_host_and_nothing_is_told_to_it(fabric: Fabric) -> None:
    host = fabric.host(2)
    before, written = fabric.snapshot(), Written(host)
    says(host, "hostname", "another")
    until(lambda: fabric.switches().get("another", {}).get("state") == "in step")
    assert fabric.snapshot() == before and not written.lines()
    says(host, "hostname", host.name)
    until(lambda: fabric.in_step(2))


def test_a_host_of_another_identity_has_all_that_is_plugged_in_there(fabric: Fabric, machines: list[VM]) -> None:
    host = fabric.host(2)
    before = fabric.snapshot()
    for name in ("another", host.name):
        says(host, "system-id", name)
        until(lambda name=name: f"host {name}: connected" in fabric.hadron.log.read_text().rpartition("another system-id now")[2])
        until(fabric.in_step)
        fabric.active(*machines)
        fabric.becomes(*before)
    status, _ = fabric.hadron.request("POST", "/inspect/forget?host=another")
    assert status == 200


def test_a_tunnel_address_that_changes_is_followed(fabric: Fabric, machines: list[VM]) -> None:
    host, (a, b, c) = fabric.host(2), machines
    was, now = host.tunnel_address, "10.98.0.72"
    try:
        for address in (now, was):
            host.namespace.script(f"ip addr flush dev br-phy; ip addr add {address}/24 dev br-phy")
            fabric.host(1).appctl("tnl/neigh/set", "br-phy", address, underlay.tunnel_mac(2))
            says(host, "hadron-ip", address)
            fabric.reached(a, b, c)
            fabric.reached(b, a)
    finally:
        says(host, "hadron-ip", was)


@pytest.mark.parametrize("address", ["nonsense", "0.0.0.0", "127.0.0.1", "224.0.0.5"])
def test_a_tunnel_address_that_cannot_be_one_is_named_and_others_do_not_send_there(
        fabric: Fabric, machines: list[VM], address: str) -> None:
    before = fabric.snapshot()
    says(fabric.host(2), "hadron-ip", address)
    until(lambda: "must be the IP address of a host" in doctor(fabric), what="it is named")
    fabric.reached(machines[1], machines[2])                            # on the host itself
    says(fabric.host(2), "hadron-ip", fabric.host(2).tunnel_address)
    fabric.becomes(*before)


def test_two_hosts_of_one_tunnel_address_are_named(fabric: Fabric) -> None:
    says(fabric.host(2), "hadron-ip", fabric.host(1).tunnel_address)
    until(lambda: "have the same tunnel_ip" in doctor(fabric), what="they are named")
    says(fabric.host(2), "hadron-ip", fabric.host(2).tunnel_address)


# ---- interfaces that say which port they are

@pytest.mark.parametrize("where", [1, 2], ids=["the same host", "another host"])
def test_an_interface_that_says_it_is_a_port_that_is_there_is_named_and_changes_nothing(
        fabric: Fabric, machines: list[VM], where: int) -> None:
    a, b, _ = machines
    before, host = fabric.snapshot(), fabric.host(where)
    host.vsctl("--no-wait", "add-port", "br-int", "zz", "--", "set", "Interface", "zz", "type=dummy", f"external_ids:iface-id={a.port_id}")
    until(lambda: "is plugged in more than once" in doctor(fabric), what="it is named")
    assert fabric.snapshot() == before
    fabric.reached(b, a)
    host.vsctl("--no-wait", "del-port", "zz")
    until(lambda: "more than once" not in doctor(fabric))


def test_interfaces_that_change_their_ports_back_and_forth_end_as_what_they_say_last(fabric: Fabric, machines: list[VM]) -> None:
    host, (_, b, c) = fabric.host(2), machines
    before = fabric.snapshot()
    for first, second in [(c, b), (b, c)] * 10:
        host.vsctl("--no-wait", "set", "Interface", b.plug.device, f"external_ids:iface-id={first.port_id}",
                   "--", "set", "Interface", c.plug.device, f"external_ids:iface-id={second.port_id}")
    assert_whole(fabric, machines)
    fabric.becomes(*before)


def test_what_an_interface_calls_itself_may_be_anything(fabric: Fabric, machines: list[VM]) -> None:
    host, c = fabric.host(2), machines[2]
    before = fabric.snapshot()
    for text in ("", "x" * 4000, c.port_id.upper(), f"{c.port_id} ", "../../ports", "é\u202e", "{}", c.port_id.replace("-", "")):
        host.vsctl("--no-wait", "set", "Interface", c.plug.device, f'external_ids:iface-id="{text}"')
    host.vsctl("--no-wait", "remove", "Interface", c.plug.device, "external_ids", "iface-id")
    until(lambda: fabric.hadron.request("GET", f"/v2.0/ports/{c.port_id}")[1]["port"]["status"] == "DOWN")
    host.vsctl("--no-wait", "set", "Interface", c.plug.device, f"external_ids:iface-id={c.port_id}")
    fabric.becomes(*before)


# ---- the ends of the wires

def test_a_host_that_is_set_up_anew_is_served_as_before(fabric: Fabric, machines: list[VM]) -> None:
    """Its database is empty: no manager, no bridge, no interface."""
    host, here = fabric.host(2), machines[1:]
    before = described(fabric)
    host.stop_vswitchd(kill=True)
    host.stop("ovsdb-server", kill=True)
    shutil.copy(host.directory.parent / "empty.db", host.directory / "conf.db")
    host.namespace.script(FIRST.replace("ip addr add", "ip addr replace"))
    fabric.manage(2)
    until(lambda: "br-int" in host.vsctl("list-br").split())
    attach(host, [vm.plug for vm in here])
    fabric.active(*machines)
    until(lambda: described(fabric) == before)


def described(fabric: Fabric) -> list[dict[str, int]]:
    """How much each host holds: the numbers of its interfaces may have changed."""
    return [{what: len(lines) for what, lines in held.items()} for held in fabric.snapshot()]


def test_a_controller_that_listens_elsewhere_has_all_switches_come_there_and_changes_no_flow(fabric: Fabric) -> None:
    before, written = fabric.snapshot(), [Written(host) for host in fabric.cloud.hosts]
    address = fabric.cloud.controller_address
    fabric.hadron.stop()
    fabric.openflow = free_port(address)
    fabric.hadron.config["openflow"] = {"listen": f"{address}:{fabric.openflow}", "allow_plain": True}
    fabric.hadron.start()
    until(lambda: all(f"tcp:{address}:{fabric.openflow}" in host.vsctl("get-controller", "br-int").split()
                      for host in fabric.cloud.hosts), within=30)
    until(fabric.in_step)
    assert fabric.snapshot() == before and [each.lines() for each in written] == [[], []]


def test_two_hundred_networks_on_one_host_come_and_go(fabric: Fabric) -> None:
    before, host, ask = fabric.snapshot(), fabric.host(1), fabric.hadron.request
    for kind in ("network", "port"):
        assert ask("PUT", "/v2.0/quotas/admin", {"quota": {kind: -1}})[0] == 200
    made = ask("POST", "/v2.0/networks", {"networks": [{"name": f"n{number}"} for number in range(200)]})[1]["networks"]
    ports = ask("POST", "/v2.0/ports", {"ports": [{"network_id": network["id"]} for network in made]})[1]["ports"]
    plugged = [["--", "add-port", "br-int", f"n{number}", "--", "set", "Interface", f"n{number}", "type=dummy",
                f"external_ids:iface-id={port['id']}"] for number, port in enumerate(ports)]
    host.vsctl("--no-wait", *sum(plugged, [])[1:], timeout=60)
    until(lambda: {port["status"] for port in ask("GET", "/v2.0/ports")[1]["ports"]} == {"ACTIVE"}, within=60)
    assert fabric.wrong() == [] and fabric.installed(2) == before[1]
    host.vsctl("--no-wait", *sum((["--", "del-port", f"n{number}"] for number in range(200)), [])[1:], timeout=60)
    for port in ports:
        assert ask("DELETE", f"/v2.0/ports/{port['id']}")[0] == 204
    for network in made:
        assert ask("DELETE", f"/v2.0/networks/{network['id']}")[0] == 204
    fabric.becomes(*before)
