"""One host's OVSDB connection: ask for the schema, read the rows, then follow them and keep the bridge as it should be."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from controller.switch.changes import Plan
from controller.switch.host_facts import FactKeeper, HostFacts
from controller.switch.jsonrpc import JsonLink, Malformed, Splitter
from controller.switch.link import Refused
from controller.switch.ovsdb_rows import DATABASE, Database, watched
from controller.switch.provision import Wanted, plan, transaction

LOG = logging.getLogger(__name__)

GREETING_SECONDS = 15.0
STRANGER_LIMIT = 1 << 20        # octets in one message, until the peer has shown an Open vSwitch schema
HOST_LIMIT = 1 << 26            # of one that has; 100 000 interfaces are about 50 MB
MONITOR = "hadron"
REPAIR_WINDOW = 60.0            # seconds
# Open vSwitch 3.1 may record a port's old number for ever if ofport_request changes back while it still writes the new one.
REPAIR_PAUSE = 0.05


class Owner(Protocol):
    """The server, as a session sees it."""

    probe_seconds: float
    bridge: str

    def wanted(self, session: HostSession) -> Wanted: ...
    def claim(self, session: HostSession, host_id: str) -> None: ...
    def owns(self, host_id: str, switch_id: str) -> bool: ...
    def tell(self, session: HostSession, facts: HostFacts) -> None: ...
    def ended(self, session: HostSession, reason: str) -> None: ...
    def now_text(self) -> str: ...


class HostSession:
    """States: "shaking hands" (TLS), "schema", "rows", "following", "closed"."""

    def __init__(self, owner: Owner, link: JsonLink, clock: Callable[[], float]) -> None:
        self._owner, self.link, self._clock = owner, link, clock
        self.state, self.certificate = "shaking hands", ""
        self.host_id: str | None = None
        self.local, self.remote = address_of(link.sock.getsockname()), address_of(link.sock.getpeername())
        self.port: int = link.sock.getsockname()[1]
        self.since = clock()
        self.problems: list[str] = []
        self._failure = ""
        self._database = Database()
        self._keeper = FactKeeper(self._database, owner.bridge, self.remote, owner.now_text(), owner.owns)
        self._replies: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._asked = 0
        self._probed = False
        self._due = False       # rows have changed since the bridge was last found to be as it should be
        self._was_right = False
        self._wished = False    # … because something else is wanted, and not because somebody has changed it
        self._wrong_since: float | None = None
        self._in_flight: Plan | None = None
        self._repairs: deque[float] = deque()
        self._not_before = 0.0
        link.splitter = Splitter(STRANGER_LIMIT)

    # What the link calls.

    def opened(self, certificate: str) -> None:
        self.certificate, self.state = certificate, "schema"
        self._ask("get_schema", [DATABASE], self._has_schema)

    def received(self, message: dict[str, Any]) -> None:
        self._probed = False
        method = message.get("method")
        if method is None:
            self._reply(message)
        elif method == "update2":
            self._update(message.get("params"))
        elif method == "echo":
            self.link.say({"result": message.get("params"), "error": None, "id": message.get("id")})
        elif message.get("id") is not None:
            self.link.say({"result": None, "error": "unknown method", "id": message["id"]})

    def settled(self) -> None:
        """All that came together has been applied: tell what is new, and see whether all is well."""
        if self.state != "following" or not self.link.open:
            return
        if self._keeper.named_otherwise():
            raise Refused("the host has another system-id now")
        if self.host_id is None and (host_id := self._keeper.identify()):
            self._owner.claim(self, host_id)
            self.host_id = host_id
        if news := self._keeper.news():
            self._owner.tell(self, news)
        self._due = True
        if self.host_id is None:
            self._note_problems(self._keeper.problems)
        self._provision()

    def wanted_otherwise(self) -> None:
        """What the host's database should hold has changed."""
        self._due = self._wished = True
        if self.state == "following" and self.link.open:
            self._provision()

    def ticked(self, now: float) -> None:
        if self.state != "following" and now - self.since > GREETING_SECONDS:
            self.link.close(f"not known after {GREETING_SECONDS:.0f} s (it was at: {self.state})")
            return
        silent = now - self.link.heard
        if silent > 2 * self._owner.probe_seconds and self._probed:
            self.link.close(f"silent for {silent:.0f} s")
        elif silent > self._owner.probe_seconds and not self._probed and self.state != "shaking hands":
            self._probed = True
            self.link.say({"method": "echo", "params": [], "id": "echo"})
        else:
            self._provision()

    def closed(self, reason: str) -> None:
        self.state = "closed"
        self._owner.ended(self, reason)

    # What the host says.

    def _ask(self, method: str, params: list[Any], then: Callable[[dict[str, Any]], None]) -> None:
        self._asked += 1
        self._replies[str(self._asked)] = then
        self.link.say({"method": method, "params": params, "id": str(self._asked)})

    def _reply(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if number == "echo":
            return
        then = self._replies.pop(number, None) if isinstance(number, str) else None
        if then is None:
            raise Malformed(f"an answer to nothing that was asked: {number!r:.80}")
        then(message)

    def _has_schema(self, message: dict[str, Any]) -> None:
        if message.get("error"):
            raise Refused(f"no {DATABASE} database: {message['error']!r:.200}")
        columns = watched(message.get("result"))
        self.link.splitter.limit = HOST_LIMIT
        self.state = "rows"
        requests = {table: [{"columns": names}] for table, names in columns.items()}
        self._ask("monitor_cond", [DATABASE, MONITOR, requests], self._has_rows)

    def _has_rows(self, message: dict[str, Any]) -> None:
        if message.get("error"):
            raise Refused(f"the database cannot be followed (Open vSwitch 2.6 or later can): {message['error']!r:.200}")
        self._keeper.note(self._database.apply(message.get("result")))
        self.state = "following"

    def _update(self, params: Any) -> None:
        if self.state != "following" or not isinstance(params, list) or len(params) != 2 or params[0] != MONITOR:
            raise Malformed(f"an update that was not asked for: {params!r:.80}")
        self._keeper.note(self._database.apply(params[1]))

    # The integration bridge.

    def _provision(self) -> None:
        now = self._clock()
        if not self._due or self._in_flight or self.host_id is None or now < self._not_before and not self._wished:
            return
        made = plan(self._database, self._owner.wanted(self))
        self._note_problems([*self._keeper.problems, *made.problems])
        if not made.operations:
            self._due, self._wished, self._was_right, self._wrong_since = False, False, True, None
            return
        if self._wrong_since is None:
            self._wrong_since = now
        if self._was_right and now - self._wrong_since < REPAIR_PAUSE and not self._wished:
            return
        self._in_flight = made
        if not self._wished:
            self._pace(now)
        self._wished = False
        self._ask("transact", transaction(made), self._has_done)

    def _pace(self, now: float) -> None:
        """Someone may undo every repair: after a few the next ones wait, up to ten seconds."""
        while self._repairs and now - self._repairs[0] > REPAIR_WINDOW:
            self._repairs.popleft()
        self._repairs.append(now)
        more = len(self._repairs) - 3
        self._not_before = now + (min(10.0, 0.25 * 2 ** min(more, 10)) if more > 0 else 0)

    def _has_done(self, message: dict[str, Any]) -> None:
        made, self._in_flight = self._in_flight, None
        assert made is not None
        results = message.get("result")
        failed = [each for each in results if isinstance(each, dict) and each.get("error")] if isinstance(results, list) else []
        if message.get("error") or not isinstance(results, list) or failed:
            said = failed[0] if failed else message.get("error")
            self._failure = f"the database refuses to {'; '.join(made.changes)}: {said!r:.300}"
            self._not_before = max(self._not_before, self._clock() + 1.0)
            LOG.warning("host %s: %s", self.host_id, self._failure)
        else:
            self._failure = ""
            LOG.info("host %s: %s", self.host_id, "; ".join(made.changes))

    def _note_problems(self, problems: list[str]) -> None:
        for problem in problems:
            if problem not in self.problems:
                LOG.warning("host %s: %s", self.host_id or self.remote, problem)
        self.problems = problems + ([self._failure] if self._failure else [])


def address_of(name: Any) -> str:
    """The IP address of a socket's name, an IPv4 one as such even on a socket for both families."""
    return str(name[0]).removeprefix("::ffff:").partition("%")[0]
