"""Hosts, by their Open vSwitch databases: `ovs-vsctl set-manager tcp:<controller>:6640` is all that a host needs.

The host connects; its integration bridge, controller target and tunnel ports are then made and kept as they should be, and
what it says of itself and its interfaces is posted as facts (RFC 7047; no code of Open vSwitch's is needed).
"""

from __future__ import annotations

import ipaddress
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, cast

from controller.certificates import Certificates
from controller.queues import PortQueues
from controller.switch.events import Impostor
from controller.switch.host_facts import HostFacts, HostGone
from controller.switch.jsonrpc import JsonLink
from controller.switch.link import Link, Peer, Refused
from controller.switch.loop import Loop
from controller.switch.ovsdb_session import HostSession
from controller.switch.provision import TUNNELS, Wanted, datapath_id
from controller.times import utc

LOG = logging.getLogger(__name__)

PORT = 6640
TARGET = re.compile(r"(tcp|ssl):\S+\Z")


class HostState(NamedTuple):
    """One connection, for whoever looks for what is wrong."""

    address: str
    host_id: str | None
    state: str
    seconds: float
    certificate: str
    problems: tuple[str, ...]


class OvsdbServer:
    """Serves the OVSDB connections of all hosts on one thread, which also calls `post` with HostFacts, HostGone and Impostor."""

    def __init__(self, post: Callable[[HostFacts | HostGone | Impostor], None], *, bridge: str = "br-int",
                 controllers: Sequence[str] = (), openflow_ports: Mapping[str, int] | None = None,
                 tunnels: Sequence[str] = tuple(TUNNELS), probe_seconds: float = 5.0,
                 certificates: Certificates | None = None,
                 clock: Callable[[], float] = time.monotonic, now_text: Callable[[], str] = utc) -> None:
        """`controllers`: what switches are told to connect to, such as tcp:192.0.2.1:6653.

        If there are none, each host is told the address at which it reached this server, with the port in `openflow_ports`
        (by "tcp" or "ssl"): the kind of its own connection if there is one, else the other. `certificates` says which one
        a host must show. Raises ValueError.
        """
        self.bridge, self.probe_seconds = bridge, probe_seconds
        self.lanes = 0              # how many lanes switches are to open, at the port after that of OpenFlow
        self._post, self._clock = post, clock
        self._certificates = certificates or Certificates({"switch": {}})
        self._controllers, self._ports = tuple(controllers), dict(openflow_ports or {"tcp": 6653})
        if wrong := [each for each in self._controllers if not TARGET.match(each)]:
            raise ValueError(f"controllers: {wrong[0]!r} must be like tcp:192.0.2.1:6653 or ssl:192.0.2.1:6653")
        if wrong := [each for each in self._ports if each not in ("tcp", "ssl")]:
            raise ValueError(f"openflow_ports: {wrong[0]!r} must be tcp or ssl")
        if wrong := [each for each in tunnels if each not in TUNNELS]:
            raise ValueError(f"tunnels: {wrong[0]!r} must be one of {', '.join(TUNNELS)}")
        self._tunnels = tuple(TUNNELS[each] for each in TUNNELS if each in tunnels)
        self.now_text = now_text
        self._sessions: set[HostSession] = set()
        self._hosts: dict[str, HostSession] = {}
        self._queues: dict[str, tuple[PortQueues, ...]] = {}
        self._switches: dict[str, str] = {}                 # identity of a bridge -> the host it belongs to
        self._denied: dict[str, str] = {}                   # host -> the identity of its bridge that is another certificate's
        self._loop = Loop(clock=clock)
        self._thread = threading.Thread(target=self._loop.run, name="ovsdb", daemon=True)

    def listen(self, address: str = "0.0.0.0", port: int = PORT, *, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Wait for hosts here, too; returns the address and the port. Raises OSError."""
        return self._loop.listen(address, port, self._welcome, tls=tls, link=JsonLink)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End all connections. The hosts keep their bridges and flows."""
        self._loop.stop()
        if self._thread.ident is None:
            self._loop.run()                         # which closes what was opened, and no more
        elif self._thread.is_alive():
            self._thread.join()

    def furnish(self, host_id: str, queues: tuple[PortQueues, ...]) -> None:
        """These are a host's queues from now on; may be said from any thread, whether the host is there or not."""
        self._loop.call(self._furnish, host_id, queues)

    def _furnish(self, host_id: str, queues: tuple[PortQueues, ...]) -> None:
        self._queues[host_id] = queues
        if session := self._hosts.get(host_id):
            session.wanted_otherwise()

    def peers(self) -> list[HostState]:
        """All connections; may be asked from any thread, and before `start` there are none. Raises TimeoutError."""
        if not self._thread.is_alive():
            return []
        answer: Future[list[HostState]] = Future()
        self._loop.call(lambda: answer.set_result([self._state(each) for each in self._sessions]))
        return sorted(answer.result(timeout=5), key=lambda each: each.address)

    def _state(self, session: HostSession) -> HostState:
        return HostState(session.link.address, session.host_id, session.state, self._clock() - session.since,
                         session.certificate, tuple(session.problems))

    def _welcome(self, link: Link) -> Peer:
        session = HostSession(self, cast(JsonLink, link), self._clock)
        self._sessions.add(session)
        return cast(Peer, session)

    # What a session asks of its server, on the server's thread.

    def wanted(self, session: HostSession) -> Wanted:
        """What this host's bridge should be like."""
        taken = {switch for switch, host in self._switches.items() if host != session.host_id}
        taken |= {switch for host, switch in self._denied.items() if host == session.host_id}
        controllers, lanes = (self._controllers, ()) if self._controllers else self._targets(session)
        return Wanted(controllers, lanes, self.bridge, self._tunnels, frozenset(taken), _reached(session),
                      self._queues.get(session.host_id or "", ()))

    def _targets(self, session: HostSession) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Where this host's switch finds us, and our lanes. Open vSwitch tells controllers apart by how they are written,
        and a number may be written with noughts before it.
        """
        kind = _kind(session)
        if kind not in self._ports:
            kind = next(iter(self._ports))
        start, port = f"{kind}:{_bracketed(session.local)}:", self._ports[kind]
        return (f"{start}{port}",), tuple(f"{start}{'0' * place}{port + 1}" for place in range(self.lanes))

    def claim(self, session: HostSession, host_id: str) -> None:
        """The session has found out which host it serves. Raises Refused if that host is another certificate's, or is here
        already, from elsewhere.

        A host that comes again from the same address has lost its old connection, whatever the old one looks like here.
        """
        owner = self._certificates.of_host(host_id, session.certificate)
        if owner is not None:
            self._post(Impostor("host", host_id, session.link.address, session.certificate, owner))
            raise Refused(f"it calls itself {host_id}, which belongs to the certificate of {owner}: it has shown that of "
                          f"{session.certificate}")
        old = self._hosts.get(host_id)
        if old and old.remote != session.remote:
            raise Refused(f"it calls itself {host_id}, which is connected from {old.remote}: two hosts with one system-id?")
        if old:
            old.link.close("the host has connected again")
        self._hosts[host_id] = session
        LOG.info("host %s: connected from %s", host_id, session.link.address)

    def owns(self, host_id: str, switch_id: str) -> bool:
        """Whether a host's bridge is this switch. Of two hosts that say so (one may be a copy of the other's disk) it is
        the one whose name the identity was made of, else the first; and nobody's but who shows its certificate.
        """
        if self._is_denied(host_id, switch_id):
            return False
        other = self._switches.get(switch_id)
        if other is None or other != host_id and switch_id == datapath_id(host_id, self.bridge):
            self._forget(host_id)
            self._switches[switch_id] = host_id
            if other is not None:
                self._hosts[other].link.close(f"its bridge has the identity of {host_id}'s")
        return self._switches[switch_id] == host_id

    def _is_denied(self, host_id: str, switch_id: str) -> bool:
        """Whether this switch, whose identity was not made of the host's name, is another certificate's than it has shown."""
        session, before = self._hosts[host_id], self._denied.pop(host_id, None)
        owner = self._certificates.of_switch(switch_id, session.certificate)
        if owner is None or switch_id == datapath_id(host_id, self.bridge):
            return False
        self._denied[host_id] = switch_id
        if before != switch_id:
            self._post(Impostor("switch", switch_id, session.link.address, session.certificate, owner))
        return True

    def _forget(self, host_id: str) -> None:
        self._switches = {switch: host for switch, host in self._switches.items() if host != host_id}

    def tell(self, session: HostSession, facts: HostFacts) -> None:
        self._post(facts._replace(certificate=session.certificate))

    def ended(self, session: HostSession, reason: str) -> None:
        self._sessions.discard(session)
        self._loop.strangers.warning(LOG, "host %s: connection from %s closed: %s", session.host_id or "unknown",
                                     session.link.address, reason)
        host_id = session.host_id
        if host_id and self._hosts.get(host_id) is session:
            del self._hosts[host_id]
            self._denied.pop(host_id, None)
            self._forget(host_id)
            self._post(HostGone(host_id, reason))


__all__ = ["HostFacts", "HostGone", "HostState", "OvsdbServer"]


def _kind(session: HostSession) -> str:
    return "ssl" if isinstance(session.link.sock, ssl.SSLSocket) else "tcp"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address


def _reached(session: HostSession) -> tuple[str, ...]:
    """How Open vSwitch may write the place at which a host reaches us; without a port it is 6640."""
    target = f"{_kind(session)}:{_bracketed(session.local)}"
    return (f"{target}:{session.port}", *((target,) if session.port == PORT else ()))
