"""What a host's database must hold for its switch to be ours, and the one transaction that makes it so.

`plan` is a function of the rows alone: nothing remembers what has been done, so a first contact, a repair after
someone's change and "all is well" are the same question. Only the integration bridge is touched, and on bridges of
physical networks the one port that joins them with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controller.queues import PortQueues
from controller.switch import queueing, uplinks
from controller.switch.changes import OWNER, Plan, is_ours, map_of, port_of, set_of
from controller.switch.ovsdb_rows import DATABASE, Database, Row

# ovs-ofctl speaks 1.0 unless told otherwise; 1.3 and 1.5 are what other tools of an administrator may ask for.
PROTOCOLS = ("OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15")
NEEDED_PROTOCOLS = frozenset({"OpenFlow10", "OpenFlow14"})
TUNNEL_OPTIONS = {"remote_ip": "flow", "key": "flow", "tos": "inherit"}
CONTROLLER = {"max_backoff": 1000, "inactivity_probe": 5000, "connection_mode": "out-of-band"}
"""Milliseconds; an in-band connection would add flows that nobody asked for."""
LANE = CONTROLLER | {"inactivity_probe": 60000}
MANAGER_BACKOFF = 1000
"""Milliseconds until a host tries again to reach us; by default it waits up to eight seconds after we are back."""


@dataclass(frozen=True)
class Tunnel:
    """A tunnel port, to which flows say where each frame goes and with which key."""

    name: str
    type: str
    port: int
    """OpenFlow port number, the same on every host."""


TUNNELS = {"vxlan": Tunnel("hv-vxlan", "vxlan", 65001), "geneve": Tunnel("hv-geneve", "geneve", 65002),
           "gre": Tunnel("hv-gre", "gre", 65003)}


@dataclass(frozen=True)
class Wanted:
    """What an integration bridge should be like."""

    controllers: tuple[str, ...]
    """Where the switch finds its controllers, as Open vSwitch writes it: tcp:192.0.2.1:6653."""
    lanes: tuple[str, ...] = ()
    """Where it is to connect besides, so that it can be filled faster."""
    bridge: str = "br-int"
    tunnels: tuple[Tunnel, ...] = tuple(TUNNELS.values())
    taken: frozenset[str] = frozenset()
    """Identities that belong to other hosts' bridges."""
    managers: tuple[str, ...] = ()
    """How the host's database may write where it reaches us."""
    queues: tuple[PortQueues, ...] = ()

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        """All connections, and how each should be."""
        return dict.fromkeys(self.lanes, LANE) | dict.fromkeys(self.controllers, CONTROLLER)


def plan(database: Database, wanted: Wanted) -> Plan:
    """What is to be done on this host now."""
    made = Plan()
    root = database.root()
    if root is None or datapath_type(root[1]) is None:
        return made     # ovs-vswitchd has not said yet which datapaths it has
    _repair_managers(made, database, wanted, root[1])
    found = database.named("Bridge", wanted.bridge)
    if found is None or found[0] not in root[1]["bridges"]:
        _create(made, database, wanted, root)
    else:
        _repair(made, database, wanted, root[1], *found)
        uplinks.repair(made, database, root[1], *found)
        queueing.repair(made, database, wanted.queues)
    if made.operations:
        made.operations.insert(0, {"op": "comment", "comment": f"Hadron: {'; '.join(made.changes)}"})
    return made


def transaction(made: Plan) -> list[Any]:
    """The parameters of OVSDB's `transact`."""
    return [DATABASE, *made.operations]


def datapath_type(root: Row) -> str | None:
    """The kernel's datapath where there is one, unless the host says otherwise; None if it is not known yet."""
    if chosen := root["external_ids"].get("ovn-bridge-datapath-type"):
        return chosen
    types = root["datapath_types"]
    if not types:
        return None
    return "system" if "system" in types else "netdev"


def datapath_id(host_id: str, bridge: str) -> str:
    """An identity for a host's bridge that stays.

    What Open vSwitch makes up by itself changes with the bridge's ports and with restarts. 16 hex digits.
    """
    return hashlib.blake2s(f"{host_id}/{bridge}".encode(), digest_size=8).hexdigest()


def _own_id(root: Row, bridge: str) -> str:
    return datapath_id(root["external_ids"].get("system-id", ""), bridge)


def _repair_managers(made: Plan, database: Database, wanted: Wanted, root: Row) -> None:
    """Only the one that is us, and only if it is slower: others are the administrator's."""
    for uuid in sorted(root["manager_options"]):
        row = database.row("Manager", uuid)
        if row and row["target"] in wanted.managers and (row["max_backoff"] or 8000) > MANAGER_BACKOFF:
            made.changes.append(f"max_backoff of the manager {row['target']}")
            made.update("Manager", uuid, {"max_backoff": MANAGER_BACKOFF})


def _create(made: Plan, database: Database, wanted: Wanted, root: tuple[str, Row]) -> None:
    for table in ("Bridge", "Port", "Interface"):
        if database.named(table, wanted.bridge):
            made.problems.append(f"{wanted.bridge} cannot be made: another {table.lower()} has its name")
            return
    made.changes.append(f"create {wanted.bridge}")
    own = made.insert("Interface", {"name": wanted.bridge, "type": "internal"}, "own_interface")
    ports = [made.insert("Port", {"name": wanted.bridge, "interfaces": own}, "own_port")]
    ports += [_add_tunnel(made, tunnel) for tunnel in _missing_tunnels(made, database, wanted, root[1], frozenset())]
    config = {"disable-in-band": "true", "datapath-id": _own_id(root[1], wanted.bridge)}
    bridge = made.insert("Bridge", {
        "name": wanted.bridge, "fail_mode": "secure", "protocols": set_of(PROTOCOLS),
        "datapath_type": datapath_type(root[1]),
        "other_config": map_of(config), "ports": set_of(ports),
        "controller": set_of(_add_controller(made, *each) for each in wanted.targets.items())}, "bridge")
    made.mutate(DATABASE, root[0], ["bridges", "insert", set_of([bridge])])


def _repair(made: Plan, database: Database, wanted: Wanted, root: Row, uuid: str, bridge: Row) -> None:
    columns: dict[str, Any] = {}
    if bridge["fail_mode"] != "secure":
        made.changes.append(f"fail_mode {bridge['fail_mode']}: secure")
        columns["fail_mode"] = "secure"
    # No protocols at all means those that this version of Open vSwitch has by default.
    if NEEDED_PROTOCOLS - bridge["protocols"]:
        made.changes.append("protocols")
        columns["protocols"] = set_of(sorted(bridge["protocols"] | set(PROTOCOLS)))
    kind, better = bridge["datapath_type"] or "system", datapath_type(root)
    if kind not in root["datapath_types"] and kind != better:
        made.changes.append(f"datapath_type {kind}, which this host has not: {better}")
        columns["datapath_type"] = better
    _repair_controllers(made, database, wanted, bridge, columns)
    if columns:
        made.update("Bridge", uuid, columns)
    _repair_config(made, wanted, root, uuid, bridge)
    _repair_tunnels(made, database, wanted, root, uuid, bridge)


def _repair_config(made: Plan, wanted: Wanted, root: Row, uuid: str, bridge: Row) -> None:
    config = bridge["other_config"]
    new = {} if config.get("disable-in-band") == "true" else {"disable-in-band": "true"}
    given = config.get("datapath-id", "").lower()
    if not is_datapath_id(given) or given in wanted.taken and given != _own_id(root, wanted.bridge):
        new["datapath-id"] = _own_id(root, wanted.bridge)
    if new:
        made.changes.append(", ".join(sorted(new)))
        # Deleted first: an insertion leaves a key alone that is there.
        made.mutate("Bridge", uuid, ["other_config", "delete", set_of(sorted(new))],
                    ["other_config", "insert", map_of(new)])


def is_datapath_id(text: str) -> bool:
    """Whether Open vSwitch takes this for a bridge's identity: 16 hex digits, not all zero."""
    return len(text) == 16 and set(text.lower()) <= set("0123456789abcdef") and set(text) != {"0"}


def _repair_controllers(made: Plan, database: Database, wanted: Wanted, bridge: Row, columns: dict[str, Any]) -> None:
    there: dict[str, str] = {}
    strangers, targets = [], wanted.targets
    for uuid in sorted(bridge["controller"]):
        row = database.row("Controller", uuid)
        if row is None or row["target"] not in targets or row["target"] in there:
            strangers.append(row["target"] if row else uuid)
            continue
        there[row["target"]] = uuid
        if wrong := {name: value for name, value in targets[row["target"]].items() if row[name] != value}:
            made.changes.append(f"{', '.join(sorted(wrong))} of the controller {row['target']}")
            made.update("Controller", uuid, wrong)
    if not strangers and len(there) == len(targets):
        return
    made.changes.append(f"controllers {', '.join(targets)}"
                        + (f" instead of {', '.join(strangers)}" if strangers else ""))
    columns["controller"] = set_of(["uuid", there[target]] if target in there else _add_controller(made, target, how)
                                   for target, how in targets.items())


def _repair_tunnels(made: Plan, database: Database, wanted: Wanted, root: Row, uuid: str, bridge: Row) -> None:
    here = {tunnel for tunnel in TUNNELS.values() if port_of(database, tunnel.name) in bridge["ports"]}
    for tunnel in sorted(here & set(wanted.tunnels), key=lambda each: each.port):
        _repair_tunnel(made, database, tunnel)
    added = [_add_tunnel(made, tunnel) for tunnel in _missing_tunnels(made, database, wanted, root, here)]
    if added:
        made.mutate("Bridge", uuid, ["ports", "insert", set_of(added)])
    unwanted = [tunnel for tunnel in here - set(wanted.tunnels) if is_ours(database, tunnel.name)]
    if unwanted:
        made.changes.append(f"remove {', '.join(sorted(tunnel.name for tunnel in unwanted))}")
        ports = set_of(["uuid", port_of(database, tunnel.name)] for tunnel in unwanted)
        made.mutate("Bridge", uuid, ["ports", "delete", ports])


def _repair_tunnel(made: Plan, database: Database, tunnel: Tunnel) -> None:
    found = database.named("Interface", tunnel.name)
    if found is None:
        made.problems.append(f"{tunnel.name}: its port has an interface of another name")
        return
    uuid, row = found
    columns: dict[str, Any] = {}
    if row["type"] != tunnel.type:
        columns["type"] = tunnel.type
    if row["ofport_request"] != tunnel.port:
        columns["ofport_request"] = tunnel.port
    # Other options, such as local_ip or csum, are the administrator's.
    if not TUNNEL_OPTIONS.items() <= row["options"].items():
        columns["options"] = map_of({**row["options"], **TUNNEL_OPTIONS})
    if columns:
        made.changes.append(f"{', '.join(sorted(columns))} of {tunnel.name}")
        made.update("Interface", uuid, columns)


def _missing_tunnels(made: Plan, database: Database, wanted: Wanted, root: Row, here: Iterable[Tunnel]) -> list[Tunnel]:
    missing = []
    for tunnel in wanted.tunnels:
        if tunnel in here:
            continue
        if database.named("Port", tunnel.name) or database.named("Interface", tunnel.name):
            made.problems.append(f"{tunnel.name} exists outside {wanted.bridge} and is left alone: no {tunnel.type} tunnels here")
        elif root["iface_types"] and tunnel.type not in root["iface_types"]:
            made.problems.append(f"Open vSwitch here has no {tunnel.type} tunnels")
        else:
            missing.append(tunnel)
    return missing


def _add_tunnel(made: Plan, tunnel: Tunnel) -> list[str]:
    made.changes.append(f"add {tunnel.name}")
    interface = made.insert("Interface", {
        "name": tunnel.name, "type": tunnel.type, "options": map_of(TUNNEL_OPTIONS), "ofport_request": tunnel.port,
    }, f"interface_{tunnel.type}")
    row = {"name": tunnel.name, "interfaces": interface, "external_ids": map_of(OWNER)}
    return made.insert("Port", row, f"port_{tunnel.type}")


def _add_controller(made: Plan, target: str, how: dict[str, Any]) -> list[str]:
    return made.insert("Controller", {"target": target, **how}, f"controller_{len(made.operations)}")
