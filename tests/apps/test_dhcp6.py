"""DHCPv6: which question gets which answer, byte by byte beside scapy (RFC 8415 §16 and §18.3)."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dhcp6 import (
    DHCP6_Advertise,
    DHCP6_Reply,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptInfoRefreshTime,
    DHCP6OptPref,
    DHCP6OptRapidCommit,
    DHCP6OptStatusCode,
)
from scapy.packet import Packet

from tests.kit.dhcp6 import (
    ADVERTISE,
    ALIEN,
    CONFIRM,
    DECLINE,
    DNS,
    ELSEWHERE,
    IA_NA,
    IA_PD,
    IA_TA,
    INFORMATION,
    MAC,
    ORO,
    OTHER_MAC,
    OURS,
    RAPID,
    REBIND,
    RECONFIGURE,
    REFRESH,
    RELEASE,
    RENEW,
    REPLY,
    REQUEST,
    SEARCH,
    SECOND,
    SERVER_DUID,
    SOLICIT,
    answer,
    ask,
    ia,
    one_port,
    options_of,
    oro,
    talk,
)
from tests.kit.frames import link_local, raw_ip
from tests.kit.tenant import Tenant

LEASE, RENEW_AFTER, REBIND_AFTER = 86400, 43200, 69120
NO_ADDRESSES, NO_BINDING, NOT_ON_LINK, NO_PREFIX = 2, 3, 4, 6
PREFERENCE = DHCP6OptPref(prefval=255)
NOT_YOURS = b"these addresses are not yours"


def lives(address: str, seconds: int = LEASE) -> Packet:
    return DHCP6OptIAAddress(addr=address, preflft=seconds, validlft=seconds)


def given(*addresses: str, id: int = 1, forget: tuple[str, ...] = ()) -> Packet:
    parts = [*map(lives, addresses), *(lives(one, 0) for one in forget)]
    times = {"T1": RENEW_AFTER, "T2": REBIND_AFTER} if addresses else {"T1": 0, "T2": 0}
    return DHCP6OptIA_NA(iaid=id, ianaopts=parts, **times)


def status(code: int, said: bytes = b"") -> Packet:
    return DHCP6OptStatusCode(statuscode=code, statusmsg=said)


def refused(code: int, id: int = 1) -> Packet:
    return DHCP6OptIA_NA(iaid=id, T1=0, T2=0, ianaopts=[status(code)])


OK = status(0)
# what is asked; the options of the reply; None: silence
ANSWERED: dict[str, tuple[bytes, Packet, list[Packet]]] = {
    "SOLICIT": (ask(SOLICIT, ia()), DHCP6_Advertise(), [PREFERENCE, given(OURS)]),
    "SOLICIT that hopes for another address": (ask(SOLICIT, ia(1, ALIEN)), DHCP6_Advertise(), [PREFERENCE, given(OURS)]),
    "SOLICIT that will do with a REPLY": (
        ask(SOLICIT, (RAPID, b""), ia()), DHCP6_Reply(), [DHCP6OptRapidCommit(), given(OURS)]),
    "SOLICIT without an association": (ask(SOLICIT), DHCP6_Advertise(), [PREFERENCE]),
    "SOLICIT with two": (ask(SOLICIT, ia(7), ia(3)), DHCP6_Advertise(),
                         [PREFERENCE, refused(NO_ADDRESSES, 7), given(OURS, id=3)]),
    "SOLICIT for a temporary address": (
        ask(SOLICIT, ia(kind=IA_TA)), DHCP6_Advertise(),
        [PREFERENCE, DHCP6OptIA_TA(iaid=1, iataopts=[status(NO_ADDRESSES)])]),
    "SOLICIT for a prefix": (
        ask(SOLICIT, ia(kind=IA_PD), ia()), DHCP6_Advertise(),
        [PREFERENCE, DHCP6OptIA_PD(iaid=1, T1=0, T2=0, iapdopt=[status(NO_PREFIX)]), given(OURS)]),
    "REQUEST": (ask(REQUEST, ia(1, OURS), server=SERVER_DUID), DHCP6_Reply(), [given(OURS)]),
    "REQUEST for any": (ask(REQUEST, ia(), server=SERVER_DUID), DHCP6_Reply(), [given(OURS)]),
    "REQUEST for another": (ask(REQUEST, ia(1, ALIEN), server=SERVER_DUID), DHCP6_Reply(), [given(OURS)]),
    "REQUEST for one of another link": (
        ask(REQUEST, ia(1, ELSEWHERE), server=SERVER_DUID), DHCP6_Reply(), [refused(NOT_ON_LINK)]),
    "RENEW": (ask(RENEW, ia(1, OURS), server=SERVER_DUID), DHCP6_Reply(), [given(OURS)]),
    "RENEW of another": (ask(RENEW, ia(1, ALIEN), server=SERVER_DUID), DHCP6_Reply(), [given(OURS, forget=(ALIEN,))]),
    "RENEW of two, one of another link": (
        ask(RENEW, ia(1, OURS, ELSEWHERE), server=SERVER_DUID), DHCP6_Reply(), [given(OURS, forget=(ELSEWHERE,))]),
    "RENEW of an association that never had any": (
        ask(RENEW, ia(1, OURS), ia(2), server=SERVER_DUID), DHCP6_Reply(), [given(OURS), refused(NO_BINDING, 2)]),
    "RENEW of a prefix": (
        ask(RENEW, ia(kind=IA_PD), server=SERVER_DUID), DHCP6_Reply(),
        [DHCP6OptIA_PD(iaid=1, T1=0, T2=0, iapdopt=[status(NO_BINDING)])]),
    "REBIND": (ask(REBIND, ia(1, OURS)), DHCP6_Reply(), [given(OURS)]),
    "REBIND from another link": (ask(REBIND, ia(1, ELSEWHERE)), DHCP6_Reply(), [given(OURS, forget=(ELSEWHERE,))]),
    "CONFIRM": (ask(CONFIRM, ia(1, OURS)), DHCP6_Reply(), [OK]),
    "CONFIRM of another": (ask(CONFIRM, ia(1, ALIEN)), DHCP6_Reply(), [status(NOT_ON_LINK, NOT_YOURS)]),
    "CONFIRM of two, one of them ours": (
        ask(CONFIRM, ia(1, OURS), ia(2, ALIEN)), DHCP6_Reply(), [status(NOT_ON_LINK, NOT_YOURS)]),
    "RELEASE": (ask(RELEASE, ia(1, OURS), server=SERVER_DUID), DHCP6_Reply(), [OK]),
    "RELEASE of another": (
        ask(RELEASE, ia(1, ALIEN), ia(2, OURS), server=SERVER_DUID), DHCP6_Reply(), [OK, refused(NO_BINDING)]),
    "DECLINE": (ask(DECLINE, ia(1, OURS), server=SERVER_DUID), DHCP6_Reply(), [OK]),
    "INFORMATION-REQUEST": (ask(INFORMATION), DHCP6_Reply(), [DHCP6OptInfoRefreshTime(reftime=LEASE)]),
    "INFORMATION-REQUEST of us": (
        ask(INFORMATION, server=SERVER_DUID), DHCP6_Reply(), [DHCP6OptInfoRefreshTime(reftime=LEASE)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_each_question_gets_the_answer_of_rfc_8415(name: str) -> None:
    asked, head, options = ANSWERED[name]
    heard = talk(one_port(), asked)
    assert heard is not None
    options_of(heard)
    assert heard == answer(head, *options)


ELSE = b"\0\3\0\1" + bytes(6)
SILENT = {
    "SOLICIT that names a server": ask(SOLICIT, ia(), server=SERVER_DUID),
    "SOLICIT of nobody": ask(SOLICIT, ia(), client=None),
    "REQUEST of nobody": ask(REQUEST, ia(), client=None, server=SERVER_DUID),
    "REQUEST of another server": ask(REQUEST, ia(1, OURS), server=ELSE),
    "REQUEST of no server": ask(REQUEST, ia(1, OURS)),
    "RENEW of another server": ask(RENEW, ia(1, OURS), server=ELSE),
    "REBIND that names a server": ask(REBIND, ia(1, OURS), server=SERVER_DUID),
    "CONFIRM that names a server": ask(CONFIRM, ia(1, OURS), server=SERVER_DUID),
    "CONFIRM without an address": ask(CONFIRM, ia()),
    "RELEASE of another server": ask(RELEASE, ia(1, OURS), server=ELSE),
    "DECLINE of no server": ask(DECLINE, ia(1, OURS)),
    "INFORMATION-REQUEST of another server": ask(INFORMATION, server=ELSE),
    "INFORMATION-REQUEST for an address": ask(INFORMATION, ia()),
    "an ADVERTISE": ask(ADVERTISE, ia(), server=SERVER_DUID),
    "a REPLY": ask(REPLY, ia(), server=SERVER_DUID),
    "a RECONFIGURE": ask(RECONFIGURE, server=SERVER_DUID),
    "through a relay": ask(12, ia()),
    "an unknown kind": ask(200, ia()),
    "kind 0": ask(0, ia()),
    "another's MAC": ask(SOLICIT, ia(), mac=OTHER_MAC),
    "another's link-local address": ask(SOLICIT, ia(), source=link_local(OTHER_MAC)),
    "from an address that is not link-local": ask(SOLICIT, ia(), source=OURS),
    "from nobody": ask(SOLICIT, ia(), source="::"),
    "to another port": ask(SOLICIT, ia(), ports=(546, 548)),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_is_not_for_us_gets_silence(name: str) -> None:
    assert talk(one_port(), SILENT[name]) is None


def test_information_may_be_asked_for_without_a_name() -> None:
    heard = talk(one_port(), ask(INFORMATION, client=None))
    assert heard == answer(DHCP6_Reply(), DHCP6OptInfoRefreshTime(reftime=LEASE), client=None)


# ---- whom and what for


def addresses_given(net: Tenant) -> list[bytes]:
    """The addresses that a REQUEST is given."""
    heard = talk(net, ask(REQUEST, ia(), server=SERVER_DUID))
    assert heard is not None
    (value,) = [value for code, value in options_of(heard) if code == IA_NA]
    rest, found = value[12:], []
    while rest[:2] == b"\0\5":
        found.append(rest[4:20])
        rest = rest[28:]
    return found


def test_all_addresses_on_stateful_subnets_are_given_and_no_others() -> None:
    net = one_port()
    for id, mode in (("t", "dhcpv6-stateful"), ("u", "slaac"), ("v", None)):
        net.put("subnet", id, network_id="n", ip_version=6, cidr="2001:db8:1::/64", ipv6_address_mode=mode)
    net.put("subnet", "four", network_id="n", ip_version=4, cidr="10.0.0.0/24")
    wanted = [("four", "10.0.0.5"), ("s", OURS), ("s", SECOND), ("t", "2001:db8:1::5"), ("u", "2001:db8:1::6"),
              ("v", "2001:db8:1::7")]  # fmt: skip
    net.put("port", "p", fixed_ips=[{"subnet_id": id, "ip_address": ip} for id, ip in wanted])
    assert addresses_given(net) == [raw_ip(OURS), raw_ip(SECOND), raw_ip("2001:db8:1::5")]


def test_as_many_addresses_as_a_port_may_have_fit_into_one_answer() -> None:
    net = one_port()
    own = [f"2001:db8::{number:x}" for number in range(1, 33)]
    net.put("port", "p", fixed_ips=[{"subnet_id": "s", "ip_address": ip} for ip in own])
    net.put("network", "n", mtu=1280)
    assert addresses_given(net) == [raw_ip(ip) for ip in own]


@pytest.mark.parametrize("mode", ("slaac", "dhcpv6-stateless"))
def test_where_machines_make_their_own_addresses_information_is_given_and_no_address(mode: str) -> None:
    net = one_port(mode, dns_nameservers=["fd00::53"])
    servers = DHCP6OptDNSServers(dnsservers=["fd00::53"])
    assert talk(net, ask(INFORMATION, oro(DNS))) == answer(DHCP6_Reply(), servers)
    expected = answer(DHCP6_Advertise(), PREFERENCE, refused(NO_ADDRESSES), servers)
    assert talk(net, ask(SOLICIT, oro(DNS), ia())) == expected


@pytest.mark.parametrize(
    "change",
    [
        ("subnet", "s", {"ipv6_address_mode": None}),
        ("subnet", "s", {"enable_dhcp": False}),
        ("subnet", "s", {"network_id": "other"}),
        ("port", "p", {"extra_dhcp_opts": [{"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 6}]}),
    ],
)
def test_without_dhcpv6_a_port_hears_nothing(change: tuple[str, str, dict]) -> None:
    net = one_port()
    assert talk(net, ask(SOLICIT, ia())) is not None
    kind, id, values = change
    net.put(kind, id, **values)
    assert talk(net, ask(SOLICIT, ia())) is None and talk(net, ask(INFORMATION)) is None


def test_switching_dhcpv4_off_is_another_thing() -> None:
    net = one_port()
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 4}])
    assert talk(net, ask(SOLICIT, ia())) is not None


def test_who_may_have_another_link_local_address_is_answered_there() -> None:
    net = one_port()
    asked = ask(SOLICIT, ia(), source="fe80::77")
    assert talk(net, asked) is None
    net.put("port", "p", allowed_address_pairs=[{"ip_address": "fe80::77", "mac_address": MAC}])
    assert talk(net, asked) is not None
    net.put("port", "p", allowed_address_pairs=[], port_security_enabled=False)
    assert talk(net, asked) is not None
    net.put("port", "p", allowed_address_pairs=[{"ip_address": "fd00::7", "mac_address": OTHER_MAC}])
    assert talk(net, ask(SOLICIT, ia(), mac=OTHER_MAC, source=link_local(OTHER_MAC))) is not None


# ---- what is told


def told(net: Tenant, *more: Any, kind: int = INFORMATION) -> list[tuple[int, bytes]]:
    """The options of an answer after the identifiers."""
    heard = talk(net, ask(kind, *more))
    assert heard is not None
    return options_of(heard)[2:]


def with_options(net: Tenant, *options: tuple[str, str]) -> Tenant:
    net.put("port", "p", extra_dhcp_opts=[
        {"opt_name": name, "opt_value": value, "ip_version": 6} for name, value in options])  # fmt: skip
    return net


def test_a_client_hears_what_it_asks_for_and_what_is_its_ports_own() -> None:
    net = with_options(one_port(dns_nameservers=["fd00::53"]), ("domain-search", "a.example,b.example"))
    search = DHCP6OptDNSDomains(dnsdomains=["a.example.", "b.example."])
    servers = DHCP6OptDNSServers(dnsservers=["fd00::53"])
    assert talk(net, ask(INFORMATION, oro(SEARCH, DNS, 99))) == answer(DHCP6_Reply(), search, servers)
    assert talk(net, ask(INFORMATION, oro(DNS))) == answer(DHCP6_Reply(), servers, search)
    assert talk(net, ask(INFORMATION, oro())) == answer(DHCP6_Reply(), search)
    assert [code for code, _ in told(net)] == [REFRESH, DNS, SEARCH]
    assert [code for code, _ in told(net, oro(REFRESH), kind=SOLICIT)] == [7, SEARCH]


def test_a_ports_own_option_is_before_its_subnets() -> None:
    net = with_options(one_port(dns_nameservers=["fd00::53"]), ("dns-server", "fd00::99"),
                       ("information-refresh-time", "1h"))  # fmt: skip
    assert told(net) == [(REFRESH, (3600).to_bytes(4, "big")), (DNS, raw_ip("fd00::99"))]


def test_resolvers_of_all_subnets_are_told_each_once_and_none_for_neutrons_none() -> None:
    net = one_port(dns_nameservers=["fd00::53", "::"])
    net.put("subnet", "t", network_id="n", ip_version=6, cidr="2001:db8:1::/64", ipv6_address_mode="slaac",
            dns_nameservers=["fd00::54", "fd00::53"])  # fmt: skip
    net.put("subnet", "u", network_id="n", ip_version=6, cidr="2001:db8:2::/64", dns_nameservers=["fd00::55"])
    assert told(net, oro(DNS)) == [(DNS, raw_ip("fd00::53") + raw_ip("fd00::54"))]


def test_what_does_not_fit_is_left_out_whole() -> None:
    net = with_options(one_port(), *((str(code), "x" * 255) for code in range(1000, 1050)))
    net.put("network", "n", mtu=1280)
    found = told(net)
    heard = talk(net, ask(INFORMATION))
    assert heard is not None and len(heard) - 14 <= 1280
    assert 3 < len(found) < 6 and all(len(value) in (4, 255) for _, value in found)


def test_what_is_said_follows_the_model() -> None:
    net = one_port()
    assert addresses_given(net) == [raw_ip(OURS)]
    net.put("port", "p", fixed_ips=[{"subnet_id": "s", "ip_address": SECOND}])
    assert addresses_given(net) == [raw_ip(SECOND)]
    assert talk(net, ask(CONFIRM, ia(1, OURS))) == answer(DHCP6_Reply(), status(NOT_ON_LINK, NOT_YOURS))
    net.put("subnet", "s", dns_nameservers=["fd00::1"])
    assert told(net, oro(DNS)) == [(DNS, raw_ip("fd00::1"))]


def test_codes_asked_for_twice_are_told_once() -> None:
    assert told(one_port(dns_nameservers=["fd00::1"]), (ORO, bytes((0, 23)) * 300)) == [(DNS, raw_ip("fd00::1"))]
