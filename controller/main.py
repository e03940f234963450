"""Wires the parts together and runs them: configuration in, a serving controller out.

    store ─► model ─► compiler ─┐
                                ├─ control, on the desk thread ─ switches (OpenFlow), hosts (OVSDB)
    REST ─► writer ─► model ────┘
"""
from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import pkgutil
import platform
import resource
import ssl
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from controller import app as words
from controller.access import Access
from controller.certificates import Certificates
from controller.compile import Compiler
from controller.config import BadConfig, Config, Listener, policy_rules
from controller.control import Control
from controller.desk import Desk
from controller.errands import Errands, Workers
from controller.fetching import fetch
from controller.garbage import Sweeper, loading, look_seldom
from controller.ids import random_ids
from controller.journal import Journal
from controller.later import Means
from controller.model import Model
from controller.particles import load_all
from controller.policy import SYSTEM
from controller.remembered import Remembered, Unremembered, fingerprint
from controller.resolver import Resolver
from controller.resource import Resources
from controller.seals import Seals
from controller.standing import Beat, Tick
from controller.stats import Statistics
from controller.store.entries import Entries
from controller.store.ledger import Ledger
from controller.store.memory import MemoryStore
from controller.store.sqlite import SqliteStore
from controller.switch.events import SwitchGreeted
from controller.switch.ovsdb import OvsdbServer
from controller.switch.switches import Switches
from controller.switch.tls import server_context
from controller.times import utc
from controller.world import Glance
from controller.write import Writer
from rest.api import Api
from rest.auto_allocation import AutoAllocation
from rest.events import Events
from rest.inspect import Inspect
from rest.metrics import Metrics
from rest.server import Server
from rest.throttle import Allowance
from rest.topology import RyuTopology
from rest.usage import Usage

log = logging.getLogger("hadron")

HERE = Path(__file__).resolve().parent.parent
PACKAGES = ("apps", "topology")
BEATS = 5               # of the clock in a second
OWN_PROJECT = "hadron"      # owns what is there because the operator, and no tenant, wants it


def load_apps(directories: Iterable[str] = ()) -> Resources:
    """Import every app and read every model file; returns the resources by kind."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    for directory in directories:
        for file in sorted(Path(directory).glob("*.py")):
            _import_file(file)
    return load_all([*(HERE / package for package in PACKAGES), *map(Path, directories)])


def _import_file(file: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"extra.{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


def _known_parts(resources: Resources, without: Iterable[str]) -> frozenset[str]:
    """The parts that are switched off. BadConfig if there is none of that name."""
    known = {one.part for one in resources.values() if one.part}
    for part in without:
        if part not in known:
            raise BadConfig(f"without: there is no part {part}; there are {', '.join(sorted(known))}")
    return frozenset(without)


class Hadron:
    """One running controller. `start` returns once all is compiled; `close` leaves all flows as they are."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.resources = load_apps(config.apps)
        self.store = MemoryStore() if config.store == "memory" else SqliteStore(config.store)
        self.model = Model(self.resources)
        self.writer = Writer(self.model, self.resources, self.store, settings=config.all_settings, quotas=config.quotas,
                             rules=policy_rules(config),
                             new_id=random_ids().__next__)
        self.compiler = Compiler(self.model, words.RULES, words.TALLIES)
        self.remembered = self._remembered() if config.store != "memory" else Unremembered()
        self.seals = Seals(time.time, os.urandom)
        self.desk = Desk(on_event=lambda event: self.control.on_event(event),
                         after_batch=lambda: self.control.after_batch(), group=self.writer.group)
        self._compiling = False
        self.certificates = Certificates(self.model.rows, self.writer.learn, named=config.certificates == "named", now=utc)
        self.switches = Switches(self._hear, certificates=self.certificates)
        self.errands = Errands(self.desk.post, {"resolver": Resolver(self.writer.settings["dns"]["forwarders"]),
                                                "metadata": Workers("metadata", fetch)})
        self.statistics = Statistics(Ledger("" if config.store == "memory" else f"{config.store}.counts"), self.switches,
                                     self._owner, interval=config.statistics_interval)
        self.journal = Journal(Entries("" if config.store == "memory" else f"{config.store}.entries"))
        self.events = Events(self.store, self.model, self.writer.policy, lambda: self.writer.revision)
        self.control = Control(model=self.model, writer=self.writer, compiler=self.compiler, switches=self.switches,
                               home=self._home, now=time.time, audit_interval=config.audit_interval,
                               sayings=words.SAYINGS, fading=words.FADING, seals=self.seals, adopted=config.adopt,
                               failover=config.failover_seconds, settle=config.settle_seconds, certificates=self.certificates,
                               kept=words.KEPT, tellers=words.TELLERS, furnished=words.FURNISHED, furnish=lambda *told: self.ovsdb.furnish(*told),
                               statistics=self.statistics, followed=lambda revision: self.events.feed.follow(revision),
                               write_down=self.journal.note,
                               means=Means(time.monotonic, os.urandom(16), self.errands.run, self._at))
        self.control.remembered = self.remembered
        self.model.live["journal"] = lambda _: self.journal
        self.model.live["link.age"] = lambda row: self.control.fading.age("link", row.id)
        self.model.live["statistics"] = lambda _: self.statistics
        self.model.live["realized"] = lambda named: (
            "ERROR" if named in self.control.refusals.objects else "BUILD" if named in self.control.confirmations.pending else "ACTIVE")
        self.model.live["port.status"] = lambda row: self.control.status(row.id)
        self.model.live["router.switch"] = lambda row: self._gateway(row.id)
        self.model.live["switch.heard"] = self._heard
        began = utc()
        self.model.live["controller"] = lambda _: {"host": platform.node(), "since": began, "now": utc()}
        self.ovsdb = OvsdbServer(self.desk.post, bridge=config.bridge, tunnels=config.tunnels, certificates=self.certificates,
                                 controllers=[config.controller_target] if config.controller_target else [],
                                 openflow_ports={"ssl" if config.openflow.tls else "tcp": config.openflow.port})
        self.access = Access(config, keep=lambda name, value: self.desk.call(self.writer.note, name, value),
                             rest_port=lambda: self.rest.port)
        self.rest = Server(self._api(), address=config.rest.address, port=config.rest.port,
                           tls=tls_context(config.rest), allow_plain=config.rest.allow_plain)
        self.identity = self.access.server(tls_context(config.identity))
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="clock", daemon=True)

    def _remembered(self) -> Remembered:
        """What the compiler knew before a restart."""
        from apps.pipeline import PIPELINE
        code = [HERE / "controller", *(HERE / package for package in PACKAGES), *map(Path, self.config.apps)]
        return Remembered(f"{self.config.store}.answers", self.compiler, [*words.declared(), *PIPELINE],
                          fingerprint(code, self.writer.settings))

    def _api(self) -> Api:
        inside = Inspect(self.control, self.desk.call, counters=self.switches.counters, sessions=self.switches.report,
                         peers=self.ovsdb.peers)
        return Api(model=self.model, writer=self.writer, authenticate=self.access.authenticate, call=self.desk.call,
                   realized=self.control.confirmations.wait_realized, without=_known_parts(self.resources, self.config.without),
                   allowance=Allowance(self.config.requests_per_second) if self.config.requests_per_second else None, mounts={
                       "metrics": Metrics(self.control, self.desk, self.switches.report, self.statistics),
                       "v2.0/usage": Usage(self.statistics), "v2.0/events": self.events,
                       "v2.0/auto-allocated-topology": AutoAllocation(self.writer, self.desk.call, self.config.without),
                       "inspect": inside, "v1.0": RyuTopology(self.model, self.compiler.world, self.control.ports.ports)})

    def _owner(self, kind: str, id: str) -> str:
        """The project of an object."""
        row = self.model.get(kind, id)
        return str(getattr(row, self.resources[kind].owner or "", "") or "")

    def _home(self, port_id: str) -> str | None:
        from apps.places import plugged
        asked = Glance(self.model).ask if self._compiling else self.compiler.world.known
        seen = asked(plugged, port_id)
        return seen.switch_id if seen else None

    def _gateway(self, router_id: str) -> str | None:
        """The switch by which a router leads outside."""
        from apps.places import gateway_switch
        return self.compiler.world.known(gateway_switch, router_id)

    def _heard(self, switch: Any) -> str | None:
        """When a connected switch was last heard of."""
        silent = self.switches.silent(switch.id)
        return None if silent is None else utc(time.time() - silent)

    def _at(self, kind: str, id: str) -> tuple[str, int | bytes] | None:
        """Where an object is now: its switch, and its port there or the actions that lead to it."""
        from apps.places import plugged
        seen = self.compiler.world.known(plugged, id) if kind == "port" else None
        return (seen.switch_id, b"".join(seen.out) if seen.tag else seen.ofport) if seen else None

    def start(self) -> Hadron:
        """Load, listen, serve, compile. Who reads is answered meanwhile, and who writes waits; switches say what they hold.

        Hosts find their way here too; what they say can wait longest, because what they said last is known.
        """
        began = time.monotonic()
        with loading():
            self.writer.load()
            self._choose_default_network()
            self.writer.changes.clear()
            self.certificates.load()
            self.access.restore(self.writer.notes)
            self.switches.generation = self._next_generation()
            self._keep_key()
            self._compiling = True
            self._listen()
            self._serve()
            self.control.load()
            self._compiling = False
        log.info("compiled %d rows in %.2f s", sum(map(len, self.model.rows.values())), time.monotonic() - began)
        self.desk.start()
        self.statistics.start()
        self._clock.start()
        self.desk.call(self.control.afterwards, self.ovsdb.start)
        return self

    def _serve(self) -> None:
        """Answer clients."""
        self.rest.start()
        if self.identity is not None:
            self.identity.start()
            log.info("identity on %s:%d", self.identity.address, self.identity.port)
        log.info("REST on %s:%d, OpenFlow on %s:%d, OVSDB on %s:%d", self.rest.address, self.rest.port,
                 self.config.openflow.address, self.config.openflow.port, self.config.ovsdb.address, self.config.ovsdb.port)

    def _hear(self, event: Any) -> None:
        """What the switches' thread tells the desk."""
        if isinstance(event, SwitchGreeted):
            self.control.read_early(event.switch_id)
        self.desk.post(event)

    def _listen(self) -> None:
        """Take the connections of switches and hosts."""
        self.switches.listen(self.config.openflow.address, self.config.openflow.port, tls_context(self.config.openflow))
        self._listen_for_lanes()
        self.switches.start()
        self.ovsdb.listen(self.config.ovsdb.address, self.config.ovsdb.port, tls=tls_context(self.config.ovsdb))

    def _listen_for_lanes(self) -> None:
        """Lanes make it faster to fill a switch; where they cannot be, it is done without."""
        where, port = self.config.openflow, self.config.openflow.port + 1
        if self.config.lanes and 1 < port <= 0xFFFF:
            try:
                self.switches.listen_for_lanes(where.address, port, tls_context(where))
            except OSError as error:
                log.warning("no lanes at %s:%d: %s", where.address, port, error.strerror)
            else:
                self.ovsdb.lanes = self.config.lanes

    def _next_generation(self) -> int:
        """A number above that of every controller before on this store, or on others: switches refuse to be taken over
        with a lower one (OpenFlow 1.4, 6.3.6), even if the clock was put back.
        """
        number = max(int(time.time()), self.writer.notes.get("generation", 0) + 1)
        self.writer.note("generation", number)
        return number

    def _choose_default_network(self) -> None:
        """The network of that name of our own project is there, and known as the one for ports that nobody claims."""
        name, ids = self.config.default_network, []
        if name:
            ids = [row.id for row in self.model.find("network", "project_id", OWN_PROJECT) if row.name == name]
            ids = ids or [self.writer.create(SYSTEM, "network", [{
                "name": name, "project_id": OWN_PROJECT, "port_security_enabled": False}])[0].id]
            self.writer.learn([("fabric", {"id": "default", "default_network_id": ids[0]})])
        else:
            self.writer.learn([], [("fabric", "default")])

    def _keep_key(self) -> None:
        """What is sealed before a restart can be opened after it: the key is in the store."""
        if "seal" not in self.writer.notes:
            self.writer.note("seal", self.seals.key.hex())
        self.seals.key = bytes.fromhex(self.writer.notes["seal"])
        self.remembered.key = self.seals.key

    def _tick(self) -> None:
        beats = 0
        while not self._stopping.wait(1 / BEATS):
            beats += 1
            self.desk.post(Beat() if beats % BEATS else Tick(time.time(), time.monotonic()))

    def close(self) -> None:
        """Stop answering, finish what is on the desk, let go of the switches: their flows stay."""
        self._stopping.set()
        if self.identity is not None:
            self.identity.close()
        self.events.close()
        self.rest.close()
        self.ovsdb.close()
        self.switches.close()
        self.errands.close()
        self.desk.close()
        self.remembered.close()
        self.statistics.close()
        self.journal.close()
        self.store.close()


def tls_context(listener: Listener) -> ssl.SSLContext | None:
    """The TLS context of a listener, if it has one."""
    if listener.tls is None:
        return None
    return server_context(listener.tls.certificate, listener.tls.key, client_ca=listener.tls.ca or None)


def allow_many_files(wanted: int = 65536) -> None:
    """Each switch takes two connections and each client one; the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    import signal
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s")
    allow_many_files()
    look_seldom()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    hadron = Hadron(config)
    try:
        hadron.start()
        # A busy desk must not keep the switches' and the HTTP threads from their turn for Python's usual 5 ms.
        sys.setswitchinterval(0.0005)
        hadron.remembered.begin()
        sweeper = Sweeper()
        while not stop.wait(1):
            sweeper.sweep()
    finally:
        hadron.close()
