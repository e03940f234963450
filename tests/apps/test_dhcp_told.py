"""DHCPv4: what a client is told, byte for byte, and how much of it fits."""

from __future__ import annotations

import pytest
from os_ken.lib.packet import dhcp as oracle
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.l2 import Ether

from apps import dhcp
from controller.packet.dhcp_options import read_routes
from tests.kit.dhcp import ACK, DISCOVER, OFFER, REQUEST, ask, read
from tests.kit.frames import raw_ip as ip
from tests.kit.leases import LEASE_TIMES, MAC, OURS, SERVER, one_port, said
from tests.kit.tenant import Tenant


@pytest.fixture
def net() -> Tenant:
    return one_port()


# ---- options


def whole(net: Tenant) -> None:
    net.put(
        "subnet",
        "s",
        dns_nameservers=["10.0.0.3", "2001:db8::3", "8.8.8.8"],
        host_routes=[
            {"destination": "192.168.4.0/22", "nexthop": "10.0.0.9"},
            {"destination": "172.16.0.0/12", "nexthop": "10.0.0.8"},
            {"destination": "1.2.3.4/32", "nexthop": "10.0.0.8"},
        ],
    )
    net.put(
        "port",
        "p",
        extra_dhcp_opts=[
            {"opt_name": name, "opt_value": value, "ip_version": 4}
            for name, value in (
                ("ntp-server", "10.0.0.30,10.0.0.31"),
                ("domain-name", "example.org"),
                ("domain-search", "a.example,b.example"),
                ("tftp-server", "boot.example.org"),
                ("bootfile-name", "pxelinux.0"),
                ("server-ip-address", "10.0.0.40"),
                ("option:tftp-server-address", "10.0.0.41"),
                ("hostname", "web"),
                ("224", "aa:bb:cc"),
                ("225", "text"),
            )
        ],
    )


ROUTES = (
    b"\x16\xc0\xa8\x04"
    + ip("10.0.0.9")
    + b"\x0c\xac\x10"
    + ip("10.0.0.8")
    + b"\x20"
    + ip("1.2.3.4")
    + ip("10.0.0.8")
    + b"\0"
    + ip(SERVER)
)
EVERYTHING = {
    **LEASE_TIMES,
    1: ip("255.255.255.0"),
    3: ip(SERVER),
    6: ip("10.0.0.3") + ip("8.8.8.8"),
    12: b"web",
    15: b"example.org",
    26: b"\x05\xaa",
    28: ip("10.0.0.255"),
    42: ip("10.0.0.30") + ip("10.0.0.31"),
    54: ip(SERVER),
    66: b"boot.example.org",
    67: b"pxelinux.0",
    119: b"\1a\7example\0\1b\7example\0",
    121: ROUTES,
    150: ip("10.0.0.41"),
    224: b"\xaa\xbb\xcc",
    225: b"text",
}


def test_every_option_byte_for_byte(net: Tenant) -> None:
    whole(net)
    answer = said(net, more={57: (1400).to_bytes(2, "big")})
    assert answer.options == {53: bytes((OFFER,)), **EVERYTHING}
    assert (answer.siaddr, answer.file, answer.sname) == ("10.0.0.40", b"pxelinux.0", b"boot.example.org")
    again = said(net, REQUEST, {50: ip(OURS), 55: bytes((249, 121, 6)), 57: (1400).to_bytes(2, "big")})
    own = {12, 15, 42, 66, 67, 119, 150, 224, 225}
    told = {53: bytes((ACK,)), 249: ROUTES, **{code: value for code, value in EVERYTHING.items() if code != 28}}
    assert again.options == told
    assert again.order == [53, 54, 51, 58, 59, 1, 3, 26, 249, 121, 6, *(code for code in again.order if code in own)]


def test_two_other_readers_understand_the_same(net: Tenant) -> None:
    whole(net)
    frame = dhcp.offer(net.world, net.model.get("port", "p"), ask(MAC, DISCOVER, {57: (1400).to_bytes(2, "big")}))[0]
    scapy = Ether(frame)
    said = {option[0]: option[1:] for option in scapy[DHCP].options if isinstance(option, tuple)}
    assert said["message-type"] == (OFFER,) and said["server_id"] == (SERVER,) and said["lease_time"] == (86400,)
    assert said["name_server"] == ("10.0.0.3", "8.8.8.8") and said["interface-mtu"] == (1450,)
    assert said["classless_static_routes"][0] == [
        "192.168.4.0/22:10.0.0.9",
        "172.16.0.0/12:10.0.0.8",
        "1.2.3.4/32:10.0.0.8",
        "0.0.0.0/0:10.0.0.1",
    ]
    assert (scapy[BOOTP].yiaddr, scapy[BOOTP].siaddr, scapy[BOOTP].chaddr[:6].hex(":")) == (OURS, "10.0.0.40", MAC)
    other = oracle.dhcp.parser(frame[42:])[0]
    assert (other.op, other.yiaddr, other.chaddr, other.boot_file.rstrip("\0")) == (2, OURS, MAC, "pxelinux.0")
    assert {option.tag: option.value for option in other.options.option_list} == {53: bytes((OFFER,)), **EVERYTHING}


def test_only_what_is_wanted_is_told_beside_what_a_lease_needs_and_what_is_the_ports_own(net: Tenant) -> None:
    net.put("subnet", "s", dns_nameservers=["10.0.0.3"])
    assert said(net, more={55: bytes((6, 6, 99, 255, 0))}).order == [53, 54, 51, 58, 59, 1, 3, 26, 6]
    assert said(net, more={55: b"\x1c"}).order == [53, 54, 51, 58, 59, 1, 3, 26, 28]
    assert said(net).order == [53, 54, 51, 58, 59, 1, 3, 26, 6, 28]


def test_a_ports_own_options_stand_over_the_subnets(net: Tenant) -> None:
    net.put("subnet", "s", host_routes=[{"destination": "192.168.4.0/22", "nexthop": "10.0.0.9"}])
    net.put(
        "port",
        "p",
        extra_dhcp_opts=[
            {"opt_name": "router", "opt_value": "10.0.0.7", "ip_version": 4},
            {"opt_name": "mtu", "opt_value": "9000", "ip_version": 4},
            {"opt_name": "lease-time", "opt_value": "1h", "ip_version": 4},
            {"opt_name": "dns-server", "opt_value": None, "ip_version": 4},
        ],
    )
    told = said(net).options
    assert told[3] == ip("10.0.0.7") and told[26] == (9000).to_bytes(2, "big")
    assert [int.from_bytes(told[code], "big") for code in (51, 58, 59)] == [3600, 1800, 3150]
    assert told[121].endswith(b"\0" + ip("10.0.0.7")), "the default route follows the router"


def test_blank_takes_routes_away(net: Tenant) -> None:
    net.put("subnet", "s", host_routes=[{"destination": "192.168.4.0/22", "nexthop": "10.0.0.9"}])
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "router", "opt_value": "", "ip_version": 4}])
    told = said(net, more={55: b"\x79\xf9\x03"}).options
    assert 3 not in told and told[121] == told[249] == b"\x16\xc0\xa8\x04" + ip("10.0.0.9")
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "classless-static-route", "opt_value": "", "ip_version": 4}])
    told = said(net, more={55: b"\x79\xf9\x03"}).options
    assert told[3] == ip(SERVER) and not told.keys() & {121, 249}


def test_who_knows_only_routes_without_widths_is_told_those_that_have_the_width_of_their_class(net: Tenant) -> None:
    by, blocks = "10.0.0.9", ("172.16.0.0/16", "192.168.4.0/24", "11.0.0.0/8", "1.2.3.4/32", "192.168.8.0/22", "10.1.0.0/16", "172.17.0.0/32")
    net.put("subnet", "s", host_routes=[{"destination": one, "nexthop": by} for one in blocks])
    taken = b"".join(ip(one.partition("/")[0]) + ip(by) for one in blocks[:4])
    assert said(net, more={55: bytes((33, 3))}).options[33] == taken
    for better in (121, 249):
        assert 33 not in said(net, more={55: bytes((33, better))}).options, "RFC 3442: not both"
    assert 33 not in said(net).options
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "static-route", "opt_value": "9.9.9.9,10.0.0.8", "ip_version": 4}])
    for wanted in (bytes((33,)), bytes((121,))):
        assert said(net, more={55: wanted}).options[33] == ip("9.9.9.9") + ip("10.0.0.8"), "the port's own"


def test_other_subnets_of_the_network_are_told_as_being_on_the_link(net: Tenant) -> None:
    net.put("subnet", "t", network_id="n", ip_version=4, cidr="10.2.0.0/16", gateway_ip="10.2.0.1")
    assert said(net).options[121] == b"\x10\x0a\x02" + bytes(4) + b"\0" + ip(SERVER)


def test_subnets_on_other_segments_are_told_as_being_behind_the_gateway(net: Tenant) -> None:
    net.put("subnet", "s", segment_id="here")
    for name, cidr, segment in (("t", "10.2.0.0/16", "there"), ("u", "10.3.0.0/16", "here")):
        net.put("subnet", name, network_id="n", ip_version=4, cidr=cidr, gateway_ip=cidr.replace("0.0/16", "0.1"), segment_id=segment)
    routes = read_routes(said(net).options[121])
    assert set(routes) == {("10.2.0.0/16", SERVER), ("10.3.0.0/16", "0.0.0.0"), ("0.0.0.0/0", SERVER)}
    net.put("subnet", "s", gateway_ip=None)
    assert read_routes(said(net).options[121]) == [("10.3.0.0/16", "0.0.0.0")]


def test_a_default_host_route_stands_in_for_the_gateway(net: Tenant) -> None:
    net.put("subnet", "s", gateway_ip=None, host_routes=[{"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}])
    assert said(net).options[3] == ip("10.0.0.9") and 121 not in said(net).options


def test_boot_files_differ_for_ipxe(net: Tenant) -> None:
    net.put(
        "port",
        "p",
        extra_dhcp_opts=[
            {"opt_name": "tag:!ipxe,bootfile-name", "opt_value": "undionly.kpxe", "ip_version": 4},
            {"opt_name": "tag:ipxe,67", "opt_value": "http://boot/script", "ip_version": 4},
        ],
    )
    assert said(net).options[67] == said(net).file == b"undionly.kpxe"
    assert said(net, more={175: b"\1\1\1"}).options[67] == b"http://boot/script"


# ---- sizes


def many(net: Tenant) -> None:
    net.put(
        "subnet",
        "s",
        host_routes=[{"destination": f"172.{16 + i % 16}.{i}.0/24", "nexthop": "10.0.0.9"} for i in range(40)],
    )
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": "example.org", "ip_version": 4}])


def test_what_does_not_fit_is_left_out_whole_and_the_rest_is_sent(net: Tenant) -> None:
    many(net)
    answer = said(net, more={55: b"\x79\x06\x1c\x0f"})
    assert answer.size <= 576 and 121 not in answer.options
    assert answer.order == [53, 54, 51, 58, 59, 1, 3, 26, 28, 15]


def test_a_client_that_takes_more_gets_long_options_in_pieces(net: Tenant) -> None:
    many(net)
    frame = dhcp.offer(net.world, net.model.get("port", "p"), ask(MAC, DISCOVER, {57: (1400).to_bytes(2, "big")}))[0]
    answer = read(frame)
    assert 576 < answer.size <= 1400 and len(answer.options[121]) == 40 * 8 + 5
    assert frame.count(b"\x79\xff") == 1 and frame.count(bytes((121, 325 - 255))) == 1, (
        "255 bytes, then the rest (RFC 3396)"
    )


@pytest.mark.parametrize("limit", [0, 1, 300, 575, 576, 65535])
def test_no_answer_is_larger_than_the_client_or_the_network_takes(net: Tenant, limit: int) -> None:
    many(net)
    net.put("network", "n", mtu=700)
    answer = said(net, more={57: limit.to_bytes(2, "big"), 55: bytes(range(1, 255))})
    assert answer.size <= max(576, min(limit, 700))


def test_an_identifier_as_long_as_the_whole_answer_does_not_push_it_over(net: Tenant) -> None:
    answer = said(net, more={61: bytes(255)})
    assert answer.size <= 576 and answer.options[51]
