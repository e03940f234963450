"""Networks and ports with real packets: without subnets, switched off, moved, with many addresses, without security."""

from __future__ import annotations

import time

import pytest

from scenarios.vm import Plug
from tests.kit import frames
from tests.kit.frames import link_local
from tests.scenarios.conftest import KINDS
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import PATIENCE, QUIET, Conversation, new_word, ping, settles, tcp, udp

pytestmark = pytest.mark.root
OTHER_MAC = "fa:16:3e:99:99:99"
EXPERIMENT = 0x88B5


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def trio(site: Site, project: str, network: dict, *, number: int = 11, **port: object) -> list[Machine]:
    """Two machines on host 1 and one on host 2, in a group that allows everything."""
    said = {"security_groups": [site.open_group(project)], **port}
    wishes = [Wish(name, network, host, number and number + place, said)
              for place, (name, host) in enumerate(zip(names(project, 3), (1, 1, 2), strict=True))]
    return site.machines(*wishes)


def carried(sender: Machine, receivers: list[Machine], sent: dict[str, bytes], last: bytes) -> dict[str, set[str]]:
    """Which of these frames each receiver gets; `last` is one that all do."""
    for machine in receivers:
        machine.nic.frames()
    heard: dict[str, list[bytes]] = {machine.name: [] for machine in receivers}
    sender.nic.send(*sent.values())
    for _ in range(2):                          # Open vSwitch may reorder what it takes in together
        before = {name: got.count(last) for name, got in heard.items()}
        sender.nic.send(last)
        for machine in receivers:
            got = heard[machine.name]
            wait(lambda got=got, machine=machine, before=before: got.extend(machine.nic.frames()) or got.count(last) > before[machine.name])
    return {name: {what for what, frame in sent.items() if frame in got} for name, got in heard.items()}


# ---- a network without a subnet (N2)

@pytest.mark.parametrize("kind", KINDS)
def test_a_network_without_a_subnet_carries_any_ethertype(site: Site, kind: str) -> None:
    project = f"l2{kind[:2]}"
    a, here, there = trio(site, project, site.network(project, kind=kind, subnets=()), number=0)
    for machine in (a, here, there):
        machine.vm.namespace.script("ip -6 addr flush dev eth0")    # and take it again without the wait for duplicates
        machine.vm.address(f"{link_local(machine.mac)}/64")
    body = b"hadron" * 10

    def several(to: str) -> dict[str, bytes]:
        found = {name: frames.ethernet(a.mac, to, number, body) for name, number in {
            "IPX": 0x8137, "experiment": EXPERIMENT, "MPLS": 0x8847, "PPPoE": 0x8863, "802.3": len(body), "PTP": 0x88F7, "ATA": 0x88A2}.items()}
        return found | {"ARP": frames.arp(1, a.mac, to, a.mac, "192.0.2.1", "00:00:00:00:00:00", "192.0.2.2"),
                        "IPv4": frames.udp(a.mac, to, "192.0.2.1", "192.0.2.9", 1, 2), "IPv6": frames.udp(
                            a.mac, to, link_local(a.mac), "fe80::9", 1, 2)}

    last = frames.ethernet(a.mac, frames.TO_ALL, EXPERIMENT, b"last".ljust(46))
    forged = {"forged": frames.ethernet(OTHER_MAC, frames.TO_ALL, EXPERIMENT, body), "tagged": frames.tagged(last, 5)}
    to_all = several(frames.TO_ALL)
    assert carried(a, [here, there], to_all | forged, last) == {here.name: set(to_all), there.name: set(to_all)}
    for one, other in ((here, there), (there, here)):
        sent = several(one.mac)
        assert carried(a, [here, there], sent, last) == {one.name: set(sent), other.name: set()}
        assert a.vm.ping(f"{link_local(one.mac)}%eth0", 2, interval=0.01)


# ---- on and off

@pytest.mark.parametrize("what", ["port", "network"])
def test_what_is_switched_off_sends_and_receives_nothing(site: Site, what: str) -> None:
    project = f"off{what[:2]}"
    network = site.network(project)
    a, here, there = trio(site, project, network)
    both_ways = [tcp(here, a, 80), tcp(a, there, 80), ping(there, here, 6), ping(here, there)]
    settles(reached=both_ways)
    id = here.id if what == "port" else network["id"]
    site.change(what, id, admin_state_up=False)
    left = [one for one in both_ways if what == "port" and here not in (one.sender, one.receiver)]
    settles(refused=[one for one in both_ways if one not in left], reached=left)
    assert site.status(here.id) == "DOWN"
    site.change(what, id, admin_state_up=True)
    assert settles(reached=both_ways) < 1
    site.wait_active(here)


def test_a_port_is_down_until_it_is_plugged_in_and_after_it_is_taken_out(site: Site) -> None:
    network = site.network("status")
    port = site.create("port", network_id=network["id"], project_id="status")
    assert site.status(port["id"]) == "DOWN"
    began = time.monotonic()
    vm = site.cloud.plug(1, "status1", port_id=port["id"], mac=port["mac_address"])
    seen = []

    def active() -> bool:
        seen.append(site.status(port["id"]))
        return seen[-1] == "ACTIVE"

    wait(active, "the port is not ACTIVE")
    print(f"plugged in to ACTIVE: {time.monotonic() - began:.3f} s, by way of {list(dict.fromkeys(seen))}")
    assert list(dict.fromkeys(seen)) in (["DOWN", "BUILD", "ACTIVE"], ["BUILD", "ACTIVE"], ["DOWN", "ACTIVE"], ["ACTIVE"])
    site.cloud.unplug(vm)
    wait(lambda: site.status(port["id"]) == "DOWN", "the port is not DOWN")


def test_a_write_that_waits_returns_when_packets_follow_it(site: Site) -> None:
    """Every tenth of a second counts: a port that is made, plugged in and ACTIVE is reachable with the first packet."""
    network = site.network("realized")
    group = site.open_group("realized")
    first, = site.machines(Wish("realized1", network, 2, 11, {"security_groups": [group]}))
    for number in range(3):
        late, = site.machines(Wish(f"late{number}", network, 1, 20 + number, {"security_groups": [group]}))
        assert late.vm.ping(first.ip, wait=1) and first.vm.ping(late.ip6, wait=1)


# ---- moving

def test_a_machine_that_moves_keeps_its_addresses_and_connections(site: Site) -> None:
    network = site.network("moving")
    client, server, _ = trio(site, "moving", network)
    with Conversation(tcp(client, server, 80)) as talk, Conversation(udp(client, server, 53, 6)) as words:
        for host in (2, 1):
            site.cloud.move(server.vm, host)
            site.wait_active(server)
            assert talk.both_ways() and words.both_ways() and talk.back(PATIENCE)
            settles(reached=[tcp(client, server, 81), ping(server, client, 6)])


def test_of_two_hosts_that_show_the_same_port_the_one_it_is_bound_to_has_it(site: Site) -> None:
    """As in the middle of a live migration, or if a host lies."""
    network = site.network("bound")
    client, other, _ = trio(site, "bound", network)
    first, = site.machines(Wish("bound4", network, 1, 30, {"security_groups": client.port["security_groups"]}))
    second = Machine(site.cloud.plug_all([Plug(2, "bound5", first.id, first.mac, network["mtu"])])[0], first.port)
    second.take_addresses()
    for has, has_not, host in ((second, first, 2), (first, second, 1), (second, first, 2)):
        site.update(first, **{"binding:host_id": site.cloud.host(host).name})
        site.wait_active(first)
        said = [say(client, has, *port, v) for v in (4, 6) for say, port in ((tcp, (80,)), (udp, (53,)))]
        settles(reached=said)
        has_not.nic.frames()
        settles(reached=[*said, tcp(has, other, 80)])
        assert not [frame for frame in has_not.nic.frames() if frame[:6] == frames.raw_mac(first.mac)]
    site.update(first, **{"binding:host_id": "elsewhere"})
    settles(refused=[tcp(client, first, 80), tcp(client, second, 80), ping(first, other), ping(second, other, 6)])
    assert site.status(first.id) == "DOWN"
    second.nic.close()


def test_a_machine_whose_port_is_deleted_is_cut_off_at_once(site: Site) -> None:
    network = site.network("gone")
    a, here, _ = trio(site, "gone", network)
    with Conversation(udp(a, here, 53)) as talk:
        site.delete("port", here.id)
        assert talk.is_cut()


# ---- addresses

def test_every_one_of_several_fixed_addresses_works(site: Site) -> None:
    network = site.network("many", subnets=("10.0.0.0/24", "10.0.1.0/24", "2001:db8::/64", "2001:db8:1::/64"))
    addresses = ["10.0.0.21", "10.0.0.22", "10.0.1.21", "2001:db8::21", "2001:db8:1::21"]
    group = {"security_groups": [site.open_group("many")]}
    client_has = ["10.0.0.9", "10.0.1.9", "2001:db8::9", "2001:db8:1::9"]
    client, *servers = site.machines(
        *(Wish(name, network, host, 0, {**group, "fixed_ips": [{"ip_address": one} for one in has]}) for name, host, has in (
            ("many1", 1, client_has), ("many2", 1, addresses), ("many3", 2, [one[:-1] + "5" for one in addresses if one != "10.0.0.22"]))))
    settles(reached=[talk(client, server, *port, 6 if ":" in one["ip_address"] else 4, to=one["ip_address"])
                     for server in servers for one in server.port["fixed_ips"] for talk, port in ((tcp, (80,)), (ping, ()))])
    settles(reached=[ping(servers[0], client, source="10.0.0.22", to="10.0.0.9"),
                     ping(servers[0], client, 6, source="2001:db8:1::21", to="2001:db8:1::9")])


def test_a_port_without_security_sends_and_receives_anything(site: Site) -> None:
    network = site.network("free")
    free, other = site.machines(*(Wish(name, network, host, number, {"port_security_enabled": False, "security_groups": []})
                                  for name, host, number in (("free1", 1, 11), ("free2", 2, 12))))
    guarded, = site.machines(Wish("free3", network, 1, 13))
    last = frames.ethernet(free.mac, frames.TO_ALL, EXPERIMENT, b"last".ljust(46))
    sent = {"other MAC": frames.udp(OTHER_MAC, other.mac, "10.0.0.99", other.ip, 1, 2, b"1"), "router": frames.ra(free.mac),
            "tagged": frames.tagged(frames.ethernet(free.mac, other.mac, EXPERIMENT, b"tagged".ljust(46)), 5),
            "DHCP server": frames.udp(free.mac, frames.TO_ALL, free.ip, "255.255.255.255", 67, 68, b"2"),
            "to a MAC that it may have": frames.udp(free.mac, OTHER_MAC, free.ip, other.ip, 1, 2, b"3")}
    got = carried(free, [other, guarded], sent, last)
    assert got[other.name] == set(sent) and "to a MAC that it may have" not in got[guarded.name]
    settles(reached=[tcp(guarded, free, 80), tcp(guarded, other, 80, 6)], refused=[tcp(free, guarded, 80), ping(other, guarded)])


def test_a_shared_address_goes_where_its_holder_says_it_is(site: Site) -> None:
    """Allowed address pairs, as keepalived uses them: two machines may have the address, one has it at a time."""
    shared = "10.0.0.50"
    client, one, two = trio(site, "shared", site.network("shared"), allowed_address_pairs=[{"ip_address": shared}])
    for holder, other in ((one, two), (two, one)):
        other.vm.namespace.script(f"ip addr del {shared}/24 dev eth0 2>/dev/null || true")
        holder.vm.address(f"{shared}/24")
        holder.nic.send(frames.arp_request(holder.mac, shared, shared), frames.arp_reply(holder.mac, shared, frames.TO_ALL, shared))
        settles(reached=[tcp(client, holder, 80, to=shared), ping(client, holder, to=shared), ping(holder, client, source=shared)])
    site.update(two, allowed_address_pairs=[])
    settles(refused=[ping(two, client, source=shared), tcp(client, two, 80, to=shared)], reached=[ping(two, client)])


# ---- nothing goes to the controller

def test_traffic_in_steady_state_sends_no_packet_to_the_controller(site: Site) -> None:
    a, here, there = trio(site, "steady", site.network("steady"))
    everything = [say(*pair, *port, v) for pair in ((a, here), (a, there), (there, a)) for v in (4, 6)
                  for say, port in ((tcp, (80,)), (udp, (53,)), (ping, ()))]
    before = site.sent_to_controller()
    for _ in range(3):
        for machine in (a, here, there):                # so that ARP and neighbour discovery are asked again
            machine.vm.namespace.script("ip neigh flush dev eth0")
        settles(reached=everything)
        a.nic.send(*(frames.udp(a.mac, mac, a.ip, to, 1, 2, new_word()) for mac, to in (
            (frames.TO_ALL, "10.0.0.255"), ("01:00:5e:01:02:03", "239.1.2.3"), (OTHER_MAC, "10.0.0.99"))))
    assert there.vm.ping(a.ip, 50, interval=0.002).received == 50
    assert site.sent_to_controller() == before
    there.nic.send(frames.udp(there.mac, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67))
    wait(lambda: site.sent_to_controller() == before + 1, "a DHCP question, which does go there, is not counted", PATIENCE + QUIET)
