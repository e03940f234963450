"""DHCPv4: which question gets which answer, addressed to whom, with which options."""
from __future__ import annotations

from typing import Any

import pytest
from os_ken.lib.packet import dhcp as oracle
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.l2 import Ether

from apps import dhcp
from tests.kit.dhcp import ACK, DECLINE, DISCOVER, EVERYBODY, INFORM, NAK, OFFER, RELEASE, REQUEST, Answer, ask, read
from tests.kit.frames import TO_ALL, raw_ip
from tests.kit.tenant import Tenant

MAC, OTHER_MAC = "fa:16:3e:00:00:05", "fa:16:3e:00:00:66"
OURS, SERVER, ALIEN = "10.0.0.5", "10.0.0.1", "10.0.0.77"
LEASE_TIMES = {51: (86400).to_bytes(4, "big"), 58: (43200).to_bytes(4, "big"), 59: (75600).to_bytes(4, "big")}


@pytest.fixture
def net() -> Tenant:
    net = Tenant()
    net.put("network", "n", key=0x0102, mtu=1450)
    net.put("subnet", "s", network_id="n", ip_version=4, cidr="10.0.0.0/24", gateway_ip=SERVER)
    net.put("port", "p", network_id="n", mac_address=MAC, fixed_ips=[{"subnet_id": "s", "ip_address": OURS}])
    return net


def talk(net: Tenant, frame: bytes) -> Answer | None:
    """What port p hears when it sends a frame."""
    heard = dhcp.offer(net.world, net.model.get("port", "p"), frame)
    assert len(heard) <= 1
    return read(heard[0]) if heard else None


def said(net: Tenant, kind: int = DISCOVER, more: dict[int, bytes] | None = None, **fields: Any) -> Answer:
    answer = talk(net, ask(MAC, kind, more, **fields))
    assert answer is not None
    return answer


# ---- which answer (RFC 2131 §4.3)

def ip(text: str) -> bytes:
    return raw_ip(text)


QUESTIONS = {
    "DISCOVER": (DISCOVER, {}, {}, OFFER),
    "DISCOVER that hopes for another address": (DISCOVER, {50: ip(ALIEN)}, {}, OFFER),
    "selecting": (REQUEST, {54: ip(SERVER), 50: ip(OURS)}, {}, ACK),
    "selecting another address": (REQUEST, {54: ip(SERVER), 50: ip(ALIEN)}, {}, NAK),
    "selecting another server": (REQUEST, {54: ip(ALIEN), 50: ip(OURS)}, {}, None),
    "selecting another server and address": (REQUEST, {54: ip(ALIEN), 50: ip(ALIEN)}, {}, None),
    "selecting no address": (REQUEST, {54: ip(SERVER)}, {}, None),
    "after a restart": (REQUEST, {50: ip(OURS)}, {}, ACK),
    "after a restart with a stale address": (REQUEST, {50: ip(ALIEN)}, {}, NAK),
    "after a restart on another network": (REQUEST, {50: ip("192.168.7.7")}, {}, NAK),
    "renewing": (REQUEST, {}, {"ciaddr": OURS, "destination": SERVER, "to_mac": "fa:16:3f:00:01:02"}, ACK),
    "renewing another address": (REQUEST, {}, {"ciaddr": ALIEN, "destination": SERVER}, NAK),
    "renewing of a server that had the task before": (REQUEST, {}, {"ciaddr": OURS, "destination": "10.0.0.254"}, ACK),
    "rebinding": (REQUEST, {}, {"ciaddr": OURS}, ACK),
    "rebinding from another network": (REQUEST, {}, {"ciaddr": "192.168.7.7"}, NAK),
    "two addresses at once": (REQUEST, {50: ip(ALIEN)}, {"ciaddr": OURS}, NAK),
    "no address at all": (REQUEST, {}, {}, None),
    "INFORM": (INFORM, {}, {"ciaddr": OURS}, ACK),
    "INFORM with an address of its own": (INFORM, {}, {"ciaddr": ALIEN}, ACK),
    "RELEASE": (RELEASE, {54: ip(SERVER)}, {"ciaddr": OURS}, None),
    "DECLINE": (DECLINE, {54: ip(SERVER), 50: ip(OURS)}, {}, None),
    "an OFFER": (OFFER, {}, {}, None),
    "a lease query": (10, {}, {}, None),
    "through a relay": (DISCOVER, {}, {"giaddr": "10.0.0.9"}, None),
    "for another machine": (DISCOVER, {}, {"mac": OTHER_MAC}, None),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_gets_the_answer_of_rfc_2131(net: Tenant, name: str) -> None:
    kind, more, fields, expected = QUESTIONS[name]
    answer = talk(net, ask(**{"mac": MAC, "kind": kind, "more": more, **fields}))
    assert (answer.kind if answer else None) == expected
    if answer is None:
        return
    assert (answer.transaction, answer.chaddr, answer.from_ip, answer.options[54]) == (0x1234, MAC, SERVER, ip(SERVER))
    if expected == NAK:
        assert (answer.yiaddr, answer.ciaddr, answer.order) == ("0.0.0.0", "0.0.0.0", [53, 54, 56])
    elif kind == INFORM:
        assert answer.yiaddr == "0.0.0.0" and not answer.options.keys() & {51, 58, 59}
        assert answer.ciaddr == fields["ciaddr"] and answer.options[3] == ip(SERVER)
    else:
        assert answer.yiaddr == OURS and answer.options.items() >= LEASE_TIMES.items()
        assert answer.ciaddr == (fields.get("ciaddr", "0.0.0.0") if expected == ACK else "0.0.0.0")


@pytest.mark.parametrize(("kind", "more", "fields", "mac", "address"), [
    (DISCOVER, {}, {}, MAC, OURS),
    (DISCOVER, {}, {"flags": 0x8000}, TO_ALL, EVERYBODY),
    (REQUEST, {50: ip(OURS)}, {}, MAC, OURS),
    (REQUEST, {50: ip(OURS)}, {"flags": 0x8000}, TO_ALL, EVERYBODY),
    (REQUEST, {}, {"ciaddr": OURS}, MAC, OURS),
    (REQUEST, {}, {"ciaddr": OURS, "flags": 0x8000}, MAC, OURS),
    (REQUEST, {50: ip(ALIEN)}, {}, TO_ALL, EVERYBODY),
    (REQUEST, {}, {"ciaddr": ALIEN}, TO_ALL, EVERYBODY),
    (INFORM, {}, {"ciaddr": ALIEN}, MAC, ALIEN),
    (INFORM, {}, {"source": ALIEN}, MAC, ALIEN),
    (INFORM, {}, {}, TO_ALL, EVERYBODY),
])
def test_answers_go_where_rfc_2131_section_4_1_sends_them(net: Tenant, kind: int, more: dict, fields: dict, mac: str,
                                                          address: str) -> None:
    answer = said(net, kind, more, **fields)
    assert (answer.to_mac, answer.to_ip, answer.from_mac, answer.from_ip) == (mac, address, "fa:16:3f:00:01:02", SERVER)
    assert answer.flags == fields.get("flags", 0)


def test_the_client_identifier_comes_back_as_it_was(net: Tenant) -> None:
    identifier = b"\xff\x00\x01\x02" + bytes(range(40))
    for kind, more in ((DISCOVER, {}), (REQUEST, {50: ip(ALIEN)})):
        assert said(net, kind, {61: identifier, **more}).options[61] == identifier


# ---- whom and what for

def test_a_pair_with_a_mac_of_its_own_is_answered_to_that_mac(net: Tenant) -> None:
    net.put("port", "p", allowed_address_pairs=[{"ip_address": "10.0.0.9", "mac_address": OTHER_MAC}])
    answer = talk(net, ask(OTHER_MAC, DISCOVER))
    assert answer and (answer.yiaddr, answer.to_mac, answer.chaddr) == (OURS, OTHER_MAC, OTHER_MAC)


def test_the_first_address_on_a_subnet_with_dhcp_is_given(net: Tenant) -> None:
    net.put("subnet", "six", network_id="n", ip_version=6, cidr="2001:db8::/64", gateway_ip="2001:db8::1")
    net.put("subnet", "off", network_id="n", ip_version=4, cidr="10.1.0.0/24", gateway_ip="10.1.0.1", enable_dhcp=False)
    net.put("port", "p", fixed_ips=[{"subnet_id": "six", "ip_address": "2001:db8::5"},
                                    {"subnet_id": "off", "ip_address": "10.1.0.5"},
                                    {"subnet_id": "s", "ip_address": OURS}])
    assert said(net).yiaddr == OURS
    net.put("subnet", "s", enable_dhcp=False)
    assert talk(net, ask(MAC, DISCOVER)) is None
    net.put("subnet", "off", enable_dhcp=True)
    assert said(net).yiaddr == "10.1.0.5"


def test_a_port_without_address_or_with_dhcp_switched_off_hears_nothing(net: Tenant) -> None:
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 4}])
    assert talk(net, ask(MAC, DISCOVER)) is None
    net.put("port", "p", extra_dhcp_opts=[], fixed_ips=[])
    assert talk(net, ask(MAC, DISCOVER)) is None


def test_what_is_said_follows_the_model(net: Tenant) -> None:
    assert said(net).options[26] == (1450).to_bytes(2, "big") and 6 not in said(net).options
    net.put("network", "n", mtu=1300)
    net.put("subnet", "s", dns_nameservers=["10.0.0.3"], gateway_ip="10.0.0.254")
    assert said(net).options[26] == (1300).to_bytes(2, "big")
    assert said(net).options[6] == ip("10.0.0.3")
    assert said(net).options[54] == said(net).options[3] == ip("10.0.0.254")
    assert talk(net, ask(MAC, REQUEST, {54: ip(SERVER), 50: ip(OURS)})) is None


def test_without_gateway_the_server_is_link_local_and_no_router_is_told(net: Tenant) -> None:
    net.put("subnet", "s", gateway_ip=None)
    answer = said(net)
    assert answer.from_ip == "169.254.169.254" and answer.options[54] == ip("169.254.169.254") and 3 not in answer.options


def test_a_machine_that_is_the_gateway_is_not_served_from_its_own_address(net: Tenant) -> None:
    net.put("port", "p", fixed_ips=[{"subnet_id": "s", "ip_address": SERVER}])
    assert said(net).from_ip == "169.254.169.254"
    assert said(net, REQUEST, {50: ip(SERVER), 54: ip("169.254.169.254")}).kind == ACK


# ---- options

def whole(net: Tenant) -> None:
    net.put("subnet", "s", dns_nameservers=["10.0.0.3", "2001:db8::3", "8.8.8.8"],
            host_routes=[{"destination": "192.168.4.0/22", "nexthop": "10.0.0.9"},
                         {"destination": "172.16.0.0/12", "nexthop": "10.0.0.8"},
                         {"destination": "1.2.3.4/32", "nexthop": "10.0.0.8"}])
    net.put("port", "p", extra_dhcp_opts=[
        {"opt_name": name, "opt_value": value, "ip_version": 4} for name, value in (
            ("ntp-server", "10.0.0.30,10.0.0.31"), ("domain-name", "example.org"), ("domain-search", "a.example,b.example"),
            ("tftp-server", "boot.example.org"), ("bootfile-name", "pxelinux.0"), ("server-ip-address", "10.0.0.40"),
            ("option:tftp-server-address", "10.0.0.41"), ("hostname", "web"), ("224", "aa:bb:cc"), ("225", "text"))])


ROUTES = (b"\x16\xc0\xa8\x04" + ip("10.0.0.9") + b"\x0c\xac\x10" + ip("10.0.0.8") + b"\x20" + ip("1.2.3.4")
          + ip("10.0.0.8") + b"\0" + ip(SERVER))
EVERYTHING = {**LEASE_TIMES, 1: ip("255.255.255.0"), 3: ip(SERVER), 6: ip("10.0.0.3") + ip("8.8.8.8"), 12: b"web",
              15: b"example.org", 26: b"\x05\xaa", 28: ip("10.0.0.255"), 42: ip("10.0.0.30") + ip("10.0.0.31"),
              54: ip(SERVER), 66: b"boot.example.org", 67: b"pxelinux.0", 119: b"\1a\7example\0\1b\7example\0",
              121: ROUTES, 150: ip("10.0.0.41"), 224: b"\xaa\xbb\xcc", 225: b"text"}


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
    assert said["classless_static_routes"][0] == ["192.168.4.0/22:10.0.0.9", "172.16.0.0/12:10.0.0.8", "1.2.3.4/32:10.0.0.8",
                                                  "0.0.0.0/0:10.0.0.1"]
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
    net.put("port", "p", extra_dhcp_opts=[
        {"opt_name": "router", "opt_value": "10.0.0.7", "ip_version": 4},
        {"opt_name": "mtu", "opt_value": "9000", "ip_version": 4},
        {"opt_name": "lease-time", "opt_value": "1h", "ip_version": 4},
        {"opt_name": "dns-server", "opt_value": None, "ip_version": 4}])
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


def test_other_subnets_of_the_network_are_told_as_being_on_the_link(net: Tenant) -> None:
    net.put("subnet", "t", network_id="n", ip_version=4, cidr="10.2.0.0/16", gateway_ip="10.2.0.1")
    assert said(net).options[121] == b"\x10\x0a\x02" + bytes(4) + b"\0" + ip(SERVER)


def test_a_default_host_route_stands_in_for_the_gateway(net: Tenant) -> None:
    net.put("subnet", "s", gateway_ip=None, host_routes=[{"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}])
    assert said(net).options[3] == ip("10.0.0.9") and 121 not in said(net).options


def test_boot_files_differ_for_ipxe(net: Tenant) -> None:
    net.put("port", "p", extra_dhcp_opts=[
        {"opt_name": "tag:!ipxe,bootfile-name", "opt_value": "undionly.kpxe", "ip_version": 4},
        {"opt_name": "tag:ipxe,67", "opt_value": "http://boot/script", "ip_version": 4}])
    assert said(net).options[67] == said(net).file == b"undionly.kpxe"
    assert said(net, more={175: b"\1\1\1"}).options[67] == b"http://boot/script"


# ---- sizes

def many(net: Tenant) -> None:
    net.put("subnet", "s", host_routes=[{"destination": f"172.{16 + i % 16}.{i}.0/24", "nexthop": "10.0.0.9"} for i in range(40)])
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
    assert frame.count(b"\x79\xff") == 1 and frame.count(bytes((121, 325 - 255))) == 1, "255 bytes, then the rest (RFC 3396)"


@pytest.mark.parametrize("limit", [0, 1, 300, 575, 576, 65535])
def test_no_answer_is_larger_than_the_client_or_the_network_takes(net: Tenant, limit: int) -> None:
    many(net)
    net.put("network", "n", mtu=700)
    answer = said(net, more={57: limit.to_bytes(2, "big"), 55: bytes(range(1, 255))})
    assert answer.size <= max(576, min(limit, 700))


def test_an_identifier_as_long_as_the_whole_answer_does_not_push_it_over(net: Tenant) -> None:
    answer = said(net, more={61: bytes(255)})
    assert answer.size <= 576 and answer.options[51]
