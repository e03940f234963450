"""Services at 169.254.169.254 and fe80::a9fe:a9fe: who reaches the controller there, and who does not."""

from __future__ import annotations

import pytest

from apps.pipeline import SERVE
from apps.services import APP, BURST, RATE
from controller.openflow import Meter
from tests.apps.test_cost import grown
from tests.kit import frames
from tests.kit.net import Net, Port

IP, IP6, MAC = "169.254.169.254", "fe80::a9fe:a9fe", "fa:16:3f:ff:a9:fe"
GATEWAY = "fa:16:3e:99:99:99"


def pair(net: Net, **more: bool) -> tuple[Port, Port]:
    net.network("net")
    return net.port("asker", on="host1", **more), net.port("other", on="host1", **more)


def name4(port: Port, *, to_mac: str = MAC, source: str | None = None, to: str = IP, dport: int = 53) -> bytes:
    return frames.udp(port.mac, to_mac, source or port.ip, to, 4000, dport, bytes(20))


def name6(port: Port, *, to_mac: str = MAC, source: str | None = None) -> bytes:
    return frames.udp(port.mac, to_mac, source or frames.link_local(port.mac), IP6, 4000, 53, bytes(20))


def tcp4(port: Port, dport: int, *, to_mac: str = MAC) -> bytes:
    return frames.tcp(port.mac, to_mac, port.ip, IP, 4000, dport)


def tcp6(port: Port, dport: int) -> bytes:
    return frames.tcp(port.mac, MAC, frames.link_local(port.mac), IP6, 4000, dport)


def served(port: Port) -> list[bytes]:
    return [name4(port), name6(port), *(segment(port, to) for to in (53, 80) for segment in (tcp4, tcp6))]


def test_questions_for_names_and_metadata_go_to_the_controller_and_to_nobody_else(net: Net) -> None:
    asker, _ = pair(net)
    for frame in served(asker):
        net.send(asker, frame).asks_controller(APP)


def test_so_they_do_by_the_gateways_mac_and_from_any_own_address(net: Net) -> None:
    asker, _ = pair(net)
    for frame in (name4(asker, to_mac=GATEWAY), name6(asker, source=asker.ip6), tcp4(asker, 53, to_mac=GATEWAY)):
        net.send(asker, frame).asks_controller(APP)


def test_no_group_needs_to_allow_it(net: Net) -> None:
    net.network("net")
    asker = net.port("asker", on="host1", groups=[net.group("closed", egress=False)])
    for frame in served(asker):
        net.send(asker, frame).asks_controller(APP)


def test_who_asks_for_the_address_is_answered_by_the_switch(net: Net) -> None:
    asker, _ = pair(net)
    for to_mac in (frames.TO_ALL, MAC):
        net.send(asker, frames.arp_request(asker.mac, asker.ip, IP, to_mac=to_mac)).answered(
            arp_op=2, arp_spa=IP, arp_sha=MAC, arp_tpa=asker.ip, eth_src=MAC, eth_dst=asker.mac)
    own = frames.link_local(asker.mac)
    for destination in (None, IP6):
        frame = frames.ns(asker.mac, own, IP6) if destination is None else frames.ns(asker.mac, own, IP6, to_mac=MAC, to_ip=IP6)
        net.send(asker, frame).answered(nd_target=IP6, nd_tll=MAC, icmpv6_type=136, ipv6_src=IP6, eth_src=MAC)


def test_nobody_asks_in_anothers_name(net: Net) -> None:
    asker, other = pair(net)
    for frame in (name4(asker, source=other.ip), name6(asker, source=frames.link_local(other.mac)),
                  name6(asker, source=other.ip6)):
        net.send(asker, frame).reaches_nobody("source address is not the port's")


def test_other_ports_and_addresses_and_what_is_in_a_vlan_go_their_way(net: Net) -> None:
    asker, other = pair(net, security=False)
    net.send(asker, name4(asker, to_mac=other.mac, dport=5353)).reaches(other)
    net.send(asker, name4(asker, to_mac=other.mac, to=other.ip)).reaches(other)
    net.send(asker, frames.tagged(name4(asker, to_mac=other.mac), 7)).reaches(other)
    net.send(asker, name4(asker)).asks_controller(APP)


def test_it_is_there_without_subnets(net: Net) -> None:
    net.network("bare", subnets=())
    asker = net.port("asker", on="host1")
    net.send(asker, name6(asker)).asks_controller(APP)


def test_each_port_has_one_flow_and_a_meter_of_its_own(net: Net) -> None:
    asker, other = pair(net)
    entries = [entry for entry in net.flows("host1").values() if entry.why.rule == "apps.services.serve"]
    meters = [entry for entry in entries if isinstance(entry, Meter)]
    flows = [entry for entry in entries if not isinstance(entry, Meter)]
    assert len(flows) == len(meters) == 2 and all(flow.key[0] == SERVE.number for flow in flows)
    assert len({entry.key for entry in meters}) == 2 and {(one.pps, one.burst) for one in meters} == {(RATE, BURST)}
    assert asker.key != other.key


@pytest.mark.parametrize("off", [("dns",), ("dns", "metadata")])
def test_what_is_switched_off_is_not_there(off: tuple[str, ...]) -> None:
    net = Net(**{name: {"enabled": False} for name in off})
    asker, _ = pair(net)
    net.send(asker, name4(asker)).reaches_nobody()
    if len(off) == 1:
        net.send(asker, tcp4(asker, 80)).asks_controller(APP)
    else:
        net.send(asker, frames.arp_request(asker.mac, asker.ip, IP)).reaches(net.things["port", "other"])
        assert not [entry for entry in net.flows("host1").values() if entry.why.rule == "apps.services.serve"]
        assert grown(net, lambda: net.port("third", on="host1"))["host1"] > 0
    net.check()
