"""Router advertisements: what a machine hears that asks, byte by byte beside scapy, and what all hear unasked."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from apps import router_advertisements
from controller.app import Said
from tests.kit import frames
from tests.kit.dhcp6 import LINK_LOCAL, MAC, OTHER_MAC, SERVER_MAC, one_port
from tests.kit.frames import link_local
from tests.kit.tenant import Tenant

ROUTER_MAC = "fa:16:3e:00:00:99"
TO_ALL = {"to_mac": "33:33:00:00:00:01", "to_ip": "ff02::1"}
PREFIX = ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, L=1, A=1)
MTU = ICMPv6NDOptMTU(mtu=1450)


def heard(net: Tenant, frame: bytes | None = None) -> tuple[bytes, ...]:
    """What port p hears when it asks for a router."""
    return router_advertisements.advertise(net.world, net.model.get("port", "p"), frame or frames.rs(MAC))


def advertised(
    *options: Packet, mac: str = SERVER_MAC, to_mac: str = MAC, to_ip: str = LINK_LOCAL, M: int = 0, O: int = 0, lifetime: int = 0
) -> bytes:  # fmt: skip
    """The frame as scapy writes it."""
    made = Ether(dst=to_mac, src=mac) / IPv6(src=link_local(mac), dst=to_ip, hlim=255)
    made = made / ICMPv6ND_RA(chlim=64, M=M, O=O, prf=0, routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    for option in options:
        made = made / option
    return bytes(made)


def unasked(net: Tenant) -> Any:
    return router_advertisements.tell_all(net.world, "n")


def with_router(net: Tenant, *, up: bool = True) -> None:
    net.put("router", "r", admin_state_up=up)
    net.put("port", "gateway", network_id="n", mac_address=ROUTER_MAC, device_id="r", admin_state_up=True,
            device_owner="network:router_interface", fixed_ips=[{"subnet_id": "s", "ip_address": "2001:db8::1"}])  # fmt: skip


# ---- what is said of a subnet


@pytest.mark.parametrize(
    ("mode", "flags", "autonomous"),
    [("slaac", {}, 1), ("dhcpv6-stateless", {"O": 1}, 1), ("dhcpv6-stateful", {"M": 1}, 0)],
)
def test_each_mode_has_its_flags(mode: str, flags: dict[str, int], autonomous: int) -> None:
    prefix = ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, L=1, A=autonomous)
    assert heard(one_port(mode)) == (advertised(MTU, prefix, **flags),)


def test_an_advertisement_is_the_bytes_of_the_rfcs() -> None:
    """Once without scapy: RFC 4861 §4.2, §4.6.1, §4.6.2, §4.6.4 and RFC 8106 §5.1 by hand."""
    net = one_port("slaac", dns_nameservers=["2001:db8::53"])
    (frame,) = heard(net)
    assert frame[:14].hex() == "fa163e000005" + "fa163f000102" + "86dd"
    assert frame[14:22].hex() == "60000000" + "0058" + "3a" + "ff"
    assert frame[54:58].hex()[:4] == "8600" and frame[58:70].hex() == "40" + "00" + "0000" + "00000000" + "00000000"
    assert frame[70:].hex() == (
        "0101fa163f000102" + "05010000000005aa" + "030440c0ffffffffffffffff00000000" + "20010db8" + "00" * 12
        + "19030000ffffffff" + "20010db8" + "00" * 11 + "53"
    )  # fmt: skip


def test_resolvers_are_those_of_the_subnets_each_once() -> None:
    net = one_port("slaac", dns_nameservers=["2001:db8::53", "::", "fd00::54"])
    net.put("subnet", "t", network_id="n", ip_version=6, cidr="2001:db8:1::/64", ipv6_ra_mode="slaac",
            dns_nameservers=["fd00::54", "fd00::55"])  # fmt: skip
    other = ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, L=1, A=1)
    servers = ICMPv6NDOptRDNSS(lifetime=0xFFFFFFFF, dns=["2001:db8::53", "fd00::54", "fd00::55"])
    assert heard(net) == (advertised(MTU, PREFIX, other, servers),)


def test_subnets_of_several_modes_are_told_of_together() -> None:
    net = one_port("slaac")
    net.put("subnet", "t", network_id="n", ip_version=6, cidr="2001:db8:1::/56", ipv6_ra_mode="dhcpv6-stateful")
    net.put("subnet", "u", network_id="n", ip_version=6, cidr="2001:db8:2::/80", ipv6_ra_mode="dhcpv6-stateless")
    net.put("subnet", "v", network_id="n", ip_version=6, cidr="2001:db8:3::/64")
    net.put("subnet", "w", network_id="n", ip_version=4, cidr="10.0.0.0/24")
    wider = ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=56, L=1, A=0)
    narrower = ICMPv6NDOptPrefixInfo(prefix="2001:db8:2::", prefixlen=80, L=1, A=0)  # no room for a host's own part
    assert heard(net) == (advertised(MTU, PREFIX, wider, narrower, M=1, O=1),)


def test_a_machine_hears_of_the_subnets_of_its_own_segment() -> None:
    net = one_port("slaac", segment_id="here")
    net.put("subnet", "t", network_id="n", ip_version=6, cidr="2001:db8:1::/64", ipv6_ra_mode="dhcpv6-stateful", segment_id="there")
    other = ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, L=1, A=0)
    assert heard(net) == (advertised(MTU, PREFIX),)
    assert unasked(net) == Said(())
    for segment, told in (("here", advertised(MTU, PREFIX, **TO_ALL)), ("there", advertised(MTU, other, M=1, **TO_ALL))):
        net.put("segment", segment, network_id="n")
        assert router_advertisements.tell_segment(net.world, segment).frames == (told,)
    net.put("port", "p", fixed_ips=[{"subnet_id": "t", "ip_address": "2001:db8:1::5"}])
    assert heard(net) == (advertised(MTU, other, M=1),)


def test_an_mtu_that_ipv6_does_not_allow_is_not_told() -> None:
    net = one_port("slaac")
    net.put("network", "n", mtu=1279)
    assert heard(net) == (advertised(PREFIX),)


def test_many_subnets_are_told_of_in_several_messages_none_too_long() -> None:
    net = one_port("slaac")
    for number in range(1, 100):
        net.put("subnet", f"s{number:02}", network_id="n", ip_version=6, cidr=f"2001:db8:{number:x}::/64",
                ipv6_ra_mode="slaac", dns_nameservers=[f"2001:db8:{number:x}::{one}" for one in range(1, 6)])  # fmt: skip
    found = heard(net)
    assert 1 < len(found) < 20 and all(len(frame) - 14 <= 1450 for frame in found)
    read = [Ether(frame) for frame in found]
    prefixes = {layer.prefix for frame in read for layer in layers(frame, ICMPv6NDOptPrefixInfo)}
    servers = {one for frame in read for layer in layers(frame, ICMPv6NDOptRDNSS) for one in layer.dns}
    assert len(prefixes) == 100 and len(servers) == 495
    assert sum(len(list(layers(frame, ICMPv6NDOptMTU))) for frame in read) == 1
    assert all(len(list(layers(frame, ICMPv6NDOptSrcLLAddr))) == 1 for frame in read)


def layers(frame: Packet, kind: type[Packet]) -> list[Packet]:
    return [layer for layer in map(frame.getlayer, range(len(frame.layers()))) if isinstance(layer, kind)]


# ---- routers and routes


def test_the_interface_of_a_router_that_has_the_gateways_address_is_the_default_router() -> None:
    net = one_port("slaac")
    with_router(net)
    assert heard(net) == (advertised(MTU, PREFIX, mac=ROUTER_MAC, lifetime=9000),)


@pytest.mark.parametrize(
    "change",
    [
        ("router", "r", {"admin_state_up": False}),
        ("port", "gateway", {"admin_state_up": False}),
        ("port", "gateway", {"device_owner": "compute:nova"}),
        ("port", "gateway", {"device_id": "another"}),
        ("port", "gateway", {"fixed_ips": [{"subnet_id": "s", "ip_address": "2001:db8::2"}]}),
        ("subnet", "s", {"gateway_ip": None}),
    ],
)
def test_without_such_a_router_nobody_is_the_default_router(change: tuple[str, str, dict]) -> None:
    net = one_port("slaac")
    with_router(net)
    kind, id, values = change
    net.put(kind, id, **values)
    assert heard(net) == (advertised(MTU, PREFIX),)


def test_subnets_with_and_without_a_router_are_told_of_by_two() -> None:
    net = one_port("slaac")
    with_router(net)
    net.put("subnet", "t", network_id="n", ip_version=6, cidr="2001:db8:1::/64", ipv6_ra_mode="dhcpv6-stateful")
    other = ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, L=1, A=0)
    assert heard(net) == (
        advertised(MTU, PREFIX, mac=ROUTER_MAC, lifetime=9000, M=1),
        advertised(MTU, other, M=1),
    )


def test_routes_are_told_in_the_name_of_who_has_the_nexthop() -> None:
    net = one_port("slaac", host_routes=[
        {"destination": "2001:db8:a::/48", "nexthop": "2001:db8::1"},
        {"destination": "2001:db8:b::1/128", "nexthop": "2001:db8::9"},
        {"destination": "2001:db8:c::/65", "nexthop": "2001:db8::9"},
        {"destination": "2001:db8:d::/48", "nexthop": "2001:db8::dead"},
    ])  # fmt: skip
    with_router(net)
    net.put("port", "via", network_id="n", mac_address=OTHER_MAC, admin_state_up=True,
            fixed_ips=[{"subnet_id": "s", "ip_address": "2001:db8::9"}])  # fmt: skip
    near = ICMPv6NDOptRouteInfo(len=2, plen=48, rtlifetime=9000, prefix="2001:db8:a::")
    far = ICMPv6NDOptRouteInfo(len=3, plen=128, rtlifetime=9000, prefix="2001:db8:b::1")
    half = ICMPv6NDOptRouteInfo(len=3, plen=65, rtlifetime=9000, prefix="2001:db8:c::")
    assert heard(net) == (
        advertised(MTU, PREFIX, near, mac=ROUTER_MAC, lifetime=9000),
        advertised(MTU, far, half, mac=OTHER_MAC),
    )


def test_a_route_to_everywhere_makes_a_default_router() -> None:
    net = one_port("slaac", gateway_ip=None, host_routes=[{"destination": "::/0", "nexthop": "2001:db8::9"}])
    net.put("port", "via", network_id="n", mac_address=OTHER_MAC, admin_state_up=True,
            fixed_ips=[{"subnet_id": "s", "ip_address": "2001:db8::9"}])  # fmt: skip
    assert heard(net) == (advertised(MTU, PREFIX), advertised(MTU, mac=OTHER_MAC, lifetime=9000))


# ---- who asks


def test_who_has_no_address_yet_is_answered_as_all_are() -> None:
    asked = rs(source="::")
    assert heard(one_port("slaac"), asked) == (advertised(MTU, PREFIX, **TO_ALL),)


def test_a_pair_with_a_mac_of_its_own_is_answered_to_that_mac() -> None:
    net = one_port("slaac")
    net.put("port", "p", allowed_address_pairs=[{"ip_address": "fd00::7", "mac_address": OTHER_MAC}])
    found = heard(net, frames.rs(OTHER_MAC))
    assert found == (advertised(MTU, PREFIX, to_mac=OTHER_MAC, to_ip=link_local(OTHER_MAC)),)


def rs(*, source: str = LINK_LOCAL, mac: str = MAC, options: bytes = b"", kind: int = 133, code: int = 0,
       hops: int = 255, body: bytes = bytes(4)) -> bytes:  # fmt: skip
    """A solicitation, everything forgeable."""
    frame = frames.icmp6(mac, "33:33:00:00:00:02", source, "ff02::2", kind, code, body + options)
    return frame[:21] + bytes((hops,)) + frame[22:]


SLL = b"\1\1" + frames.raw_mac(MAC)
SILENCE = {
    "through a router": rs(hops=254),
    "another code": rs(code=1),
    "another message": rs(kind=135),
    "an advertisement": frames.ra(MAC),
    "shorter than it must be": rs(body=b""),
    "an option of no length": rs(options=b"\1\0" + bytes(6)),
    "an option beyond the end": rs(options=b"\1\2" + bytes(6)),
    "half an option": rs(options=SLL + b"\1"),
    "from nobody with a MAC": rs(source="::", options=SLL),
    "from a group": rs(source="ff02::1"),
    "another's MAC": rs(mac=OTHER_MAC),
    "wrong checksum": rs()[:-1] + b"\1",
    "a tag": frames.tagged(rs()),
    "not IPv6": rs()[:12] + b"\x08\x00" + rs()[14:],
    "IPv4 inside": rs()[:14] + b"\x45" + rs()[15:],
    "longer than the frame": rs()[:19] + b"\xff" + rs()[20:],
    "behind an extension header": rs()[:20] + b"\0" + rs()[21:],
}


@pytest.mark.parametrize("name", SILENCE)
def test_what_no_router_should_answer_gets_silence(name: str) -> None:
    assert heard(one_port("slaac"), SILENCE[name]) == ()


def test_a_solicitation_may_have_options_that_are_not_known_and_padding_behind() -> None:
    expected = (advertised(MTU, PREFIX),)
    for frame in (rs(), rs(options=SLL), rs(options=SLL + b"\x0e\1" + bytes(6)), rs() + bytes(20)):
        assert heard(one_port("slaac"), frame) == expected


@pytest.mark.parametrize("change", [{"ipv6_ra_mode": None}, {"enable_dhcp": False}])
def test_without_a_mode_there_is_silence(change: dict) -> None:
    net = one_port("slaac", **change)
    assert heard(net) == () and unasked(net) == Said()
    assert not router_advertisements.serves(net.world, net.model.get("port", "p"))


# ---- unasked


def test_all_hear_the_same_unasked() -> None:
    net = one_port("dhcpv6-stateless")
    with_router(net)
    assert unasked(net).frames == (advertised(MTU, PREFIX, mac=ROUTER_MAC, lifetime=9000, O=1, **TO_ALL),)


def test_everything_said_can_be_taken_back() -> None:
    net = one_port("slaac", dns_nameservers=["fd00::53"],
                   host_routes=[{"destination": "2001:db8:a::/48", "nexthop": "2001:db8::1"}])  # fmt: skip
    with_router(net)
    gone = ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, L=1, A=1, validlifetime=0, preferredlifetime=0)
    router = {"mac": ROUTER_MAC, **TO_ALL}
    assert [frame for _, frame in unasked(net).undo] == [
        advertised(gone, lifetime=9000, **router),
        advertised(ICMPv6NDOptRouteInfo(len=2, plen=48, rtlifetime=0, prefix="2001:db8:a::"), lifetime=9000, **router),
        advertised(ICMPv6NDOptRDNSS(lifetime=0, dns=["fd00::53"]), lifetime=9000, **router),
        advertised(lifetime=0, **router),
    ]


def test_prefixes_and_resolvers_stay_when_another_speaker_tells_of_them() -> None:
    net = one_port("slaac", dns_nameservers=["fd00::53"],
                   host_routes=[{"destination": "2001:db8:a::/48", "nexthop": "2001:db8::1"}])  # fmt: skip
    with_router(net)
    before = {about for about, _ in unasked(net).undo}
    net.put("router", "r", admin_state_up=False)
    gone = before - {about for about, _ in unasked(net).undo}
    assert sorted(gone) == [("route", "2001:db8:a::/48", ROUTER_MAC), ("router", ROUTER_MAC.replace(":", ""))]
