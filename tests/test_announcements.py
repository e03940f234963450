"""What is said unasked: at once when it changes, again in its turn, in small portions, and taken back when it is so no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, IPv6
from scapy.layers.l2 import ARP, Ether

from apps.router_advertisements import AGAIN, tell_all
from controller.announcements import PORTION, TURN, Announcements
from controller.app import SAYINGS
from tests.kit.frames import link_local
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router
from tests.kit.told import NOW, Told
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, load
from tests.laws.operations import apply

SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


@pytest.fixture
def net() -> Iterator[Told]:
    made = Told()
    yield made
    made.check()
    scratch = Announcements(made.model, made.compiler.world, SAYINGS, made._send)
    scratch.take([(kind, id) for kind, rows in made.model.rows.items() for id in rows], (), tell=False)
    assert scratch.said == made.announcements.said, "what is said now does not follow from the model alone"


def places(sent: list[tuple[str, int, bytes]]) -> Counter:
    return Counter((switch, port) for switch, port, _ in sent)


def place(net: Net, port: Port) -> tuple[str, int]:
    return net.place(port)


def ports(net: Told, number: int, network: Thing | None = None, name: str = "p") -> list[Port]:
    return [
        net.port(f"{name}{each}", network=network, on=f"host{each % 2 + 1}", groups=[], ip=[]) for each in range(number)
    ]


def test_a_new_subnet_is_told_of_to_all_machines_at_once(net: Told) -> None:
    network = net.network("net", subnets=("10.0.0.0/24",))
    told = ports(net, 3)
    net.port("unplugged", groups=[])
    net.pass_by()
    net.subnet(network, "2001:db8::/64", **SLAAC)
    sent = net.pass_by()
    assert places(sent) == {place(net, port): 1 for port in told}
    (frame,) = {frame for _, _, frame in sent}
    assert Ether(frame)[ICMPv6NDOptPrefixInfo].prefix == "2001:db8::"
    assert net.pass_by(10) == []


def test_what_does_not_change_is_said_again_once_in_its_turn(net: Told) -> None:
    network = net.network("net", subnets=())
    net.subnet(network, "2001:db8::/64", **SLAAC)
    told = ports(net, 4)
    net.pass_by()
    assert places(net.pass_by(AGAIN)) == {place(net, port): 1 for port in told}
    assert places(net.pass_by(3 * AGAIN)) == {place(net, port): 3 for port in told}


def test_turns_do_not_depend_on_when_the_controller_started_and_are_not_all_at_once(net: Told) -> None:
    for number in range(40):
        network = net.network(f"n{number}", subnets=())
        net.subnet(network, "2001:db8::/64", **SLAAC)
        ports(net, 1, network, f"p{number}-")
    net.pass_by(5)
    at: dict[tuple[str, int], int] = {}
    for _ in range(AGAIN):
        at.update({(switch, port): net.now for switch, port, _ in net.pass_by()})
    assert len(at) == 40 and len(set(at.values())) > 30
    other = Announcements(net.model, net.compiler.world, SAYINGS, net._send)
    other.take([(kind, id) for kind, rows in net.model.rows.items() for id in rows], (), tell=False)
    net.announcements = other
    for _ in range(AGAIN):
        for switch, port, _ in net.pass_by():
            assert (net.now - at[switch, port]) % AGAIN == 0


def test_a_router_that_comes_is_told_of_and_one_that_goes_is_taken_back_first(net: Told) -> None:
    network = net.network("net", subnets=())
    subnet = net.subnet(network, "2001:db8::/64", **SLAAC)
    (told,) = ports(net, 1)
    net.pass_by()
    router = net._create("router", "r", "acme", {})
    wish = {"network_id": network.id, "device_id": router.id, "device_owner": "network:router_interface"}
    gateway = net._create("port", "gw", "acme", {**wish, "fixed_ips": [{"subnet_id": subnet.id, "ip_address": "2001:db8::1"}]})
    said = [Ether(frame) for _, _, frame in net.pass_by()]
    (frame,) = (frame for frame in said if ICMPv6ND_RA in frame)
    assert (frame.src, frame[ICMPv6ND_RA].routerlifetime) == (gateway.mac_address, 9000)
    net.change(router, admin_state_up=False)
    gone, now = (Ether(frame) for _, _, frame in net.pass_by())
    assert (gone.src, gone[ICMPv6ND_RA].routerlifetime) == (gateway.mac_address, 0)
    assert not gone.haslayer(ICMPv6NDOptPrefixInfo)
    assert (now.src, now[ICMPv6ND_RA].routerlifetime) == ("fa:16:3f:00:00:01", 0)
    assert now[ICMPv6NDOptPrefixInfo].validlifetime == 0xFFFFFFFF


def test_machines_hear_where_the_addresses_of_a_router_are_now(net: Told) -> None:
    """Who remembers the MAC of a router before would go on sending there."""
    network = net.network("net", subnets=("10.0.0.0/24", "2001:db8::/64"))
    told = ports(net, 2)
    router = Router(net).join(network)
    said = net.pass_by()
    assert {(switch, port) for switch, port, _ in said} == {place(net, port) for port in told}
    frames = [Ether(frame) for switch, port, frame in said if (switch, port) == place(net, told[0])]
    four, six = router.on(network), router.on(network, 6)
    (arp,) = (frame[ARP] for frame in frames if ARP in frame)
    assert (arp.psrc, arp.pdst, arp.hwsrc) == (four.ip, four.ip, four.mac)
    found = {frame[ICMPv6ND_NA].tgt: frame for frame in frames if ICMPv6ND_NA in frame}
    assert set(found) == {six.ip6, link_local(six.mac)}
    for address, frame in found.items():
        advertised = frame[ICMPv6ND_NA]
        assert (frame.src, frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (six.mac, address, "ff02::1", 255)
        assert (advertised.R, advertised.S, advertised.O) == (1, 0, 1)
        assert frame[ICMPv6NDOptDstLLAddr].lladdr == six.mac
        right = advertised.cksum
        del advertised.cksum
        assert Ether(bytes(frame))[ICMPv6ND_NA].cksum == right
    net.change(router.thing, admin_state_up=False)
    assert not net.pass_by()
    net.change(router.thing, admin_state_up=True)
    assert len(net.pass_by()) == len(said)


def test_a_subnet_that_goes_is_taken_back(net: Told) -> None:
    network = net.network("net", subnets=())
    subnet = net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
    ports(net, 1)
    net.pass_by()
    net.remove(subnet)
    (frame,) = (Ether(frame) for _, _, frame in net.pass_by())
    assert (frame[ICMPv6NDOptPrefixInfo].prefix, frame[ICMPv6NDOptPrefixInfo].preferredlifetime) == ("2001:db8::", 0)
    assert net.pass_by(AGAIN) == [] and net.announcements.said == {}


def test_what_comes_back_before_it_was_taken_back_stays(net: Told) -> None:
    network = net.network("net", subnets=())
    ports(net, 1)
    for _ in range(2):
        subnet = net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
        net.remove(subnet)
    net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
    (frame,) = (Ether(frame) for _, _, frame in net.pass_by())
    assert frame[ICMPv6NDOptPrefixInfo].preferredlifetime == 0xFFFFFFFF


def test_changes_that_say_nothing_new_are_no_news(net: Told) -> None:
    network = net.network("net")
    subnet = net.subnet(network, "2001:db8:1::/64", **SLAAC)
    ports(net, 2)
    net.pass_by()
    net.change(network, name="another name")
    net.change(subnet, name="another name")
    net.port("p9", on="host1", groups=[])
    assert net.pass_by(5) == []
    net.change(subnet, dns_nameservers=["fd00::53"])
    assert len(net.pass_by()) == 3


def test_many_places_are_served_a_portion_each_second_and_small_networks_do_not_wait_for_large_ones(net: Told) -> None:
    large, small = (net.network(name, subnets=()) for name in ("large", "small"))
    few = ports(net, 3, small, "few")
    bodies = [{"network_id": large.id, "name": f"many{number}", "fixed_ips": [], "security_groups": [], "project_id": "acme"}
              for number in range(PORTION + 2 * TURN)]  # fmt: skip
    rows = net.writer.create(net._asker("acme"), "port", bodies)
    net.learn([("interface", {"id": f"host1/many{number}", "host_id": "host1", "switch_id": net.switch_on("host1"),
                              "name": f"many{number}", "port_id": row.id, "ofport": 1000 + number})
               for number, row in enumerate(rows)])  # fmt: skip
    for network in (large, small):
        net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
    first, second, third = net.pass_by(), net.pass_by(), net.pass_by()
    assert len(first) == PORTION and {place(net, port) for port in few} <= set(places(first))
    assert places(first + second) == {(switch, port): 1 for switch, port, _ in first + second} and third == []
    assert len(first) + len(second) == len(rows) + 3


def test_a_round_begins_anew_if_what_is_said_changes_on_the_way(net: Told) -> None:
    network = net.network("net", subnets=())
    one = net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
    net.subnet(network, "2001:db8:1::/64", ipv6_ra_mode="slaac")
    told = ports(net, 2)
    net.pass_by()
    net.remove(one)
    net.subnet(network, "2001:db8:2::/64", ipv6_ra_mode="slaac")
    sent = net.pass_by()
    assert places(sent) == {place(net, port): 2 for port in told}  # what is gone, and all that there is
    first = [Ether(frame)[ICMPv6NDOptPrefixInfo] for switch, port, frame in sent if (switch, port) == place(net, told[0])]
    assert [(each.prefix, each.preferredlifetime) for each in first] == [("2001:db8::", 0), ("2001:db8:1::", 0xFFFFFFFF)]


def test_ports_that_go_on_the_way_and_networks_that_go_are_forgotten(net: Told) -> None:
    network = net.network("net", subnets=())
    gone, stays = ports(net, 2)
    subnet = net.subnet(network, "2001:db8::/64", ipv6_ra_mode="slaac")
    net.unplug(gone, "host1")
    assert places(net.pass_by()) == {place(net, stays): 1}
    net.change(subnet, dns_nameservers=["fd00::1"])
    for thing in (gone, stays, subnet, network):
        net.remove(thing)
    assert net.pass_by(AGAIN) == [] and not net.announcements.waiting and not net.announcements.said


@pytest.mark.parametrize("jump", (-100_000, 100_000))
def test_a_clock_that_is_set_stops_nobody_and_starts_no_storm(net: Told, jump: int) -> None:
    network = net.network("net", subnets=())
    net.subnet(network, "2001:db8::/64", **SLAAC)
    told = ports(net, 2)
    net.pass_by(5)
    net.now += jump
    assert len(net.pass_by()) <= 2
    assert places(net.pass_by(AGAIN)) == {place(net, port): 1 for port in told}


def test_seconds_in_which_the_desk_was_busy_are_made_up_for(net: Told) -> None:
    network = net.network("net", subnets=())
    net.subnet(network, "2001:db8::/64", **SLAAC)
    ports(net, 1)
    net.pass_by(5)
    heard = 0
    for _ in range(AGAIN // 10):
        net.now += 9
        heard += len(net.pass_by())
    assert heard == 1


def test_a_restart_says_nothing_new(net: Told) -> None:
    network = net.network("net", subnets=())
    net.subnet(network, "2001:db8::/64", **SLAAC)
    ports(net, 2)
    net.pass_by(5)
    net.announcements = Announcements(net.model, net.compiler.world, SAYINGS, net._send)
    net.announcements.take([(kind, id) for kind, rows in net.model.rows.items() for id in rows], (), tell=False)
    assert len(net.pass_by()) <= 2 and net.announcements.said.keys() == {(tell_all, (network.id,))}


@pytest.mark.parametrize("seed", range(6))
def test_what_is_said_after_any_history_follows_from_the_model_alone(seed: int) -> None:
    fabric = Fabric()
    made = Announcements(fabric.model, fabric.compiler.world, SAYINGS, lambda *_: None)
    for number, batch in enumerate(furnish(seed, tame=seed % 2 == 0) + Chance(seed, tame=seed % 2 == 0).history(150)):
        changes = [apply(fabric.model, one) for one in batch]
        made.take(changes, fabric.compiler.update(changes).news)
        made.tick(NOW + number)
    fresh = load(fabric.model)
    scratch = Announcements(fabric.model, fresh.world, SAYINGS, lambda *_: None)
    scratch.take([(kind, id) for kind, rows in fabric.model.rows.items() for id in rows], (), tell=False)
    assert made.said == scratch.said
