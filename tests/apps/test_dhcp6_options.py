"""DHCPv6 options by name: which names and values are taken, their bytes, and what is said of a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DHCP6NTPSubOptMCAddr,
    DHCP6NTPSubOptSrvAddr,
    DHCP6NTPSubOptSrvFQDN,
    DHCP6OptBootFileUrl,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptInfoRefreshTime,
    DHCP6OptNewPOSIXTimeZone,
    DHCP6OptNISDomain,
    DHCP6OptNISPServers,
    DHCP6OptNISServers,
    DHCP6OptNTPServer,
    DHCP6OptSIPDomains,
    DHCP6OptSIPServers,
    DHCP6OptSNTPServers,
)
from scapy.packet import Packet

from apps.dhcp6_options import KNOWN, check, extras, read
from apps.extra_options import SWITCHED_OFF
from controller.types import freeze
from tests.kit.dhcp6 import option

# As scapy writes them, code and length included.
SAME = [
    ("dns-server", "fd00::1,fd00::2", DHCP6OptDNSServers(dnsservers=["fd00::1", "fd00::2"])),
    ("option6:dns-server", "[fd00::1]", DHCP6OptDNSServers(dnsservers=["fd00::1"])),
    ("23", "fd00::1", DHCP6OptDNSServers(dnsservers=["fd00::1"])),
    ("domain-search", "a.example, b.example", DHCP6OptDNSDomains(dnsdomains=["a.example.", "b.example."])),
    ("sip-server", "fd00::1", DHCP6OptSIPServers(sipservers=["fd00::1"])),
    ("sip-server-domain", "sip.example", DHCP6OptSIPDomains(sipdomains=["sip.example."])),
    ("nis-server", "fd00::1", DHCP6OptNISServers(nisservers=["fd00::1"])),
    ("nis+-server", "fd00::1", DHCP6OptNISPServers(nispservers=["fd00::1"])),
    ("nis-domain", "a.example", DHCP6OptNISDomain(nisdomain="a.example.")),
    ("sntp-server", "fd00::1,fd00::2", DHCP6OptSNTPServers(sntpservers=["fd00::1", "fd00::2"])),
    ("information-refresh-time", "10m", DHCP6OptInfoRefreshTime(reftime=600)),
    ("32", "infinite", DHCP6OptInfoRefreshTime(reftime=0xFFFFFFFF)),
    ("posix-timezone", "EST5EDT4", DHCP6OptNewPOSIXTimeZone(optdata=b"EST5EDT4")),
    ("bootfile-url", "tftp://[fd00::1]/x", DHCP6OptBootFileUrl(optdata=b"tftp://[fd00::1]/x")),
    ("bootfile-name", "http://a/b", DHCP6OptBootFileUrl(optdata=b"http://a/b")),
    (
        "ntp-server",
        "fd00::1,ff05::101,time.example",
        DHCP6OptNTPServer(
            ntpserver=[
                DHCP6NTPSubOptSrvAddr(addr="fd00::1"),
                DHCP6NTPSubOptMCAddr(addr="ff05::101"),
                DHCP6NTPSubOptSrvFQDN(fqdn="time.example."),
            ]
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "same"), SAME, ids=[name for name, _, _ in SAME])
def test_a_right_option_is_encoded_as_scapy_encodes_it(name: str, value: str, same: Packet) -> None:
    found = read(name, value)
    assert found is not None and found.value is not None
    assert option(found.code, found.value) == bytes(same)


# name, value, code, bytes
RIGHT = [
    ("nis+-domain", "a.b", 30, "0161016200"),
    ("tzdb-timezone", "Europe/Zurich", 42, b"Europe/Zurich".hex()),
    ("bootfile-param", "a, bc", 60, "0001" + "61" + "0002" + "6263"),
    ("captive-portal", "https://x", 103, b"https://x".hex()),
    ("sol-max-rt", "3600", 82, "00000e10"),
    ("83", "3600", 83, "00000e10"),
    # without a name here, as dnsmasq guesses
    ("17", "00:00:0a", 17, "00000a"),
    ("1000", "fd00::1", 1000, "fd00" + "00" * 13 + "01"),
    ("1000", "7", 1000, "07"),
    ("1000", "700", 1000, "02bc"),
    ("65535", "a b", 65535, b"a b".hex()),
    ("1000", "http://x", 1000, b"http://x".hex()),
]


@pytest.mark.parametrize(("name", "value", "code", "raw"), RIGHT)
def test_a_right_option_is_encoded(name: str, value: str, code: int, raw: str) -> None:
    found = read(name, value)
    assert found is not None and found.value is not None
    assert (check(name, value), found.code, found.value.hex()) == (None, code, raw)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("no-such-option", "x", "no DHCPv6 option"),
        ("mtu", "1400", "no DHCPv6 option"),
        ("router", "fd00::1", "no DHCPv6 option"),
        ("", "x", "no DHCPv6 option"),
        ("0", "x", "no DHCPv6 option"),
        ("65536", "x", "no DHCPv6 option"),
        ("-1", "x", "no DHCPv6 option"),
        ("2", "00:01", "own"),
        ("server-id", "x", "own"),
        ("option6:ia-na", "x", "own"),
        ("39", "x", "own"),
        ("dns-server", "10.0.0.1", "not right"),
        ("dns-server", "fd00::1,", "not right"),
        ("dns-server", "fd00::1%eth0", "not right"),
        ("dns-server", "", "blank"),
        ("dns-server", " ", "blank"),
        ("domain-search", "a b", "not a domain name"),
        ("domain-search", "a..b", "not a domain name"),
        ("nis-domain", "a.b,c.d", "one domain name"),
        ("information-refresh-time", "599", "at least 600"),
        ("information-refresh-time", "soon", "seconds"),
        ("sol-max-rt", "-1", "whole number"),
        ("sol-max-rt", "4294967296", "whole number"),
        ("ntp-server", "a b", "not a domain name"),
        ("dhcp_disabled", "perhaps", "true or false"),
        ("dns-server", "x" * 256, "one line"),
        ("dns-server\n", "fd00::1", "one line"),
        (7, "x", "one line"),
        ("dns-server", ["fd00::1"], "one line"),
    ],
)
def test_a_wrong_option_is_refused_with_a_reason(name: object, value: object, word: str) -> None:
    found = check(name, value)  # type: ignore[arg-type]
    assert found is not None and word in found
    assert found.startswith(("name: ", "value: "))


def test_no_value_is_no_option_and_the_switch_is_one() -> None:
    assert read("dns-server", None) is None and read("dhcp_disabled", None) is None
    assert read("dhcp_disabled", "True") is SWITCHED_OFF and read("dhcp_disabled", "false") is None


def test_options_of_dhcpv4_and_what_cannot_be_read_count_for_nothing() -> None:
    stored = freeze(
        [
            {"opt_name": "dns-server", "opt_value": "10.0.0.1", "ip_version": 6},
            {"opt_name": "dns-server", "opt_value": "fd00::1", "ip_version": 6},
            {"opt_name": "dns-server", "opt_value": "10.0.0.1", "ip_version": 4},
            {"opt_name": "domain-search", "opt_value": "a.b"},
        ]
    )
    assert [one.code for one in extras(stored)] == [23]


@given(
    st.one_of(st.sampled_from(sorted(KNOWN)), st.integers(0, 70000).map(str), st.text(max_size=70)),
    st.text(max_size=260),
)
def test_whatever_is_given_is_taken_or_refused_and_what_is_taken_has_bytes(name: str, value: str) -> None:
    if check(name, value) is None:
        found = read(name, value)
        assert found is None or found == SWITCHED_OFF or (found.value and 0 < len(found.value) <= 1024)
    extras(freeze([{"opt_name": name, "opt_value": value, "ip_version": 6}]))
