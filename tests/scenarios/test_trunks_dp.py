"""Trunks with real packets: virtual machines with VLAN interfaces, on two hosts, on networks of two projects; and a
network that carries whichever tags its machines use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from scenarios.carried import Carried, Inside
from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import Conversation, new_word, ping, settles, tcp, udp

pytestmark = pytest.mark.root
PROJECT = "red"
TAG, OTHER_TAG, UNUSED = 100, 200, 300


class Cloud(NamedTuple):
    """The machine `vm` (host 1) is on network red; through its trunk `blue` is on network blue with TAG, and `twin` on
    red with OTHER_TAG. `red_peer` and `blue_peer` are on host 2, and `far`, a VLAN interface there, is on blue."""

    inside: Inside
    vm: Machine
    blue: Machine
    twin: Machine
    red_peer: Machine
    blue_peer: Machine
    far: Machine
    trunk: dict[str, Any]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(hosts=2) as made:
        yield made


def sub_port(port: dict[str, Any], tag: int) -> dict[str, Any]:
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}


def carried(site: Site, inside: Inside, name: str, port: dict[str, Any], tag: int) -> Machine:
    made = inside.machine(name, tag, port["mac_address"], 1450)
    found = site.machines_by_name[name] = Machine(made, port)
    return found


@pytest.fixture(scope="module")
def cloud(site: Site) -> Cloud:
    red, blue = site.network("red"), site.network("blue", kind="geneve", mtu=1442)
    groups = {name: [site.open_group(name)] for name in ("red", "blue")}
    vm, red_peer, blue_peer, host2 = site.machines(
        Wish("vm", red, 1, 11, {"security_groups": groups["red"]}),
        Wish("redpeer", red, 2, 12, {"security_groups": groups["red"]}),
        Wish("bluepeer", blue, 2, 12, {"security_groups": groups["blue"]}),
        Wish("vm2", red, 2, 13, {"security_groups": groups["red"]}))
    ports = {name: site.create("port", name=name, project_id=network["project_id"], network_id=network["id"],
                               security_groups=groups[network["project_id"]],
                               fixed_ips=[{"ip_address": ip.format(last)} for ip in ("10.0.0.{}", "2001:db8::{}")])
             for name, network, last in (("blue", blue, 11), ("twin", red, 14), ("far", blue, 13))}
    inside, there = Inside(vm.vm), Inside(host2.vm)
    trunk = site.create("trunk", project_id="red", port_id=vm.id,
                        sub_ports=[sub_port(ports["blue"], TAG), sub_port(ports["twin"], OTHER_TAG)])
    site.create("trunk", project_id="red", port_id=host2.id, sub_ports=[sub_port(ports["far"], TAG)])
    machines = [carried(site, inside, "blue", ports["blue"], TAG), carried(site, inside, "twin", ports["twin"], OTHER_TAG),
                carried(site, there, "far", ports["far"], TAG)]
    for machine in machines[1:]:
        machine.take_addresses()
    site.wait_active(*machines)
    return Cloud(inside, vm, machines[0], machines[1], red_peer, blue_peer, machines[2], trunk)


def test_a_sub_port_takes_its_address_through_the_tag(cloud: Cloud) -> None:
    lease = cloud.blue.vm.dhcp()
    assert (lease.address, lease.mtu) == (cloud.blue.ip, 1442)
    cloud.blue.take_addresses()
    settles(reached=[ping(cloud.blue, cloud.blue_peer)])


def test_each_interface_reaches_its_own_network(cloud: Cloud) -> None:
    cloud.blue.take_addresses()
    settles(reached=[said for v in (4, 6) for said in (
        tcp(cloud.vm, cloud.red_peer, 80, v), tcp(cloud.blue, cloud.blue_peer, 80, v), ping(cloud.blue_peer, cloud.blue, v),
        tcp(cloud.blue, cloud.far, 80, v), udp(cloud.far, cloud.blue, 53, v), ping(cloud.far, cloud.blue_peer, v),
        tcp(cloud.red_peer, cloud.twin, 80, v), ping(cloud.red_peer, cloud.vm, v))])


def test_machines_behind_one_interface_reach_each_other(cloud: Cloud) -> None:
    settles(reached=[said for v in (4, 6) for said in (
        tcp(cloud.twin, cloud.vm, 80, v), ping(cloud.vm, cloud.twin, v), udp(cloud.vm, cloud.twin, 53, v))])


def test_a_broadcast_of_one_network_is_not_heard_on_the_other(cloud: Cloud) -> None:
    for sender, hears, deaf in ((cloud.blue_peer, cloud.blue, (cloud.twin,)), (cloud.red_peer, cloud.twin, (cloud.blue, cloud.far))):
        word, last = new_word(), new_word()
        for machine in (hears, *deaf):
            machine.nic.frames()
        for one in (word, last):
            sender.nic.send(frames.udp(sender.mac, frames.TO_ALL, sender.ip, "10.0.0.255", 5000, 5000, one))
        got: list[bytes] = []
        wait(lambda got=got, hears=hears, last=last: got.extend(hears.nic.frames()) or last in b"".join(got))
        assert sum(word in frame for frame in got) == 1
        assert not [machine for machine in deaf if word in b"".join(machine.nic.frames())]


def test_what_is_not_its_own_passes_with_no_tag(cloud: Cloud) -> None:
    """Another tag, the sub-port's addresses without the tag, the parent's with it, and a tag inside the tag."""
    def said(sender: Machine, receiver: Machine, word: bytes) -> bytes:
        return frames.udp(sender.mac, receiver.mac, sender.ip, receiver.ip, 5000, 5000, word)

    words, last = [new_word() for _ in range(5)], new_word()
    forged = (
        frames.tagged(said(cloud.blue, cloud.blue_peer, words[0]), UNUSED),
        said(cloud.blue, cloud.blue_peer, words[1]),
        frames.tagged(said(cloud.vm, cloud.blue_peer, words[2]), TAG),
        frames.tagged(frames.tagged(said(cloud.blue, cloud.blue_peer, words[3]), 7), TAG),
        frames.tagged(said(cloud.vm, cloud.red_peer, words[4]), 0),
    )
    with cloud.blue_peer.vm.capture(direction="in") as blue, cloud.red_peer.vm.capture(direction="in") as red:
        for frame in forged:
            cloud.vm.nic.send(frame)
        cloud.vm.nic.send(frames.tagged(said(cloud.blue, cloud.blue_peer, last), TAG))
        cloud.vm.nic.send(said(cloud.vm, cloud.red_peer, last))
        wait(lambda: all(last in b"".join(seen.frames()) for seen in (blue, red)), "what is allowed does not arrive")
        heard = b"".join(frame for seen in (blue, red) for frame in seen.frames())
        assert not [place for place, word in enumerate(words) if word in heard]


def test_sub_ports_come_and_go_under_traffic(site: Site, cloud: Cloud) -> None:
    path = f"/v2.0/trunks/{cloud.trunk['id']}"
    with Conversation(tcp(cloud.blue, cloud.blue_peer, 8080)) as talk:
        site.ask("PUT", f"{path}/remove_subports", {"sub_ports": [{"port_id": cloud.twin.id}]})
        settles(reached=[tcp(cloud.vm, cloud.red_peer, 80)], refused=[tcp(cloud.red_peer, cloud.twin, 80)])
        site.ask("PUT", f"{path}/add_subports", {"sub_ports": [sub_port(cloud.twin.port, UNUSED)]})
        assert isinstance(cloud.twin.vm, Carried)
        cloud.inside.retag(cloud.twin.vm, UNUSED)
        settles(reached=[tcp(cloud.red_peer, cloud.twin, 80), ping(cloud.twin, cloud.red_peer, 6)])
        assert talk.both_ways()


def test_a_trunk_moves_with_its_machine(site: Site, cloud: Cloud) -> None:
    with Conversation(tcp(cloud.blue, cloud.blue_peer, 8081)) as talk:
        site.cloud.move(cloud.vm.vm, 2)
        site.wait_active(cloud.vm, cloud.blue, cloud.twin)
        settles(reached=[tcp(cloud.blue, cloud.far, 80), tcp(cloud.vm, cloud.red_peer, 80), tcp(cloud.red_peer, cloud.twin, 80)])
        assert talk.both_ways()


def test_a_network_that_carries_tags_carries_them_between_hosts(site: Site) -> None:
    """Machines behind VLAN interfaces reach those with the same tag, held to the addresses of the ports they use."""
    green = site.network("green", vlan_transparent=True)
    group = site.open_group("green")
    inner = {name: {"mac_address": f"fa:16:3e:77:00:0{number}", "fixed_ips": [
        {"ip_address": f"10.0.0.{70 + number}"}, {"ip_address": f"2001:db8::{70 + number}"}]}
        for number, name in ((1, "in1"), (2, "in2"))}
    outer = site.machines(*(
        Wish(f"green{number}", green, number, 40 + number, {"security_groups": [group], "allowed_address_pairs": [
            {"ip_address": fixed["ip_address"], "mac_address": port["mac_address"]} for fixed in port["fixed_ips"]]})
        for number, port in enumerate(inner.values(), 1)))
    a, b = (carried(site, Inside(machine.vm), name, port, 55)
            for machine, (name, port) in zip(outer, inner.items(), strict=True))
    a.take_addresses(), b.take_addresses()
    settles(reached=[said for v in (4, 6) for said in (tcp(a, b, 80, v), ping(b, a, v, size=1446 - (28 if v == 4 else 48)), tcp(*outer, 80, v))])
    word, last = new_word(), new_word()
    with outer[1].vm.capture(direction="in") as seen:
        for said, mac in ((word, "fa:16:3e:99:00:01"), (last, a.mac)):
            outer[0].nic.send(frames.tagged(frames.udp(mac, b.mac, a.ip, b.ip, 5000, 5000, said), 55, priority=3))
        frame = wait(lambda: next((frame for frame in seen.frames() if last in frame), None), "it does not arrive")
        assert frame[12:16] == b"\x81\x00\x60\x37" and word not in b"".join(seen.frames())


def test_a_restart_of_the_controller_is_not_felt(site: Site, cloud: Cloud) -> None:
    before = [host.dump_flows() for host in site.cloud.hosts]
    with Conversation(tcp(cloud.blue, cloud.blue_peer, 8082)) as talk:
        site.hadron.stop()
        assert talk.both_ways()
        site.hadron.start()
        site.wait_active(cloud.vm, cloud.blue)
        assert talk.both_ways()
    assert [host.dump_flows() for host in site.cloud.hosts] == before
