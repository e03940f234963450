"""DHCPv4: which question gets which answer, addressed to whom."""

from __future__ import annotations

import pytest

from tests.kit.dhcp import ACK, DECLINE, DISCOVER, EVERYBODY, INFORM, NAK, OFFER, RELEASE, REQUEST, ask
from tests.kit.frames import TO_ALL
from tests.kit.frames import raw_ip as ip
from tests.kit.leases import ALIEN, LEASE_TIMES, MAC, OTHER_MAC, OURS, SERVER, one_port, said, talk
from tests.kit.tenant import Tenant


@pytest.fixture
def net() -> Tenant:
    return one_port()


# ---- which answer (RFC 2131 §4.3)


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


@pytest.mark.parametrize(
    ("kind", "more", "fields", "mac", "address"),
    [
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
    ],
)
def test_answers_go_where_rfc_2131_section_4_1_sends_them(
    net: Tenant, kind: int, more: dict, fields: dict, mac: str, address: str
) -> None:
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
    net.put(
        "port",
        "p",
        fixed_ips=[
            {"subnet_id": "six", "ip_address": "2001:db8::5"},
            {"subnet_id": "off", "ip_address": "10.1.0.5"},
            {"subnet_id": "s", "ip_address": OURS},
        ],
    )
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
    assert (
        answer.from_ip == "169.254.169.254" and answer.options[54] == ip("169.254.169.254") and 3 not in answer.options
    )


def test_a_machine_that_is_the_gateway_is_not_served_from_its_own_address(net: Tenant) -> None:
    net.put("port", "p", fixed_ips=[{"subnet_id": "s", "ip_address": SERVER}])
    assert said(net).from_ip == "169.254.169.254"
    assert said(net, REQUEST, {50: ip(SERVER), 54: ip("169.254.169.254")}).kind == ACK
