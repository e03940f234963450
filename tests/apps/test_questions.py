"""Questions for addresses and routers: which go to the controller, which go their way, and what it costs in flows."""

from __future__ import annotations

import pytest

from apps.pipeline import ASK
from apps.questions import APP
from controller.openflow import Meter
from tests.apps.test_cost import grown
from tests.kit import frames
from tests.kit.net import Net, Port, Thing

MODES = ("slaac", "dhcpv6-stateless", "dhcpv6-stateful")
SIX = "2001:db8::/64"


def network(net: Net, mode: str | None, *, four: bool = True, ra: bool = True, address: bool = True) -> Thing:
    """A network, dual stack unless `four` is false, whose IPv6 subnet has a mode."""
    made = net.network("net", subnets=("10.0.0.0/24",) if four else ())
    modes = {} if mode is None else {"ipv6_ra_mode": mode if ra else None, "ipv6_address_mode": mode if address else None}
    net.subnet(made, SIX, **modes)
    return made


def pair(net: Net, mode: str | None = "slaac", **more: bool) -> tuple[Port, Port]:
    """Two ports of such a network on one host; their group lets UDP in."""
    network(net, mode, **more)
    net.rule(net.default_group(), protocol="udp", v=6)
    return net.port("asker", on="host1"), net.port("other", on="host1")


def dhcp4(port: Port) -> bytes:
    return frames.udp(port.mac, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67, bytes(300))


def dhcp6(port: Port, **said: str) -> bytes:
    where = {"to_mac": "33:33:00:01:00:02", "to_ip": "ff02::1:2", **said}
    return frames.udp(
        port.mac, where["to_mac"], frames.link_local(port.mac), where["to_ip"], 546, 547, b"\1\1\2\3" + bytes(60)
    )


def rs(port: Port, source: str | None = None) -> bytes:
    if source is None:
        return frames.rs(port.mac)
    frame = frames.icmp6(port.mac, "33:33:00:00:00:02", source, "ff02::2", 133)
    return frame[:21] + b"\xff" + frame[22:]


# ---- which go where


@pytest.mark.parametrize("mode", MODES)
def test_where_ipv6_is_configured_all_three_are_answered(net: Net, mode: str) -> None:
    asker, _ = pair(net, mode)
    for frame in (dhcp4(asker), rs(asker), dhcp6(asker)):
        net.send(asker, frame).asks_controller(APP)


def test_who_has_no_address_yet_may_ask_for_a_router(net: Net) -> None:
    asker, _ = pair(net)
    net.send(asker, rs(asker, "::")).asks_controller(APP)


def test_where_no_mode_is_set_questions_of_ipv6_go_their_way(net: Net) -> None:
    asker, other = pair(net, None)
    net.send(asker, dhcp4(asker)).asks_controller(APP)
    net.send(asker, rs(asker)).reaches(other)
    net.send(asker, dhcp6(asker)).reaches(other)
    net.send(asker, rs(asker, "::")).reaches_nobody("source address is not the port's")


def test_without_subnets_all_go_their_way(net: Net) -> None:
    net.network("bare", subnets=())
    asker, other = (net.port(name, on="host1", security=False) for name in ("asker", "other"))
    for frame in (dhcp4(asker), rs(asker), rs(asker, "::"), dhcp6(asker)):
        net.send(asker, frame).reaches(other)


def test_another_router_and_another_dhcp_server_can_be_elsewhere(net: Net) -> None:
    asker, other = pair(net, "dhcpv6-stateful", ra=False)
    net.send(asker, rs(asker)).reaches(other)
    net.send(asker, dhcp6(asker)).asks_controller(APP)


def test_only_router_discovery_may_be_ours(net: Net) -> None:
    asker, other = pair(net, "dhcpv6-stateful", address=False)
    net.send(asker, rs(asker)).asks_controller(APP)
    net.send(asker, dhcp6(asker)).reaches(other)


def test_dhcpv6_can_be_switched_off_for_a_port(net: Net) -> None:
    asker, other = pair(net)
    off = {"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 6}
    net.change(asker, extra_dhcp_opts=[off])
    net.send(asker, dhcp6(asker)).reaches(other)
    net.send(asker, rs(asker)).asks_controller(APP)
    net.change(asker, extra_dhcp_opts=[off, {**off, "ip_version": 4}])
    net.send(asker, rs(asker)).asks_controller(APP)
    net.send(asker, dhcp6(asker)).reaches(other)


def test_what_is_not_for_all_routers_or_all_servers_goes_its_way(net: Net) -> None:
    asker, other = pair(net)
    net.send(asker, dhcp6(asker, to_mac=other.mac, to_ip=frames.link_local(other.mac))).reaches(other)
    body = bytes(4)
    net.send(asker, frames.icmp6(asker.mac, other.mac, frames.link_local(asker.mac), frames.link_local(other.mac), 133, 0, body)).reaches(other)


def test_what_is_in_a_vlan_of_the_tenants_own_goes_its_way(net: Net) -> None:
    network(net, "slaac")
    asker, other = (net.port(name, on="host1", security=False) for name in ("asker", "other"))
    for frame in (dhcp4(asker), rs(asker), dhcp6(asker)):
        net.send(asker, frame).asks_controller(APP)
        net.send(asker, frames.tagged(frame, 7)).reaches(other)


def test_questions_from_others_addresses_never_come(net: Net) -> None:
    asker, other = pair(net)
    forged = frames.udp(asker.mac, "33:33:00:01:00:02", frames.link_local(other.mac), "ff02::1:2", 546, 547, bytes(60))
    net.send(asker, forged).reaches_nobody("source address is not the port's")
    net.send(asker, frames.rs(asker.mac, other.ip6)).reaches_nobody("source address is not the port's")
    net.send(asker, rs(asker, other.ip6)).reaches_nobody("source address is not the port's")


# ---- what it costs


def asked(net: Net, port: Port) -> list[str]:
    """The fields that the port's flows look at beside the sender, and how many meters it has."""
    entries = [entry for entry in net.flows("host1").values() if entry.why.rule == "apps.questions.ask"]
    mine = [entry for entry in entries if entry.why.resource == port.id]
    assert sum(isinstance(entry, Meter) for entry in mine) == (1 if mine else 0)
    return [entry for entry in mine if not isinstance(entry, Meter)]


@pytest.mark.parametrize(
    ("four", "mode", "ra", "address", "flows"),
    [
        (True, "slaac", True, True, 1),
        (True, "dhcpv6-stateful", True, True, 1),
        (True, None, False, False, 1),
        (False, "dhcpv6-stateless", True, True, 1),
        (False, "dhcpv6-stateful", False, True, 1),
        (False, "dhcpv6-stateful", True, False, 1),
        (True, "dhcpv6-stateful", False, True, 2),
        (False, None, False, False, 0),
    ],
)
def test_all_kinds_of_questions_take_one_flow_and_one_meter(
    net: Net, four: bool, mode: str | None, ra: bool, address: bool, flows: int
) -> None:
    asker, _ = pair(net, mode, four=four, ra=ra, address=address)
    found = asked(net, asker)
    assert len(found) == flows and all(flow.key[0] == ASK.number for flow in found)


@pytest.mark.parametrize("mode", MODES)
def test_a_dual_stack_port_with_five_rules_that_is_configured_costs_25_flows(net: Net, mode: str) -> None:
    web = net.group("web")
    net.rule(web, protocol="icmp")
    net.rule(web, protocol="tcp", ports=80)
    net.rule(web, protocol="tcp", ports=22, remote=web)
    network(net, mode)
    for n in (1, 2):
        net.port(f"web{n}", on=f"host{n}", groups=[web])
    cost = grown(net, lambda: net.port("new", on="host1", groups=[web]))
    print(f"a dual-stack port with five rules, {mode}: {cost}")
    assert cost["host1"] <= 25 and cost["host2"] <= 5


def test_it_costs_a_network_one_flow_on_each_of_its_hosts(net: Net) -> None:
    made = net.network("net", subnets=("10.0.0.0/24",))
    for n in (1, 2):
        net.port(f"p{n}", on=f"host{n}", groups=[])
    cost = grown(net, lambda: net.subnet(made, SIX, ipv6_ra_mode="dhcpv6-stateful"))
    assert cost == {"host1": 2, "host2": 2}  # from nobody; and that solicitations are for us, apart from DHCPv4
