"""What a host's database says, as rows of the model: the host, its integration bridge, its interfaces and uplinks.

Only what changed is worked out again: with thousands of interfaces on a host, one more costs as much as the first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from controller.openflow.ports import LAST_PORT
from controller.switch.changes import port_of
from controller.switch.ovsdb_rows import QUEUES, Database, Row
from controller.switch.provision import TUNNELS, is_datapath_id
from controller.switch.queueing import is_free
from controller.switch.uplinks import joined, mapped

# What a host may call itself and its interfaces: both become parts of ids, in the store and in URLs.
HOST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,254}\Z")
INTERFACE_NAME = re.compile(r"[!-.0-~]{1,255}\Z")
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
WIRE = "hadron-wire"        # external_ids of an interface that leads to another switch, and not to a machine
TUNNEL_NAMES = {tunnel.name: tunnel for tunnel in TUNNELS.values()}

FactId = tuple[str, str]
Fact = dict[str, Any]


class HostFacts(NamedTuple):
    """What has changed on a host: rows to put and to remove, in the model's kinds host, switch, interface and uplink.

    `complete`: these are all rows of the host there are; others that are remembered of it are to be removed.
    `certificate` is whose the host has shown, empty if it was not asked for one.
    """

    host_id: str
    puts: list[tuple[str, Fact]]
    removes: list[FactId]
    complete: bool
    certificate: str = ""


class HostGone(NamedTuple):
    """A host's database can no longer be seen; what is known of it may have become old."""

    host_id: str
    reason: str


class FactKeeper:
    """Follows one host's rows and says what has changed since it was last asked."""

    def __init__(self, database: Database, bridge: str, address: str, seen: str,
                 owns: Callable[[str, str], bool]) -> None:
        """`owns(host, switch)`: whether that identity is this host's own, and no other's."""
        self._owns = owns
        self._database, self._bridge_name, self._address, self._seen = database, bridge, address, seen
        self._told: dict[FactId, Fact] = {}
        self._interfaces: dict[str, FactId] = {}
        self._uplinks: set[FactId] = set()
        self._port_of: dict[str, str] = {}
        self._switch_id: str | None = None
        self._before: dict[str, dict[str, Row | None]] = {}
        self.host_id: str | None = None
        self.problems: list[str] = []

    def note(self, before: Mapping[str, Mapping[str, Row | None]]) -> None:
        """Rows have changed; `before` is what Database.apply returned."""
        for table, rows in before.items():
            kept = self._before.setdefault(table, {})
            for uuid, row in rows.items():
                kept.setdefault(uuid, row)

    def news(self) -> HostFacts | None:
        """What has changed since the last time, if anything; the first time everything there is."""
        root = self._database.root()
        if root is None or self.identify() is None:
            return None
        assert self.host_id is not None
        complete = not self._told
        new: dict[FactId, Fact] = {("host", self.host_id): self._host(self.host_id, root[1])}
        gone: set[FactId] = set()
        dirty = self._dirty(all_of_them=complete)
        self._look_at_switch(new, gone, dirty)
        self._look_at_interfaces(new, gone, dirty)
        self._look_at_uplinks(new, gone, root[1])
        self._before = {}
        return self._difference(new, gone - new.keys(), complete)

    def identify(self) -> str | None:
        """The host's name, once it has said one that can be used."""
        root = self._database.root()
        if self.host_id is None and root is not None:
            self._name_host(root[1])
        return self.host_id

    def named_otherwise(self) -> bool:
        """Whether the host has changed its identity since facts of it were told."""
        root = self._database.root()
        return bool(self.host_id and root and root[1]["external_ids"].get("system-id") != self.host_id)

    def _name_host(self, root: Row) -> None:
        self.problems = []
        text = root["external_ids"].get("system-id", "")
        if HOST_ID.match(text):
            self.host_id = text
        else:
            self.problems.append(f"external_ids:system-id must name the host, not {text[:80]!r}")

    def _host(self, host_id: str, root: Row) -> Fact:
        given = root["external_ids"]
        name, zone = given.get("hostname", ""), given.get("hadron-availability-zone", "")
        return {"id": host_id, "hostname": name if HOST_ID.match(name) else host_id, "tunnel_ip": self._tunnel_ip(given),
                "ovs_version": (root["ovs_version"] or "")[:40], "datapath_types": sorted(root["datapath_types"])[:20],
                "availability_zone": zone if HOST_ID.match(zone) else None,
                "last_seen": self._seen, **self._tunnels_leave_by(root)}

    def _tunnels_leave_by(self, root: Row) -> Fact:
        """What goes into tunnels leaves by a bridge that is neither ours nor a physical network's."""
        ours = {self._bridge_name, *mapped(root, self._bridge_name, []).values()}
        ways = {bridge: row for bridge, row in self._with_queues().items() if bridge not in ours}
        return _way_out(ways[min(ways)] if ways else None)

    def _with_queues(self) -> dict[str, Row]:
        """{name of a bridge: its first interface whose queues are heeded}"""
        rows = (self._database.row("Interface", uuid) for uuid in self._database.queueing)
        first: dict[str, Row] = {}
        for row in sorted((row for row in rows if row and self._has_queues(row)), key=lambda row: str(row["name"])):
            port = port_of(self._database, row["name"])
            for bridge in self._database.tables["Bridge"].values():
                if port in bridge["ports"]:
                    first.setdefault(bridge["name"], row)
        return first

    def _tunnel_ip(self, given: Mapping[str, str]) -> str | None:
        self.problems = []
        for key in ("hadron-ip", "ovn-encap-ip"):
            if text := given.get(key):
                try:
                    return _unicast(text.split(",")[0].strip())
                except ValueError:
                    # Another address instead of the one meant would be a surprise of its own.
                    self.problems.append(f"external_ids:{key} must be the IP address of a host, not {text[:80]!r}: no tunnels to this host")
                    return None
        return self._address

    def _dirty(self, *, all_of_them: bool) -> set[str]:
        """Interfaces of which something may have changed."""
        database, before = self._database, self._before
        if all_of_them:
            for port, row in database.tables["Port"].items():
                self._port_of.update(dict.fromkeys(row["interfaces"], port))
            return set(database.tables["Interface"])
        dirty = set(before.get("Interface", ()))
        ports: set[str] = set(before.get("Port", ()))
        for uuid, old in before.get("Bridge", {}).items():
            new = database.row("Bridge", uuid)
            ports |= (old["ports"] if old else frozenset()) ^ (new["ports"] if new else frozenset())
        for port in ports:
            old, new = before.get("Port", {}).get(port), database.row("Port", port)
            dirty |= (old["interfaces"] if old else frozenset()) | (new["interfaces"] if new else frozenset())
            for interface in new["interfaces"] if new else ():
                self._port_of[interface] = port
        return dirty

    def _look_at_switch(self, new: dict[FactId, Fact], gone: set[FactId], dirty: set[str]) -> None:
        found = self._database.named("Bridge", self._bridge_name)
        switch_id = _identity(found[1]) if found else None
        if switch_id and not self._owns(str(self.host_id), switch_id):
            self.problems.append(f"{self._bridge_name} has the identity of another host's bridge, {switch_id}")
            switch_id = None
        if switch_id != self._switch_id:
            if self._switch_id:
                gone.add(("switch", self._switch_id))
            self._switch_id = switch_id
            dirty |= set(self._database.tables["Interface"])
        if switch_id:
            new["switch", switch_id] = {"id": switch_id, "host_id": self.host_id, "bridge": self._bridge_name}

    def _look_at_interfaces(self, new: dict[FactId, Fact], gone: set[FactId], dirty: Iterable[str]) -> None:
        found = self._database.named("Bridge", self._bridge_name)
        ports = found[1]["ports"] if found else frozenset()
        for uuid in dirty:
            if old := self._interfaces.pop(uuid, None):
                gone.add(old)
            row = self._database.row("Interface", uuid)
            if row is None:
                self._port_of.pop(uuid, None)
            elif self._switch_id and self._port_of.get(uuid) in ports and (fact := self._interface(row)):
                self._interfaces[uuid] = identity = ("interface", fact["id"])
                new[identity] = fact

    def _look_at_uplinks(self, new: dict[FactId, Fact], gone: set[FactId], root: Row) -> None:
        found = self._database.named("Bridge", self._bridge_name)
        gone |= self._uplinks
        self._uplinks = set()
        bridges, ways = mapped(root, self._bridge_name, []), self._with_queues()
        for name, number in joined(self._database, root, found[1]).items() if found and self._switch_id else ():
            identity = ("uplink", f"{self.host_id}/{name}")
            self._uplinks.add(identity)
            new[identity] = {"id": identity[1], "host_id": self.host_id, "switch_id": self._switch_id,
                             "physical_network": name, "ofport": number, **_way_out(ways.get(bridges.get(name, "")))}

    def _interface(self, row: Row) -> Fact | None:
        given, name = row["external_ids"], row["name"]
        port_id, tunnel = _port_id(given.get("iface-id", "")), TUNNEL_NAMES.get(name)
        number, error = row["ofport"], row["error"]
        wire = given.get(WIRE) == "true" and not port_id and not tunnel
        if not INTERFACE_NAME.match(name) or not (port_id or tunnel or wire):
            return None
        if number is None and not error and tunnel:
            return None     # ovs-vswitchd has not looked at it yet
        mac = given.get("attached-mac", "").lower()
        if tunnel and number != tunnel.port and not error:
            error = f"OpenFlow port {number} instead of {tunnel.port}"
        usable = number is not None and 0 < number <= LAST_PORT and not error
        if wire and not usable:
            return None
        return {"id": f"{self._switch_id}:{number}" if wire else f"{self.host_id}/{name}", "wire": wire, "host_id": self.host_id, "switch_id": self._switch_id, "name": name,
                "port_id": port_id, "ofport": number if usable else None, "mac_address": mac if MAC.match(mac) else None,
                "mtu": row["mtu"], "link_state": row["link_state"], "error": error[:500] if error else None,
                **(self._wire(row) if wire else {})}

    def _wire(self, row: Row) -> Fact:
        """What is known of a wire to another switch beside what is known of every interface."""
        return {"speed": _mbits(row), "queues": self._has_queues(row) or None}

    def _has_queues(self, row: Row) -> bool:
        marked = row["external_ids"].get(QUEUES) == "true" and INTERFACE_NAME.match(row["name"])
        return bool(marked) and is_free(self._database, row["name"])

    def _difference(self, new: dict[FactId, Fact], gone: set[FactId], complete: bool) -> HostFacts | None:
        puts = [(identity[0], fact) for identity, fact in new.items() if self._told.get(identity) != fact]
        removes = sorted(identity for identity in gone if self._told.pop(identity, None))
        self._told.update(new)
        if not (puts or removes):
            return None
        assert self.host_id is not None
        return HostFacts(self.host_id, puts, removes, complete)


def _way_out(row: Row | None) -> Fact:
    """An interface in whose queues waits what leaves the host, and its Mbit/s."""
    return {"queues": row["name"] if row else None, "speed": _mbits(row) if row else None}


def _mbits(row: Row) -> int | None:
    return (row["link_speed"] or 0) // 1_000_000 or None


def _unicast(text: str) -> str:
    """An address that frames can be sent to from another host; ValueError for all else."""
    address = ipaddress.ip_address(text)
    nobody = address.is_multicast or address.is_unspecified or address.is_loopback or str(address) == "255.255.255.255"
    if nobody or address.version == 6 and address.is_link_local:
        raise ValueError(text)
    return str(address)


def _identity(bridge: Row) -> str | None:
    """The bridge's datapath id, once it is the one that has been asked for; before, it may be about to change."""
    wanted, given = bridge["other_config"].get("datapath-id", "").lower(), (bridge["datapath_id"] or "").lower()
    return given if is_datapath_id(given) and given == wanted else None


def _port_id(text: str) -> str | None:
    """A port's id as the model has it; other managers of virtual switches use other names."""
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None
