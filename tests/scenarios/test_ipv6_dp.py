"""IPv6 configuration with real kernels and a real DHCPv6 client, on two hosts."""

from __future__ import annotations

import itertools
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from scenarios import programs
from scenarios.lease import NoLease
from scenarios.lease6 import addresses6, begin_ipv6, routes6
from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
with_dhclient = pytest.mark.skipif(not shutil.which("dhclient"), reason="is not there")
MODES = ("slaac", "dhcpv6-stateless", "dhcpv6-stateful")
numbers = itertools.count(1)


def network(site: Site, mode: str | None = None, **subnet: Any) -> dict[str, Any]:
    """A network with an IPv6 subnet of a mode, if one is given; `cidr` says its prefix."""
    made = site.network(f"six{next(numbers)}", subnets=())
    if mode:
        made["subnet"] = add_subnet(site, made, mode, **subnet)
    return made


def add_subnet(site: Site, network: dict[str, Any], mode: str, **more: Any) -> dict[str, Any]:
    wish = {"cidr": f"2001:db8:{next(numbers):x}::/64", "ipv6_ra_mode": mode, "ipv6_address_mode": mode, **more}
    return site.create("subnet", network_id=network["id"], project_id=network["project_id"], ip_version=6, **wish)


def machines(site: Site, network: dict[str, Any], *hosts: int, **port: Any) -> list[Machine]:
    """Machines on these hosts, without addresses; their ports have those that the mode gives or that are chosen."""
    name = f"m{next(numbers)}x"
    fixed = {"fixed_ips": [{"subnet_id": network["subnet"]["id"]}]} if "subnet" in network else {}
    wishes = [Wish(f"{name}{each}", network, host, 0, {**fixed, **port}) for each, host in enumerate(hosts)]
    return site.machines(*wishes, addresses=False)


def has_address(machine: Machine, address: str) -> Callable[[], bool]:
    return lambda: address in addresses6(machine.vm.namespace)


def default_routers(machine: Machine) -> list[str]:
    return [route["gateway"] for route in routes6(machine.vm.namespace) if route["dst"] == "default"]


# ---- router advertisements


@pytest.mark.parametrize("mode", ("slaac", "dhcpv6-stateless"))
def test_kernels_make_the_addresses_of_the_model_and_reach_each_other(site: Site, mode: str) -> None:
    a, b = machines(site, network(site, mode), 1, 2)
    assert a.vm.slaac() == (a.ip6,) and b.vm.slaac() == (b.ip6,)
    assert a.vm.ping(b.ip6, 2, wait=3) and b.vm.ping(a.ip6, 2)
    mtu = a.vm.run(["cat", "/proc/sys/net/ipv6/conf/eth0/mtu"]).stdout
    assert int(mtu) == int(site.ask("GET", f"/v2.0/networks/{a.port['network_id']}")["network"]["mtu"])
    assert not default_routers(a)


def test_a_kernel_that_checks_for_duplicates_makes_it_too(site: Site) -> None:
    (machine,) = machines(site, network(site, "slaac"), 1)
    assert machine.vm.slaac(dad=True) == (machine.ip6,)


@pytest.mark.parametrize(
    ("mode", "flags", "autonomous"), [("slaac", {}, 1), ("dhcpv6-stateless", {"O": 1}, 1), ("dhcpv6-stateful", {"M": 1}, 0)]
)
def test_who_solicits_hears_these_bytes_and_nobody_else_hears_anything(site: Site, mode: str, flags: dict, autonomous: int) -> None:
    made = network(site, mode, dns_nameservers=["2001:db8::53", "2001:db8::54"])
    a, b = machines(site, made, 1, 1)
    begin_ipv6(b.vm.namespace)
    a.mute()
    with a.vm.capture("icmp6", direction="in") as heard, b.vm.capture("icmp6", direction="in") as other:
        a.nic.send(frames.rs(a.mac))
        (frame,) = heard.wait(1)
        wait(lambda: len(heard.frames()) == 1)
    server = Ether(frame).src
    assert server.startswith("fa:16:3f:00:")
    expected = Ether(dst=a.mac, src=server) / IPv6(src=frames.link_local(server), dst=frames.link_local(a.mac), hlim=255)
    expected = expected / ICMPv6ND_RA(chlim=64, prf=0, routerlifetime=0, **flags) / ICMPv6NDOptSrcLLAddr(lladdr=server)
    prefix = made["subnet"]["cidr"].split("/")[0]
    expected = expected / ICMPv6NDOptMTU(mtu=made["mtu"]) / ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64, L=1, A=autonomous)
    expected = expected / ICMPv6NDOptDNSSL(lifetime=0xFFFFFFFF, searchlist=["openstacklocal"])
    expected = expected / ICMPv6NDOptRDNSS(lifetime=0xFFFFFFFF, dns=["2001:db8::53", "2001:db8::54"])
    assert frame == bytes(expected)
    assert not [one for one in other.frames() if one[54] in (133, 134)]


def test_a_machine_that_has_no_address_yet_may_solicit(site: Site) -> None:
    (machine,) = machines(site, network(site, "slaac"), 1)
    machine.mute()
    asked = frames.icmp6(machine.mac, "33:33:00:00:00:02", "::", "ff02::2", 133)
    with machine.vm.capture("icmp6", direction="in") as heard:
        machine.nic.send(asked[:21] + b"\xff" + asked[22:])
        (frame,) = heard.wait(1)
    assert (Ether(frame).dst, Ether(frame)[IPv6].dst, frame[54]) == ("33:33:00:00:00:01", "ff02::1", 134)


def test_a_subnet_that_comes_gives_running_machines_addresses_and_takes_them_when_it_goes(site: Site) -> None:
    made = network(site)
    a, b = machines(site, made, 1, 2)
    for machine in (a, b):
        begin_ipv6(machine.vm.namespace)
    subnet = add_subnet(site, made, "slaac")
    for machine in (a, b):
        machine.port = site.ask("GET", f"/v2.0/ports/{machine.id}")["port"]
        wait(has_address(machine, machine.ip6), "nobody told of the subnet")
    assert a.vm.ping(b.ip6, 2, wait=3)
    site.delete("subnet", subnet["id"])
    wait(lambda: "deprecated" in a.vm.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global"]).stdout, "it stays preferred")


# ---- routers


def router(site: Site, *subnets: dict[str, Any]) -> dict[str, Any]:
    """A router that joins subnets."""
    made = site.create("router", name=f"r{next(numbers)}", project_id=subnets[0]["project_id"])
    for subnet in subnets:
        site.ask("PUT", f"/v2.0/routers/{made['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return made


def test_a_router_is_told_of_when_it_comes_and_leads_to_other_subnets(site: Site) -> None:
    here, there = network(site, "slaac"), network(site, "slaac")
    (a,), (b,) = (machines(site, one, host, security_groups=[site.open_group(one["project_id"])])
                  for one, host in ((here, 1), (there, 2)))
    for machine in (a, b):
        machine.vm.slaac()
        assert not default_routers(machine) and not a.vm.ping(b.ip6, 1, wait=0.3)
    made = router(site, here["subnet"], there["subnet"])
    for machine in (a, b):
        wait(lambda machine=machine: len(default_routers(machine)) == 1, "no default router")
    assert a.vm.ping(b.ip6, 3, wait=3) and b.vm.ping(a.ip6, 3)
    with a.vm.capture("icmp6 and ip6[40] == 134", direction="in") as heard:
        begin_ipv6(a.vm.namespace)
        (frame,) = (Ether(one) for one in heard.wait(1))
    assert (frame[ICMPv6ND_RA].routerlifetime, [frame[IPv6].src]) == (9000, default_routers(a))
    site.change("router", made["id"], admin_state_up=False)
    for machine in (a, b):
        wait(lambda machine=machine: not default_routers(machine), "it is still the default router")
    wait(has_address(a, a.ip6), "the address went with the router")


def test_a_subnets_routes_lead_through_who_has_the_nexthop(site: Site) -> None:
    made = network(site, "slaac")
    a, via = machines(site, made, 1, 2)
    a.vm.slaac()
    block = "2001:db8:ffff::/48"
    site.change("subnet", made["subnet"]["id"], host_routes=[{"destination": block, "nexthop": via.ip6}])

    def through() -> list[str]:
        return [route["gateway"] for route in routes6(a.vm.namespace) if route["dst"] == block]

    wait(lambda: through() == [frames.link_local(via.mac)], "no such route")
    assert not default_routers(a)
    site.change("subnet", made["subnet"]["id"], host_routes=[])
    wait(lambda: not through(), "the route stays")


# ---- DHCPv6


@with_dhclient
def test_dhclient_is_given_the_addresses_of_the_model(site: Site) -> None:
    made = network(site, "dhcpv6-stateful", dns_nameservers=["2001:db8::53"])
    options = [{"opt_name": name, "opt_value": value, "ip_version": 6} for name, value in
               (("domain-search", "tenant.example,example"), ("sntp-server", "2001:db8::7"))]
    a, b = machines(site, made, 1, 2, extra_dhcp_opts=options)
    for machine in (a, b):
        begin_ipv6(machine.vm.namespace)
        lease = machine.vm.dhcp6()
        assert (lease.event, lease.address, lease.preferred, lease.valid) == ("BOUND6", machine.ip6, 86400, 86400)
        assert (lease.dns, lease.search) == (("2001:db8::53",), ("tenant.example.", "example."))
        assert (lease.options["new_renew"], lease.options["new_rebind"]) == ("43200", "69120")
        assert lease.options["new_dhcp6_sntp_servers"] == "2001:db8::7"
        assert addresses6(machine.vm.namespace) == (machine.ip6,)
    assert a.vm.ping(b.ip6, 2, wait=3)


@with_dhclient
def test_rapid_commit_saves_a_question(site: Site) -> None:
    (machine,) = machines(site, network(site, "dhcpv6-stateful"), 1)
    begin_ipv6(machine.vm.namespace)
    with machine.vm.capture("udp port 547") as seen:
        assert machine.vm.dhcp6(send=["dhcp6.rapid-commit"]).address == machine.ip6
        kinds = [frame[62] for frame in seen.wait(2)]
    assert kinds == [1, 7]


@with_dhclient
def test_a_client_that_comes_back_confirms_its_address_or_learns_that_it_has_another(site: Site) -> None:
    (machine,) = machines(site, network(site, "dhcpv6-stateful"), 1)
    begin_ipv6(machine.vm.namespace)
    first = machine.vm.dhcp6()
    with machine.vm.capture("udp port 547") as seen:
        assert machine.vm.dhcp6(afresh=False).address == first.address == machine.ip6
        assert [frame[62] for frame in seen.wait(2)] == [4, 7]
    begin_ipv6(machine.vm.namespace)
    other = machine.ip6[: machine.ip6.rindex(":")] + ":77"
    site.update(machine, fixed_ips=[{"ip_address": other}])
    assert machine.vm.dhcp6(afresh=False, seconds=20).address == machine.ip6 == other


@with_dhclient
def test_a_client_renews_and_releases(site: Site) -> None:
    """The file in which it keeps its lease is made to say that the time to renew has come."""
    (machine,) = machines(site, network(site, "dhcpv6-stateful"), 1)
    begin_ipv6(machine.vm.namespace)
    machine.vm.dhcp6()
    leases = machine.vm.directory / f"{machine.name}.leases6"
    old = leases.read_text()
    for name in ("renew", "rebind"):
        at = old.index(f"{name} ") + len(name) + 1
        old = old[:at] + ("1" if name == "renew" else "600") + old[old.index(";", at):]
    leases.write_text(old)
    with machine.vm.capture("udp port 547") as seen:
        pid = machine.vm.directory / f"{machine.name}.pid6"
        going = machine.vm.start([programs.dhclient(), "-6", "-d", "-sf", "/bin/true", "-lf", str(leases), "-pf", str(pid), "eth0"])
        try:
            assert [frame[62] for frame in seen.wait(4, seconds=20)] == [4, 7, 5, 7]
        finally:
            going.send_signal(signal.SIGKILL)
            going.communicate()
        machine.vm.run([programs.dhclient(), "-6", "-r", "-sf", "/bin/true", "-lf", str(leases), "-pf", str(pid), "eth0"], check=False)
        assert [frame[62] for frame in seen.wait(6)][4:] == [8, 7]


@with_dhclient
@pytest.mark.parametrize("mode", ("slaac", "dhcpv6-stateless"))
def test_where_machines_make_their_own_addresses_dhclient_is_given_the_rest(site: Site, mode: str) -> None:
    (machine,) = machines(site, network(site, mode, dns_nameservers=["2001:db8::53"]), 1)
    machine.vm.slaac()
    lease = machine.vm.dhcp6(stateless=True)
    assert (lease.address, lease.dns, lease.options["new_dhcp6_info_refresh_time"]) == (None, ("2001:db8::53",), "86400")
    with pytest.raises(NoLease):
        machine.vm.dhcp6(seconds=2)


# ---- harm


def test_who_floods_with_solicitations_is_held_back_and_others_are_answered(site: Site) -> None:
    villain, other = machines(site, network(site, "slaac"), 1, 1)
    villain.mute()
    with villain.vm.capture("icmp6 and ip6[40] == 134", direction="in") as heard:
        began = time.monotonic()
        for _ in range(2000):
            villain.nic.send(frames.rs(villain.mac))
        assert other.vm.slaac(seconds=5) == (other.ip6,)
        answers, took = len(heard.wait(1)), time.monotonic() - began
    # Those of the meter's burst, and so many a second after it.
    assert answers <= 20 + 20 * took + 1 < 2000
