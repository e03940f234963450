"""Networks on a physical network, with real packets: a switch that keeps VLANs apart, and machines out there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from scenarios.capture import Capture
from scenarios.sockets import Nic
from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import Conversation, new_word, ping, settles, tcp, udp

pytestmark = pytest.mark.root
VLAN, OTHER_VLAN = 101, 102
PHYSNET = "physnet1"
KIND_OF = {"red": "vlan", "blue": "vlan", "plain": "flat", "green": "vxlan"}


class Place(NamedTuple):
    """A network with a machine on each host, in an open group; and the machine outside that is in it."""

    network: dict[str, Any]
    here: Machine
    there: Machine
    out: Machine | None


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(hosts=2, external=True) as made:
        made.wait_uplinks(2)
        yield made


@pytest.fixture(scope="module")
def places(site: Site) -> dict[str, Place]:
    """Two VLANs, what has no tag, and a tenant's network; all with the same addresses."""
    found = {}
    for name, tag in (("red", VLAN), ("blue", OTHER_VLAN), ("plain", None), ("green", None)):
        wire = {} if name == "green" else {"provider:physical_network": PHYSNET}
        network = site.network(name, kind=KIND_OF[name], **wire, **({"provider:segmentation_id": tag} if tag else {}))
        group = site.open_group(name)
        here, there = site.machines(
            *(Wish(f"{name}{host}", network, host, 10 + host, {"security_groups": [group]}) for host in (1, 2))
        )
        out = None if name == "green" else site.outsider(f"{name}-out", 99, tag)
        found[name] = Place(network, here, there, out)
    return found


def on_wire(site: Site, number: int, expression: str = "") -> Capture:
    """What passes between a host and the physical network."""
    return site.cloud.host(number).capture(expression, device="eth2")


def heard(capture: Capture, word: bytes) -> None:
    wait(lambda: word in b"".join(capture.frames()), "a frame that should be seen is not")


def tags(frame: bytes) -> list[int]:
    """The VLANs of a frame, the outermost first."""
    found = []
    while frame[12:14] in (b"\x81\x00", b"\x88\xa8"):
        found.append(int.from_bytes(frame[14:16], "big") & 0xFFF)
        frame = frame[:12] + frame[16:]
    return found


# ---- between hosts


@pytest.mark.parametrize("name", ("red", "plain"))
def test_machines_of_two_hosts_reach_each_other_through_the_physical_network(
    site: Site, places: dict[str, Place], name: str
) -> None:
    network, here, there, _ = places[name]
    assert network["mtu"] == 1500
    settles(
        reached=[
            said
            for v in (4, 6)
            for said in (
                tcp(here, there, 80, v),
                tcp(there, here, 80, v),
                udp(here, there, 53, v),
                ping(there, here, v),
            )
        ]
    )
    word = new_word()
    with on_wire(site, 1) as wire, site.cloud.host(1).capture() as underlay:
        here.nic.send(frames.udp(here.mac, there.mac, here.ip, there.ip, 5000, 5000, word))
        frame = wait(lambda: next((frame for frame in wire.frames() if word in frame), None), "it is not on the wire")
        assert tags(frame) == ([VLAN] if name == "red" else [])
        assert not [frame for frame in underlay.frames() if word in frame]


@pytest.mark.parametrize("v", (4, 6))
def test_a_packet_as_large_as_the_networks_mtu_passes_with_its_tag(places: dict[str, Place], v: int) -> None:
    _, here, there, out = places["red"]
    size = 1500 - (28 if v == 4 else 48)
    settles(reached=[ping(here, there, v, size=size), ping(here, out, v, size=size)])


def test_tenants_networks_never_appear_on_the_wire(site: Site, places: dict[str, Place]) -> None:
    _, here, there, _ = places["green"]
    settles(reached=[tcp(here, there, 80), ping(there, here, 6)])
    words, last = [new_word() for _ in range(4)], new_word()
    with ExitStack() as recording:
        wires = [recording.enter_context(on_wire(site, number)) for number in (1, 2)]
        targets = (
            (there.mac, there.ip),
            (frames.TO_ALL, "10.0.0.255"),
            ("01:00:5e:01:02:03", "239.1.2.3"),
            ("fa:16:3e:ff:ff:ff", there.ip),
        )
        for word, (mac, ip) in zip(words, targets, strict=True):
            here.nic.send(frames.udp(here.mac, mac, here.ip, ip, 5000, 5000, word))
        for number, name in ((1, "here"), (2, "there")):  # what is meant for the wire, sent later, is there
            machine = getattr(places["red"], name)
            machine.nic.send(frames.udp(machine.mac, frames.TO_ALL, machine.ip, "10.0.0.255", 5000, 5000, last))
            heard(wires[number - 1], last)
        seen = b"".join(frame for wire in wires for frame in wire.frames())
        assert not [word for word in words if word in seen]


# ---- the physical network


@pytest.mark.parametrize("name", ("red", "plain"))
def test_a_machine_outside_and_machines_of_the_network_reach_each_other(places: dict[str, Place], name: str) -> None:
    _, here, there, out = places[name]
    settles(
        reached=[
            said
            for v in (4, 6)
            for inside in (here, there)
            for said in (
                tcp(out, inside, 80, v),
                tcp(inside, out, 80, v),
                ping(out, inside, v),
                udp(inside, out, 53, v),
            )
        ]
    )


def test_a_machine_outside_gets_in_where_the_group_allows_and_its_answers_always(
    site: Site, places: dict[str, Place]
) -> None:
    network, *_, out = places["red"]
    group = site.group("red", "web")
    site.rule(group, protocol="tcp", port_range_min=80, port_range_max=80)
    (web,) = site.machines(Wish("web", network, 1, 31, {"security_groups": [group]}))
    settles(
        reached=[tcp(out, web, 80), tcp(web, out, 22), ping(web, out)],
        refused=[tcp(out, web, 22), ping(out, web), udp(out, web, 80)],
    )
    with Conversation(tcp(out, web, 80)) as talk:
        for rule in site.rules(group):
            if rule["direction"] == "ingress":
                site.delete("security_group_rule", rule["id"])
        assert talk.is_cut()


@pytest.mark.parametrize("name", ("red", "blue", "plain"))
def test_nobody_in_another_vlan_hears_a_frame(places: dict[str, Place], name: str) -> None:
    """Machines with the same addresses, on the same hosts and the same wire."""
    own, others = places[name], [place for other, place in places.items() if other != name]
    strangers = [machine for place in others for machine in place[1:] if machine]
    with ExitStack() as recording:
        for sender in (own.here, own.out):
            at_strangers = [recording.enter_context(machine.vm.capture(direction="in")) for machine in strangers]
            at_own = recording.enter_context(own.there.vm.capture(direction="in"))
            words, last = [new_word(), new_word()], new_word()
            for word, target in zip(words, (own.there.mac, frames.TO_ALL), strict=True):
                sender.nic.send(frames.udp(sender.mac, target, sender.ip, own.there.ip, 5000, 5000, word))
            for word in words:
                heard(at_own, word)
            for place in others:
                place.here.nic.send(
                    frames.udp(place.here.mac, frames.TO_ALL, place.here.ip, "10.0.0.255", 5000, 5000, last)
                )
            for capture, machine in zip(at_strangers, strangers, strict=True):
                if not any(machine is place.here for place in others):
                    heard(capture, last)
                assert not [word for word in words if word in b"".join(capture.frames())], f"{machine} hears {sender}"


def test_each_frame_arrives_once(places: dict[str, Place]) -> None:
    _, here, there, out = places["red"]
    for sender, receivers in ((here, (there, out)), (out, (here, there))):
        words, last = [new_word() for _ in range(20)], new_word()
        for receiver in receivers:
            receiver.nic.frames()
        for word in (*words, last):
            sender.nic.send(frames.udp(sender.mac, frames.TO_ALL, sender.ip, "10.0.0.255", 5000, 5000, word))
        for receiver in receivers:
            got: list[bytes] = []
            wait(
                lambda receiver=receiver, got=got, last=last: got.extend(receiver.nic.frames()) or last in b"".join(got)
            )
            assert [sum(word in frame for frame in got) for word in words] == [1] * len(words)


def test_a_tag_inside_the_tag_does_not_pass_by_the_rules(site: Site, places: dict[str, Place]) -> None:
    """Kernels look inside a tag of VLAN 0, and Open vSwitch does not look inside two."""
    network, _, there, out = places["red"]
    (shut,) = site.machines(Wish("shut", network, 1, 32, {"security_groups": [site.group("red", "shut")]}))
    words, last = [new_word() for _ in range(4)], new_word()
    kinds = (None, frames.VLAN, frames.QINQ, frames.VLAN)
    cable = (
        Nic(f"{site.cloud.prefix}-ex", "x1"),
        Nic(f"{site.cloud.prefix}-ex", "x2"),
    )  # the switch would mend such frames
    with shut.vm.capture(direction="in") as seen, there.vm.capture(direction="in") as at_there:
        for word, ethertype, vid in zip(words, kinds, (0, 0, 0, VLAN), strict=True):
            for nic, machine in zip(cable, (shut, there), strict=True):
                inner = frames.udp(out.mac, machine.mac, out.ip, machine.ip, 5000, 5000, word)
                nic.send(frames.tagged(frames.tagged(inner, vid, ethertype=ethertype) if ethertype else inner, VLAN))
        out.nic.send(frames.udp(out.mac, there.mac, out.ip, there.ip, 5000, 5000, last))
        out.nic.send(frames.arp_request(out.mac, out.ip, shut.ip))
        heard(at_there, last)
        wait(lambda: [frame for frame in seen.frames() if frame[12:14] == b"\x08\x06"], "the machine hears no ARP")
        assert [word in b"".join(at_there.frames()) for word in words] == [True, False, False, False]
        assert not [word for word in words if word in b"".join(seen.frames())]
    for nic in cable:
        nic.close()


def test_what_a_machine_has_tagged_itself_stays_off_the_wire(site: Site, places: dict[str, Place]) -> None:
    for name in ("plain", "red"):
        (free,) = site.machines(
            Wish(f"{name}-free", places[name].network, 1, 33, {"port_security_enabled": False, "security_groups": []})
        )
        word, last = new_word(), new_word()
        with on_wire(site, 1) as wire:
            for target in (frames.TO_ALL, "fa:16:3e:ff:ff:ff", places[name].there.mac):
                free.nic.send(
                    frames.tagged(frames.udp(free.mac, target, free.ip, "10.0.0.12", 5000, 5000, word), OTHER_VLAN)
                )
            free.nic.send(frames.udp(free.mac, frames.TO_ALL, free.ip, "10.0.0.255", 5000, 5000, last))
            heard(wire, last)
            assert word not in b"".join(wire.frames())


# ---- routers, uplinks that come and go, restarts


def test_a_tenants_network_is_routed_to_a_vlan_and_the_routers_mac_stays_off_the_wire(site: Site) -> None:
    west = site.network("west", subnets=("10.1.0.0/24",))
    east = site.network(
        "east",
        kind="vlan",
        subnets=("10.0.0.0/24",),
        **{"provider:physical_network": PHYSNET, "provider:segmentation_id": 103},
    )
    router = site.create("router", name="r")
    for network in (west, east):
        (subnet,) = site.ask("GET", f"/v2.0/subnets?network_id={network['id']}")["subnets"]
        site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    groups = {name: site.open_group(name) for name in ("west", "east")}
    a, b = site.machines(
        Wish("wa", west, 1, port={"fixed_ips": [{"ip_address": "10.1.0.11"}], "security_groups": [groups["west"]]}),
        Wish("eb", east, 2, port={"fixed_ips": [{"ip_address": "10.0.0.12"}], "security_groups": [groups["east"]]}),
    )
    for machine, gateway in ((a, "10.1.0.1"), (b, "10.0.0.1")):
        machine.vm.namespace.script(f"ip route replace default via {gateway}")
    with on_wire(site, 1) as wire:
        settles(reached=[ping(a, b), tcp(a, b, 80), tcp(b, a, 80)])
        seen = [frame for frame in wire.frames() if tags(frame) == [103]]
    ports = site.ask("GET", f"/v2.0/ports?device_id={router['id']}")["ports"]
    macs = {bytes.fromhex(port["mac_address"].replace(":", "")) for port in ports}
    assert seen and not [frame for frame in seen if frame[6:12] in macs]


def test_an_uplink_goes_and_comes_with_the_hosts_mapping(site: Site, places: dict[str, Place]) -> None:
    _, here, there, out = places["red"]
    host = site.cloud.host(2)
    host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "hadron-bridge-mappings")
    site.wait_uplinks(1)
    settles(reached=[tcp(here, out, 80)], refused=[tcp(here, there, 80), tcp(there, out, 80)])
    wait(lambda: "hv-from-physnet1" not in host.vsctl("list-ports", "br-ex"))
    host.vsctl("set", "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings=physnet1:br-ex")
    site.wait_uplinks(2)
    settles(reached=[tcp(here, there, 80), tcp(there, out, 80)])


def test_each_host_carries_a_network_by_the_segment_that_it_reaches(site: Site) -> None:
    """Two racks: what is VLAN 301 in one is VLAN 302 in the other, with a subnet of its own, and nothing joins them."""
    second = site.cloud.host(2)
    second.vsctl("set", "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings=physnet2:br-ex")
    wait(lambda: {one["physical_network"] for one in site.ask("GET", "/v2.0/uplinks")["uplinks"]} == {PHYSNET, "physnet2"})
    network = site.create("network", name="racks", project_id="racks", segments=[
        {"provider:network_type": "vlan", "provider:physical_network": f"physnet{rack}", "provider:segmentation_id": 300 + rack}
        for rack in (1, 2)])
    rows = site.ask("GET", f"/v2.0/segments?network_id={network['id']}")["segments"]
    for one in rows:
        site.create("subnet", network_id=network["id"], ip_version=4, segment_id=one["id"], project_id="racks",
                    cidr=f"10.{one['segmentation_id'] - 300}.0.0/24")
    group = site.open_group("racks")
    port = {"security_groups": [group]}
    one, two, late = site.machines(
        Wish("rack1", network, 1, None, {**port, "binding:host_id": site.cloud.host(1).name}),
        Wish("rack2", network, 2, None, {**port, "binding:host_id": second.name}), Wish("rackx", network, 2, None, port))
    assert (one.ip, two.ip, late.ip) == ("10.1.0.2", "10.2.0.2", "")
    site.update(late, **{"binding:host_id": second.name})
    site.wait_active(late)
    assert late.ip == "10.2.0.3" and late.vm.dhcp().address == late.ip
    out = {rack: site.outsider(f"rackout{rack}", 99, 300 + rack) for rack in (1, 2)}
    for rack, machine in out.items():
        machine.vm.namespace.script(f"ip addr add 10.{rack}.0.99/24 dev eth0")
    settles(reached=[ping(one, out[1], to="10.1.0.99"), ping(two, out[2], to="10.2.0.99"), ping(late, two), tcp(two, late, 80)])
    word, last = new_word(), new_word()
    with out[2].vm.capture(direction="in") as seen:
        for said, sender in ((word, one), (last, two)):
            sender.nic.send(frames.udp(sender.mac, frames.TO_ALL, sender.ip, "10.255.255.255", 5000, 5000, said))
        heard(seen, last)
        assert word not in b"".join(seen.frames())
    second.vsctl("set", "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings=physnet1:br-ex")
    site.wait_uplinks(2)


def test_a_restart_of_the_controller_is_not_felt(site: Site, places: dict[str, Place]) -> None:
    _, here, there, out = places["red"]
    before = [host.dump_flows() for host in site.cloud.hosts]
    with Conversation(tcp(here, there, 80)) as talk, Conversation(tcp(out, there, 8080)) as from_outside:
        site.hadron.stop()
        assert talk.both_ways() and from_outside.both_ways()
        site.hadron.start()
        site.wait_active(here, there)
        assert talk.both_ways() and from_outside.both_ways()
    assert [host.dump_flows() for host in site.cloud.hosts] == before
