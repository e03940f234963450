"""Who tells machines of the names' service: DHCP, DHCPv6 and router advertisements say the same."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6NDOptDNSSL, ICMPv6NDOptRDNSS, IPv6
from scapy.layers.l2 import Ether

from apps import router_advertisements
from tests.kit import dhcp6, frames, leases
from tests.kit.dhcp6 import INFORMATION
from tests.kit.frames import raw_ip

ON = {"dns": {"domain": "cloud.example."}, "metadata": {"enabled": False}}
OFF = {"dns": {"enabled": False}, "metadata": {"enabled": False}}
IP, IP6 = "169.254.169.254", "fe80::a9fe:a9fe"
ROUTE = b"\x20" + raw_ip(IP) + bytes(4)
DEFAULT = b"\0" + raw_ip("10.0.0.1")


def four(settings: Any = ON, **subnet: Any) -> dict[int, bytes]:
    net = leases.one_port(**settings)
    net.put("subnet", "s", **subnet)
    return leases.said(net).options


def six(settings: Any = ON, **subnet: Any) -> tuple[dict[int, bytes], list[str], list[str]]:
    """DHCPv6 options; resolvers and domains of the advertisement."""
    net = dhcp6.one_port("dhcpv6-stateless", settings=settings, **subnet)
    reply = dhcp6.talk(net, dhcp6.ask(INFORMATION))
    assert reply is not None
    (frame,) = router_advertisements.advertise(net.world, net.model.get("port", "p"), frames.rs(dhcp6.MAC))
    heard = Ether(frame)[IPv6]
    return (dict(dhcp6.options_of(reply)), list(heard[ICMPv6NDOptRDNSS].dns) if ICMPv6NDOptRDNSS in heard else [],
            [str(one).rstrip(".") for one in heard[ICMPv6NDOptDNSSL].searchlist] if ICMPv6NDOptDNSSL in heard else [])


def domain(text: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in text.split(".")) + b"\0"


def test_a_subnet_without_resolvers_is_told_of_ours() -> None:
    told = four()
    assert (told[6], told[15], told[121]) == (raw_ip(IP), b"cloud.example", ROUTE + DEFAULT)
    options, servers, domains = six()
    assert (options[23], options[24]) == (raw_ip(IP6), domain("cloud.example"))
    assert (servers, domains) == ([IP6], ["cloud.example"])


def test_a_subnets_own_resolvers_take_its_place() -> None:
    assert four(dns_nameservers=["10.0.0.3"])[6] == raw_ip("10.0.0.3")
    options, servers, _ = six(dns_nameservers=["2001:db8::53"])
    assert options[23] == raw_ip("2001:db8::53") and servers == ["2001:db8::53"]


def test_neutrons_word_for_none_means_none() -> None:
    assert 6 not in four(dns_nameservers=["0.0.0.0"])
    options, servers, _ = six(dns_nameservers=["::"])
    assert 23 not in options and servers == []


def test_a_networks_own_domain_is_told_whether_we_answer_for_it_or_not() -> None:
    for settings in (ON, OFF):
        net = leases.one_port(**settings)
        net.put("network", "n", dns_domain="red.example.")
        assert leases.said(net).options[15] == b"red.example"


def test_switched_off_nothing_is_told() -> None:
    assert not {6, 15, 121} & four(OFF).keys()
    options, servers, domains = six(OFF)
    assert not {23, 24} & options.keys() and servers == domains == []


def test_a_port_with_a_name_is_told_it_unless_it_has_an_option_of_its_own() -> None:
    net = leases.one_port(**OFF)
    net.put("port", "p", dns_name="web.a")
    assert leases.said(net).options[12] == b"web"
    net.put("port", "p", extra_dhcp_opts=[{"opt_name": "hostname", "opt_value": "other", "ip_version": 4},
                                          {"opt_name": "domain-name", "opt_value": "b.example", "ip_version": 4}])
    assert (leases.said(net).options[12], leases.said(net).options[15]) == (b"other", b"b.example")


@pytest.mark.parametrize("gateway", ["10.0.0.1", None])
def test_the_way_there_is_told_where_no_router_is(gateway: str | None) -> None:
    net = leases.one_port(**ON)
    net.put("subnet", "s", gateway_ip=gateway)
    assert leases.said(net).options[121] == ROUTE + (DEFAULT if gateway else b"")
    net.put("port", "r", network_id="n", device_id="r", device_owner="network:router_interface",
            fixed_ips=[{"subnet_id": "s", "ip_address": "10.0.0.1"}])
    assert 121 not in leases.said(net).options


def test_what_is_taken_back_goes_with_what_was_said() -> None:
    net = dhcp6.one_port("slaac", settings=ON)
    said = router_advertisements.tell_all(net.world, "n")
    about = {what[0] for what, _ in said.undo}
    assert about == {"prefix", "server", "domain"}
