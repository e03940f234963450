"""Every valid pair of ipv6_ra_mode and ipv6_address_mode: what a machine hears of its addresses, byte by byte, and what real
clients make of it.

The table says what Neutron's guide and RFC 4861, 4862, 8106 and 8415 have a machine be told; scapy writes it.
"""
from __future__ import annotations

import shutil
from itertools import count
from typing import Any, NamedTuple

import dns.message
import pytest
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptInfoRefreshTime,
    DHCP6OptPref,
    DHCP6OptServerId,
    DHCP6OptSNTPServers,
    DHCP6OptStatusCode,
)
from scapy.layers.inet6 import (
    UDP,
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from controller.values import eui64
from scenarios.lease6 import addresses6, begin_ipv6
from tests.kit import dhcp6, frames
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
SLAAC, STATELESS, STATEFUL = "slaac", "dhcpv6-stateless", "dhcpv6-stateful"
SERVERS, NTP, DAY = ["2001:db8::53", "2001:db8::54"], "2001:db8::7", 86400
SERVICE, SERVICE_MAC = "fe80::a9fe:a9fe", "fa:16:3f:ff:a9:fe"
ASKED = dhcp6.oro(dhcp6.DNS, dhcp6.SEARCH, 31, dhcp6.REFRESH)


class Told(NamedTuple):
    """flags: of advertisements, None if nobody advertises; autonomous: machines make an address of the prefix; lease:
    DHCPv6 gives the address; rest: DHCPv6 gives everything else; own: the port's address is made of its MAC."""
    flags: dict[str, int] | None = None
    autonomous: int = 0
    lease: bool = False
    rest: bool = False
    own: bool = False


TOLD = {
    (None, None): Told(),
    (None, SLAAC): Told(rest=True, own=True),
    (None, STATELESS): Told(rest=True, own=True),
    (None, STATEFUL): Told(lease=True, rest=True),
    (SLAAC, None): Told({}, 1, own=True),
    (STATELESS, None): Told({"O": 1}, 1, own=True),
    (STATEFUL, None): Told({"M": 1}),
    (SLAAC, SLAAC): Told({}, 1, rest=True, own=True),
    (STATELESS, STATELESS): Told({"O": 1}, 1, rest=True, own=True),
    (STATEFUL, STATEFUL): Told({"M": 1}, lease=True, rest=True),
}
PAIRS = pytest.mark.parametrize("pair", TOLD, ids=lambda pair: " and ".join(str(mode) for mode in pair))
ADVERTISED = pytest.mark.parametrize("pair", [pair for pair, told in TOLD.items() if told.flags is not None], ids=str)
numbers = count(1)


class Place(NamedTuple):
    machine: Machine
    prefix: str
    mtu: int


@pytest.fixture(scope="module")
def places(site: Site) -> dict[tuple[str | None, str | None], Place]:
    """A network, its subnet and a machine for each pair."""
    wishes, prefixes = [], []
    for number, (ra, address) in enumerate(TOLD, 1):
        network = site.network(f"pair{number}", subnets=())
        modes = {name: mode for name, mode in (("ipv6_ra_mode", ra), ("ipv6_address_mode", address)) if mode}
        prefixes.append(f"2001:db8:{number:x}::")
        subnet = site.create("subnet", network_id=network["id"], project_id=f"pair{number}", ip_version=6,
                             cidr=f"{prefixes[-1]}/64", dns_nameservers=SERVERS, **modes)
        options = [{"opt_name": "sntp-server", "opt_value": NTP, "ip_version": 6}]
        wishes.append(Wish(f"p{number}", network, 1, 0, {"fixed_ips": [{"subnet_id": subnet["id"]}], "extra_dhcp_opts": options}))
    made = site.machines(*wishes, addresses=False)
    return {pair: Place(machine, prefix, wish.network["mtu"])
            for pair, machine, prefix, wish in zip(TOLD, made, prefixes, wishes, strict=True)}


def heard(machine: Machine, *asked: bytes) -> list[bytes]:
    """What is told about addresses when these are asked; the answer to a last question says that all answers are there."""
    question = dns.message.make_query("sentinel", "A")
    port = 20000 + next(numbers)
    last = frames.udp(machine.mac, SERVICE_MAC, frames.link_local(machine.mac), SERVICE, port, 53, question.to_wire())
    machine.vm.namespace.script("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    machine.nic.frames()
    machine.nic.send(*asked, last)
    found: list[bytes] = []

    def done() -> bool:
        found.extend(machine.nic.frames())
        return any(frame[12:14] == b"\x86\xdd" and frame[20] == 17 and frame[54:58] == b"\0\x35" + port.to_bytes(2, "big")
                   for frame in found)
    wait(done, "the last question is not answered", 20)
    return [frame for frame in found if frame[12:14] == b"\x86\xdd" and frame[:6] == frames.raw_mac(machine.mac)
            and (frame[20] == 58 and frame[54] == 134 or frame[20] == 17 and frame[54:56] == b"\x02\x23")]


@PAIRS
def test_who_solicits_hears_these_bytes(places: dict, pair: tuple[str | None, str | None]) -> None:
    machine, prefix, mtu = places[pair]
    told, answers = TOLD[pair], heard(machine, frames.rs(machine.mac))
    if told.flags is None:
        assert answers == []
        return
    (answer,) = answers
    server = Ether(answer).src
    expected: Packet = Ether(dst=machine.mac, src=server) / IPv6(src=frames.link_local(server), dst=frames.link_local(machine.mac), hlim=255)
    for layer in (ICMPv6ND_RA(chlim=64, prf=0, routerlifetime=0, **told.flags), ICMPv6NDOptSrcLLAddr(lladdr=server),
                  ICMPv6NDOptMTU(mtu=mtu), ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64, L=1, A=told.autonomous),
                  ICMPv6NDOptDNSSL(lifetime=0xFFFFFFFF, searchlist=["openstacklocal"]),
                  ICMPv6NDOptRDNSS(lifetime=0xFFFFFFFF, dns=SERVERS)):
        expected = expected / layer
    assert answer == bytes(expected)


@PAIRS
def test_who_asks_by_dhcpv6_hears_these_bytes(places: dict, pair: tuple[str | None, str | None]) -> None:
    machine, told = places[pair].machine, TOLD[pair]
    rest = [DHCP6OptDNSServers(dnsservers=SERVERS), DHCP6OptDNSDomains(dnsdomains=["openstacklocal."]), DHCP6OptSNTPServers(sntpservers=[NTP])]
    lives = DHCP6OptIAAddress(addr=machine.ip6, preflft=DAY, validlft=DAY)
    lease = DHCP6OptIA_NA(iaid=1, T1=DAY // 2, T2=DAY * 4 // 5, ianaopts=[lives])
    if not told.lease:                       # RFC 8415 §18.3.9: NoAddrsAvail, and everything else
        lease = DHCP6OptIA_NA(iaid=1, T1=0, T2=0, ianaopts=[DHCP6OptStatusCode(statuscode=2)])
    for kind, more, head, options, answered in (
            (dhcp6.SOLICIT, [dhcp6.ia()], DHCP6_Advertise(), [DHCP6OptPref(prefval=255), lease, *rest], told.rest),
            (dhcp6.INFORMATION, [], DHCP6_Reply(), [*rest, DHCP6OptInfoRefreshTime(reftime=DAY)], told.rest)):
        asked = dhcp6.ask(kind, *more, ASKED, mac=machine.mac, source=frames.link_local(machine.mac))
        answers = heard(machine, asked)
        if not answered:
            assert answers == []
            continue
        (answer,) = answers
        assert options_of(answer) == options_of(written(machine, Ether(answer).src, head, options)), kind
        assert len(answer) == len(written(machine, Ether(answer).src, head, options))


def written(machine: Machine, server: str, head: Packet, options: list[Packet]) -> bytes:
    """The frame as scapy writes it."""
    head.trid = 0x123456
    made = Ether(dst=machine.mac, src=server) / IPv6(src=frames.link_local(server), dst=frames.link_local(machine.mac))
    made = made / UDP(sport=547, dport=546) / head / DHCP6OptServerId(duid=DUID_LL(lladdr=server)) / DHCP6OptClientId(duid=dhcp6.MY_DUID)
    for option in options:
        made = made / option
    return bytes(made)


def options_of(frame: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A right frame's addresses, ports and kind, and its options: their order is the server's affair (RFC 8415 §21.1)."""
    listed = sorted(dhcp6.options_of(frame))
    return frame[:18] + frame[20:58] + frame[62:66], listed


# ---- real clients

@ADVERTISED
def test_rdisc6_reads_it(places: dict, pair: tuple[str | None, str | None]) -> None:
    if not shutil.which("rdisc6"):
        pytest.skip("is not there")
    (machine, prefix, mtu), told = places[pair], TOLD[pair]
    begin_ipv6(machine.vm.namespace)
    wait(lambda: addresses6(machine.vm.namespace, "link"), "its own address is not ready")
    said = machine.vm.run(["rdisc6", "-1", "-n", "-r", "10", "eth0"]).stdout
    fields: dict[str, list[str]] = {}
    for line in said.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), []).append(value.strip())

    def yes(flag: Any) -> list[str]:
        return ["Yes" if flag else "No"]
    assert told.flags is not None
    assert (fields["Stateful address conf."], fields["Stateful other conf."]) == (yes(told.flags.get("M")), yes(told.flags.get("O")))
    assert (fields["On-link"], fields["Autonomous address conf."]) == (yes(True), yes(told.autonomous))
    assert fields["Prefix"] == [f"{prefix}/64"] and fields["MTU"][0].startswith(f"{mtu} ")
    assert [one for name, values in fields.items() if "DNS server" in name and "lifetime" not in name for one in values] == SERVERS


@PAIRS
def test_the_clients_of_a_machine_come_to_its_ports_address(places: dict, pair: tuple[str | None, str | None]) -> None:
    """Its kernel, where it is to make one; dhclient, where it is to be given one; dhclient -S for everything else."""
    (machine, prefix, _), told = places[pair], TOLD[pair]
    made = machine.ip6 == eui64(f"{prefix}/64", machine.mac)
    assert made == told.own
    begin_ipv6(machine.vm.namespace)
    if told.autonomous:
        assert machine.vm.slaac() == (machine.ip6,)
    if told.lease:
        lease = machine.vm.dhcp6()
        assert (lease.address, lease.dns, lease.search) == (machine.ip6, tuple(SERVERS), ("openstacklocal.",))
        assert addresses6(machine.vm.namespace) == (machine.ip6,)
    elif told.rest:
        lease = machine.vm.dhcp6(stateless=True)
        assert (lease.address, lease.dns, lease.search) == (None, tuple(SERVERS), ("openstacklocal.",))
        assert lease.options["new_dhcp6_sntp_servers"] == NTP
