"""`hadron doctor`: what is known to be wrong, or will be, with the words that mend it.

Each check is a function that yields findings; "bad" is what keeps something from working, "note" what to know.
Reads facts and rows only, apart from the little that is asked of the desk.
"""
from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from apps.bandwidth import speed_of
from apps.queues import promises
from controller.world import Glance
from topology.reservations import FREE

MOST_NAMED = 5


class Finding(NamedTuple):
    """One thing found: how bad, about what, what it is, and what to do."""

    severity: str
    about: str
    text: str
    remedy: str = ""


class Fabric(NamedTuple):
    """What the checks look at."""

    model: Any
    standing: Mapping[str, Any]
    home: Callable[[str], str | None]
    sessions: Mapping[str, Mapping[str, Any]]        # Switches.report(), by switch; empty if not known
    peers: Iterable[Any] | None                      # OvsdbServer.peers(); None if not known


# (first version, first version after it, severity, what, remedy)
_VERSIONS = (
    ((0,), (2, 11), "bad", "has no neighbour advertisements in flows (nd_options_type), which IPv6 here needs",
     "upgrade Open vSwitch to 2.17 or later"),
    ((3, 1, 0), (3, 1, 1), "note", "drops connections, and ends by itself after enough of them, where a flow commits with "
     "an address-less nat; Hadron has no such flow, but nobody else may add one", "upgrade Open vSwitch to 3.1.1 or later"),
)


def examine(fabric: Fabric, refused: Iterable[Mapping[str, Any]] = (), broken: Iterable[str] = ()) -> list[Finding]:
    """All findings, the bad ones first. `refused`: entries that switches do not take; `broken`: rules that failed."""
    found = [Finding("bad", one["called"] or f"switch {one['switch']}", f"{one['host']} refuses its flow: {one['said']}",
                     f"hadron why '{one['text']}'") for one in refused]
    found += [Finding("bad", "rules", f"one failed: {text}", "hadron audit; the log has more") for text in broken]
    found += [finding for check in (_hosts, _versions, _addresses, _switches, _interfaces, _ports, _uplinks, _promises, _connections,
                                 _certificates)
              for finding in check(fabric)]
    return sorted(_together(found), key=lambda one: (one.severity != "bad", one.about, one.text))


def _together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What is the same of many is said once."""
    same: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in findings:
        same[one.severity, one.text, one.remedy].append(one.about)
    for (severity, text, remedy), abouts in same.items():
        more = f" and {len(abouts) - MOST_NAMED} more" if len(abouts) > MOST_NAMED else ""
        yield Finding(severity, ", ".join(sorted(abouts)[:MOST_NAMED]) + more, text, remedy)


def version(text: str | None) -> tuple[int, ...]:
    """The numbers at the beginning of a version, as (3, 1, 0)."""
    return tuple(int(part) for part in re.match(r"(\d+(?:\.\d+)*)?", text or "")[0].split(".") if part)  # type: ignore[index]


def _versions(fabric: Fabric) -> Iterator[Finding]:
    for host in fabric.model.find("host", "all", True):
        numbers = version(host.ovs_version)
        for first, last, severity, what, remedy in _VERSIONS:
            if numbers and first <= (*numbers, 0, 0)[:3] < (*last, 0, 0)[:3]:
                yield Finding(severity, f"host {host.hostname or host.id}", f"Open vSwitch {host.ovs_version} {what}", remedy)


def _hosts(fabric: Fabric) -> Iterator[Finding]:
    hosts = fabric.model.find("host", "all", True)
    for what in ("hostname", "tunnel_ip"):
        same = defaultdict(list)
        for host in hosts:
            if getattr(host, what):
                same[getattr(host, what)].append(host.id)
        for value, ids in same.items():
            if len(ids) > 1:
                yield Finding("bad", f"hosts {', '.join(ids)}", f"have the same {what}, {value}",
                              "give each its own" + (" (external_ids:hadron-ip)" if what == "tunnel_ip" else ""))
    with_switch = {switch.host_id for switch in fabric.model.find("switch", "all", True)}
    for host in hosts:
        if host.id not in with_switch:
            yield Finding("bad", f"host {host.hostname or host.id}", "has no integration bridge",
                          "see the log for what its Open vSwitch answered")


def _addresses(fabric: Fabric) -> Iterator[Finding]:
    hosts = fabric.model.find("host", "all", True)
    for host in hosts:
        if not host.tunnel_ip and len(hosts) > 1:
            yield Finding("bad", f"host {host.hostname or host.id}", "has no tunnel address: no other host can reach its ports",
                          "ovs-vsctl set Open_vSwitch . external_ids:hadron-ip=ADDRESS")
    families = {":" in host.tunnel_ip for host in hosts if host.tunnel_ip}
    if len(families) > 1:
        yield Finding("bad", "hosts", "some have an IPv4 and some an IPv6 tunnel address: they cannot reach each other",
                      "give all of them addresses of one family (external_ids:hadron-ip)")


def _switches(fabric: Fabric) -> Iterator[Finding]:
    known = fabric.model.rows["switch"]
    for switch in fabric.model.find("switch", "all", True):
        standing, about = fabric.standing.get(switch.id), f"switch {switch.id} ({_host(fabric, switch.host_id)})"
        if standing is None:
            yield Finding("bad", about, "is known but not connected", "is ovs-vswitchd running, and its controller target right "
                          "(ovs-vsctl get-controller)?")
        elif not standing.in_step:
            yield Finding("bad", about, "is connected but not in step yet", "if this stays, see the log for what it refuses")
        if fabric.sessions.get(switch.id, {}).get("role") == "slave":
            yield Finding("bad", about, "another controller is its master: nothing is written to it",
                          "stop the other controller, or take it off the bridge")
    for id in sorted(set(fabric.standing) - set(known)):
        yield Finding("note", f"switch {id}", "is connected but unknown: it is watched and never written",
                      "run `ovs-vsctl set-manager tcp:CONTROLLER:6640` on its host")


def _host(fabric: Fabric, id: str | None) -> str:
    host = fabric.model.get("host", id) if id else None
    return (host.hostname or host.id) if host is not None else "no host"


def _interfaces(fabric: Fabric) -> Iterator[Finding]:
    for seen in fabric.model.find("interface", "all", True):
        about = f"interface {seen.name} on {_host(fabric, seen.host_id)}"
        if seen.error:
            yield Finding("bad", about, f"Open vSwitch says: {seen.error}", "ovs-vsctl list interface " + seen.name)
        port = fabric.model.get("port", seen.port_id) if seen.port_id else None
        if seen.port_id and port is None:
            yield Finding("note", about, f"names the port {seen.port_id}, which there is not", "")
        if port is None:
            continue
        for trunk in fabric.model.find("trunk", "sub_ports.port_id", port.id):
            yield Finding("bad", about, f"names port {port.name or port.id}, which is reached through the parent of trunk "
                          f"{trunk.name or trunk.id} and by its tag only", "plug the trunk's parent in instead")
        if seen.mac_address and seen.mac_address != port.mac_address and port.port_security_enabled:
            yield Finding("bad", about, f"has MAC {seen.mac_address}, its port {port.mac_address}: what it sends is dropped",
                          "give the machine the port's MAC address")
        network = fabric.model.get("network", port.network_id)
        if seen.mtu and network is not None and network.mtu and seen.mtu < network.mtu:
            yield Finding("note", about, f"carries {seen.mtu} bytes, its network {network.mtu}: larger packets are lost",
                          f"ovs-vsctl set interface {seen.name} mtu_request={network.mtu}")


def _ports(fabric: Fabric) -> Iterator[Finding]:
    unseen = []
    for port in fabric.model.find("port", "all", True):
        carried = fabric.model.count("trunk", "sub_ports.port_id", port.id)          # it has no interface of its own
        yield from () if carried else _twice(fabric, port)
        if carried or not port.binding_host_id or not port.admin_state_up or fabric.home(port.id) is not None:
            continue
        elsewhere = [seen for seen in fabric.model.find("interface", "port_id", port.id) if not seen.error]
        if elsewhere:
            yield Finding("bad", f"port {port.name or port.id}", f"is bound to {port.binding_host_id}, but plugged in on "
                          f"{_host(fabric, elsewhere[0].host_id)}", "bind it to where it is, or unplug it there")
        else:
            unseen.append(port.name or port.id)
    if unseen:
        names = ", ".join(unseen[:MOST_NAMED]) + (", ..." if len(unseen) > MOST_NAMED else "")
        yield Finding("note", "ports", f"{len(unseen)} bound to a host without an interface there: {names}",
                      "a machine that is off has none; else set external_ids:iface-id of its interface to the port's id")


def _twice(fabric: Fabric, port: Any) -> Iterator[Finding]:
    """A port that several interfaces say they are, where nothing but their names decides which of them is."""
    shown = [seen for seen in fabric.model.find("interface", "port_id", port.id) if seen.ofport and seen.switch_id]
    if port.binding_host_id:
        shown = [seen for seen in shown if port.binding_host_id in (seen.host_id, _host(fabric, seen.host_id))]
    if len(shown) > 1:
        first, *rest = (f"{seen.name} on {_host(fabric, seen.host_id)}" for seen in shown)
        yield Finding("bad", f"port {port.name or port.id}", f"is plugged in more than once: {first} is taken, not {', '.join(rest)}",
                      "unplug it there, or bind it to its host (binding:host_id)")


def _uplinks(fabric: Fabric) -> Iterator[Finding]:
    """Ports on hosts that do not reach the physical network of their network."""
    wired = {(seen.switch_id, seen.physical_network) for seen in fabric.model.find("uplink", "all", True) if seen.ofport}
    for network in fabric.model.find("network", "all", True):
        segments = fabric.model.find("segment", "network_id", network.id)
        wires = sorted({network.provider_physical_network, *(one.physical_network for one in segments)} - {None})
        homes = {fabric.home(port.id) for port in fabric.model.find("port", "network_id", network.id)} if wires else ()
        for switch in sorted(home for home in homes if home and not any((home, wire) in wired for wire in wires)):
            at = fabric.model.get("switch", switch)
            yield Finding("bad", f"host {_host(fabric, at.host_id if at else None)}",
                          f"has ports of network {network.name or network.id}, and no uplink to {' or '.join(wires)}: others do "
                          "not reach them", f"ovs-vsctl set Open_vSwitch . external_ids:hadron-bridge-mappings={wires[0]}:BRIDGE")


def _promises(fabric: Fabric) -> Iterator[Finding]:
    """Ports with a minimum whose host has no queue for it, or has promised more than there is."""
    world = Glance(fabric.model)
    for (switch, network), promised in sorted(world.ask(promises).items(), key=str):
        at = fabric.model.get("switch", switch)
        if at is None or network == "":                             # … which does not leave its host at all
            continue
        way = fabric.model.get("uplink", f"{at.host_id}/{network}") if network else fabric.model.get("host", at.host_id or "")
        about = f"host {_host(fabric, at.host_id)}" if at.host_id else f"switch {switch}"
        where = f"of {network}" if network else "by which its tunnels leave"
        if way is None or not way.queues:
            yield Finding("note", about, f"has ports with a minimum, and no queues at the interface {where}: they have no more than others",
                          "ovs-vsctl set Interface NAME external_ids:hadron-queues=true, on a bridge of Open vSwitch's")
        elif sum(promised.values()) > (most := speed_of(world, way.speed)) * (1 - FREE):
            yield Finding("note", about, f"promises {sum(promised.values())} kbit/s, and {way.queues} has {most}: each port gets a part",
                          "move some of its ports to another host")


def _connections(fabric: Fabric) -> Iterator[Finding]:
    if fabric.peers is None:
        return
    here = set()
    for peer in fabric.peers:
        here.add(peer.host_id)
        for problem in peer.problems:
            yield Finding("bad", f"host {peer.host_id or peer.address}", problem, "")
    for host in fabric.model.find("host", "all", True):
        if host.id not in here:
            yield Finding("bad", f"host {host.hostname or host.id}",
                          f"its database is not connected (last seen {host.last_seen or 'never'}): what is known of it is old",
                          "is ovsdb-server running, and its manager right (ovs-vsctl get-manager)?")


def _certificates(fabric: Fabric) -> Iterator[Finding]:
    """Hosts that show one certificate: each of them could say that it is another."""
    same = defaultdict(list)
    for one in fabric.model.find("certificate", "all", True):
        same[one.name].append(one.id.partition(":")[2])
    for name, ids in same.items():
        if len(ids) > 1:
            yield Finding("note", f"hosts {', '.join(sorted(ids)[:MOST_NAMED])}", f"show one certificate, of {name}: each may "
                          "take the other's place", "issue each host a certificate of its own")
