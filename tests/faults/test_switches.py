"""What happens to switches behind the controller's back is made good, by itself: flows as before, machines reach each other."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from scenarios.vm import VM
from tests.faults.fabric import Fabric, Written, until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    """Two hosts; the controller does not audit unless it is told to."""
    with Fabric(tmp_path_factory.mktemp("switches"), hosts=2) as made:
        yield made


@pytest.fixture(autouse=True)
def whole_before_and_after(fabric: Fabric, machines: list[VM]) -> Iterator[None]:
    """Each test finds the fabric as it should be, and must leave it so."""
    a, b, c = machines
    until(fabric.whole, what="the fabric is whole before the test")
    yield
    fabric.reached(a, b, c)
    fabric.reached(b, a, c)
    assert fabric.wrong() == []


# ---- ovs-vswitchd, ovsdb-server

@pytest.mark.parametrize("kill", [True, False], ids=["killed", "restarted"])
def test_a_restarted_vswitchd_has_all_its_flows_again_at_once(fabric: Fabric, kill: bool) -> None:
    before = fabric.installed(2)
    fabric.host(2).stop_vswitchd(kill=kill)
    began = time.monotonic()
    fabric.host(2).start_vswitchd()
    up = time.monotonic() - began
    fabric.becomes(before, first=2)
    took = time.monotonic() - began
    print(f"\nvswitchd {'killed' if kill else 'restarted'}: up after {up:.3f} s, all {len(before['flows'])} flows after {took:.3f} s")
    assert took < 5


def test_a_database_server_that_dies_is_followed_again(fabric: Fabric, machines: list[VM]) -> None:
    host = fabric.host(2)
    before, written = fabric.installed(2), Written(host)
    host.restart_database(kill=True)
    assert not written.lines(), "nothing is told to a switch that goes on"
    d, = fabric.machines(network_of(fabric, machines), d=2)
    fabric.reached(machines[0], d)
    fabric.remove(d)
    fabric.becomes(before, first=2)


def network_of(fabric: Fabric, machines: list[VM]) -> str:
    _, answer = fabric.hadron.request("GET", f"/v2.0/ports/{machines[0].port_id}")
    return str(answer["port"]["network_id"])


# ---- flows by hand: nobody tells the controller, an audit finds it

def add_one(fabric: Fabric) -> None:
    fabric.host(2).ofctl("add-flow", "br-int", "table=0,priority=65000,actions=drop")


def alter_one(fabric: Fabric) -> None:
    flow = next(line for line in fabric.host(2).dump_flows() if "table=60" in line and "output:" in line and "650" not in line)
    match = flow.split("table=")[1].split(" actions")[0]
    fabric.host(2).ofctl("--strict", "mod-flows", "br-int", f"table={match},actions=drop")


def remove_some(fabric: Fabric) -> None:
    fabric.host(2).ofctl("del-flows", "br-int", "table=40")


def remove_all(fabric: Fabric) -> None:
    fabric.host(2).ofctl("del-flows", "br-int")


def remove_meters(fabric: Fabric) -> None:
    fabric.host(2).ofctl("del-meters", "br-int")


def add_group(fabric: Fabric) -> None:
    fabric.host(2).ofctl("add-group", "br-int", "group_id=7,type=all,bucket=output:1")


BY_HAND = [add_one, alter_one, remove_some, remove_all, remove_meters, add_group]


@pytest.mark.parametrize("harm", BY_HAND, ids=lambda harm: harm.__name__.replace("_", " "))
def test_what_was_changed_by_hand_is_found_and_repaired_by_an_audit(fabric: Fabric, harm: Callable[[Fabric], None]) -> None:
    before = fabric.snapshot()
    harm(fabric)
    assert fabric.snapshot() != before
    found = fabric.audit()
    assert fabric.snapshot() == before
    one, = [one for one in found["switches"] if one["alien"] or one["missing"] or one["altered"]]
    assert one["host"] == fabric.host(2).name and one["repaired"] and one["examples"]


def test_audits_at_intervals_repair_without_being_asked(fabric: Fabric) -> None:
    fabric.hadron.config["audit_interval"] = 0.5
    try:
        fabric.hadron.kill()
        fabric.hadron.start()
        until(fabric.in_step)
        before = fabric.installed(2)
        began = time.monotonic()
        remove_all(fabric)
        fabric.becomes(before, first=2)
        print(f"\nwiped flows were back after {time.monotonic() - began:.2f} s")
        _, answer = fabric.hadron.request("GET", "/inspect/alarms")
        drift, = [one for one in answer["alarms"] if one["alarm"] == "drift"]
        assert drift["host"] == fabric.host(2).name and drift["missing"] == len(before["flows"])
    finally:
        fabric.hadron.config["audit_interval"] = 0
        fabric.hadron.kill()
        fabric.hadron.start()
    until(fabric.in_step)


# ---- what the database says of the bridge

def test_a_deleted_bridge_is_made_anew_and_served_as_soon_as_machines_are_plugged_in(
        fabric: Fabric, machines: list[VM]) -> None:
    from scenarios.vm import attach
    host, here = fabric.host(2), machines[1:]
    tunnels = len([line for line in fabric.installed(2)["flows"] if "output:650" in line])
    host.vsctl("--no-wait", "del-br", "br-int")
    attach(host, [vm.plug for vm in here])
    until(lambda: len([line for line in fabric.installed(2)["flows"] if "output:650" in line]) == tunnels)
    fabric.active(*machines)


DATABASE = {
    "fail_mode standalone": "set bridge br-int fail_mode=standalone",
    "no fail_mode": "remove bridge br-int fail_mode secure",
    "another controller": "set-controller br-int tcp:127.0.0.1:1",
    "one controller more": "set-controller br-int {target} tcp:127.0.0.1:1",
    "no controller": "del-controller br-int",
    "other protocols": "set bridge br-int protocols=OpenFlow13",
    "no datapath id": "remove bridge br-int other_config datapath-id",
    "no tunnel port": "del-port br-int hv-vxlan",
    "tunnel options": "set interface hv-vxlan options:remote_ip=10.98.0.77 options:key=5",
    "a tunnel's number": "set interface hv-vxlan ofport_request=77",
    "a controller in band": "set controller {first} connection_mode=in-band",
}


@pytest.mark.parametrize("place", range(len(DATABASE)), ids=DATABASE)
def test_the_bridge_is_set_right_and_served_after(fabric: Fabric, machines: list[VM], place: int) -> None:
    number, harm = 1 + place % 2, list(DATABASE.values())[place]
    if place in (4, 5, 10):
        fabric.cut(number, port=fabric.ovsdb)       # repairs are paced by connection: the fourth in a minute would wait
    host = fabric.host(number)
    before = described(fabric, number)
    target = host.vsctl("get-controller", "br-int")
    first = host.vsctl("get", "bridge", "br-int", "controller").strip("[]").split(", ")[0]
    host.vsctl("--no-wait", *harm.format(target=target, first=first).split())
    until(lambda: described(fabric, number) == before, what=f"as before: {before}")
    until(lambda: fabric.in_step(number), what="in step")


def test_a_bridge_that_is_given_another_identity_is_served_under_that(fabric: Fabric, machines: list[VM]) -> None:
    host = fabric.host(2)
    host.vsctl("set", "bridge", "br-int", "other_config:datapath-id=00000000000000ff")
    until(lambda: fabric.switches().get(host.name, {}).get("switch") == "00000000000000ff" and fabric.in_step(2))
    fabric.active(*machines)


def test_a_host_whose_bridge_is_a_copy_of_anothers_gets_an_identity_of_its_own(fabric: Fabric, machines: list[VM]) -> None:
    """As when a host's disk was copied. The original does not notice."""
    number = fabric.switches()[fabric.host(1).name]["switch"]
    copy, original, connection = fabric.host(2), fabric.connection(1), fabric.connection(2)
    copy.vsctl("set", "bridge", "br-int", f"other_config:datapath-id={number}")
    until(lambda: copy.vsctl("get", "bridge", "br-int", "datapath_id") != f'"{number}"', what="another identity")
    until(lambda: fabric.connection(2) not in (connection, None) and fabric.in_step(1, 2))
    fabric.active(*machines)
    assert fabric.switches()[fabric.host(1).name]["switch"] == number and fabric.connection(1) == original


def described(fabric: Fabric, number: int) -> list[str]:
    """What must not change of a host's bridge: in the database, and in the switch."""
    host = fabric.host(number)
    words = ["get-controller br-int", "get bridge br-int fail_mode datapath_id protocols other_config",
             "get interface hv-vxlan ofport options type", "--columns=target,connection_mode find controller target!=none"]
    said = [str(sorted(host.run(["ovs-vsctl", *line.split()], check=False).stdout.splitlines())) for line in words]
    return said + sorted(host.run(["ovs-ofctl", "-OOpenFlow14", "dump-flows", "br-int", "--no-stats"], check=False).stdout.splitlines())


def test_ports_that_get_other_numbers_are_served_under_those(fabric: Fabric, machines: list[VM]) -> None:
    host, (_, b, c) = fabric.host(2), machines
    was = {vm.name: host.vsctl("get", "Interface", vm.plug.device, "ofport") for vm in (b, c)}
    host.vsctl("set", "Interface", b.plug.device, f"ofport_request={int(was['c']) + 40}")
    host.vsctl("set", "Interface", c.plug.device, f"ofport_request={was['b']}")
    until(lambda: host.vsctl("get", "Interface", c.plug.device, "ofport") == was["b"])
    fabric.active(*machines)
    fabric.reached(b, *machines[::2])


# ---- connections

@pytest.mark.parametrize("which", ["ovsdb", "openflow"])
def test_a_connection_that_is_cut_comes_again_and_nothing_is_told_anew(
        fabric: Fabric, machines: list[VM], which: str) -> None:
    before, written = fabric.snapshot(), Written(fabric.host(2))
    fabric.cut(2, port=getattr(fabric, which))
    assert not written.lines()
    extra, = fabric.machines(network_of(fabric, machines), extra=2)
    fabric.reached(machines[0], extra)
    fabric.remove(extra)
    assert fabric.snapshot() == before


def test_a_host_that_was_out_of_reach_gets_what_has_changed_meanwhile(fabric: Fabric, machines: list[VM]) -> None:
    before, written = fabric.snapshot(), Written(fabric.host(2))
    with fabric.unreachable(2):
        extra, = fabric.machines(network_of(fabric, machines), active=False, extra=1)
        until(lambda: "dl_dst=" + extra.mac in str(fabric.installed(1)))
        assert "dl_dst=" + extra.mac not in str(fabric.installed(2))
    until(lambda: "dl_dst=" + extra.mac in str(fabric.installed(2)))
    fabric.reached(machines[1], extra)
    assert 0 < len(written.lines()) < 15, "the difference, not everything"
    fabric.remove(extra)
    fabric.becomes(*before)
