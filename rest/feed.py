"""What has happened, in order: to documents, to what was seen of the fabric, and how objects do (controller/tidings.py). From
the store's log, as far as the model has followed it.

An event's place is its commit and its place in that, "1234.2": whoever has seen all up to one asks for what comes after.
"""
from __future__ import annotations

import bisect
import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from controller.policy import Context
from controller.sharing import KIND as SHARING
from controller.sharing import targets
from controller.store import TIDING, Store, StoreError, Tiding

log = logging.getLogger(__name__)

KEPT = 50_000               # events in memory
_PLACE = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?\Z")
Place = tuple[int, int]
END = 1 << 30               # the place after all others of a commit


class Happening(NamedTuple):
    """One document or fact that came, changed or went; `row` is it as it is now, or was. `shared` are projects, if it went,
    with which it had been shared. Or what is `told` of it: then `row` has only whose it is, and the verb is what of it."""

    place: Place
    verb: str
    kind: str
    row: Any
    shared: frozenset[str] = frozenset()
    told: Tiding | None = None


def name_of(place: Place) -> str:
    """How a place is told."""
    return f"{place[0]}.{place[1]}" if place[1] < END else str(place[0])


def place_of(text: str) -> Place | None:
    """What a client says of where it was; a commit without a place in it is all of that commit. None if it is neither."""
    found = _PLACE.match(text)
    return (int(found[1]), int(found[2] or END)) if found else None


class Feed:
    """The last events. Begins to read the log when somebody first asks, on a thread of its own."""

    def __init__(self, store: Store, model: Any, policy: Any, awake: Callable[[], None]) -> None:
        self._store, self._model, self._policy, self._awake = store, model, policy, awake
        self._lock = threading.Lock()
        self._events: deque[Happening] = deque(maxlen=KEPT)
        self._coming: deque[Any] = deque()                  # of the log, and not yet of the model
        self._facts: dict[tuple[str, str], Any] = {}        # as they were last
        self._shares: dict[str, dict[str, int]] = {}        # object -> with whom -> in which commit no more; 0: it is
        self._thread: threading.Thread | None = None
        self._position: Place = (0, 0)
        self._first = 0                                     # the first commit that the log has
        self._known = threading.Event()
        self.applied = 0                                    # the last commit that the model has followed

    def start(self, revision: int) -> None:
        """Begin, unless that was done; the model has followed up to `revision`."""
        with self._lock:
            if self._thread is None:
                self.applied = max(self.applied, revision)
                for row in self._model.find(SHARING, "all", True):
                    self._shares.setdefault(row.object_id, {})[row.target_tenant] = 0
                if not revision:
                    self._known.set()
                self._thread = threading.Thread(target=self._read, name="feed", daemon=True)
                self._thread.start()

    def follow(self, revision: int) -> None:
        """The model has followed all commits up to this one."""
        self.applied = revision
        if self._thread is not None:
            self._awake()

    def _read(self) -> None:
        try:
            for one in self._store.watch(None):
                if not self._first:
                    self._first = one.revision
                    self._known.set()
                self._coming.append(one)
                if one.revision <= self.applied:
                    self._awake()
        except StoreError as error:
            log.error("events end: %s", error)

    def take(self) -> None:
        """Take in what the model has followed. For one thread."""
        while self._coming and self._coming[0].revision <= self.applied:
            one = self._coming.popleft()
            at = self._position[1] + 1 if one.revision == self._position[0] else 0
            self._position = one.revision, at
            found = self._told(one) if one.kind == TIDING else self._happened(one)
            if found is not None:
                self._events.append(found)

    def _happened(self, one: Any) -> Happening | None:
        """What became of a document or a fact; None for what only Hadron needs to know."""
        resource = self._model.resources.get(one.kind)
        body = one.was if one.body is None else one.body
        if resource is None or body is None:
            return None
        row = self._model.make(one.kind, body)
        if resource.fact:
            before = self._facts.pop((one.kind, one.id), None)
            if one.body is not None:
                self._facts[one.kind, one.id] = row
                if before is not None and self._model.same(one.kind, before, row):      # when it was seen last, and the like
                    return None
        verb = "deleted" if one.body is None else "created" if one.new else "updated"
        return Happening(self._position, verb, one.kind, row, self._shared(one, body))

    def _told(self, one: Any) -> Happening | None:
        """How an object does now."""
        if one.body is None or one.body["kind"] not in self._model.resources:
            return None
        tiding = Tiding(**one.body)
        resource = self._model.resources[tiding.kind]
        whose = {resource.owner: tiding.project} if resource.owner else {}
        row = self._model.make(tiding.kind, {resource.key: tiding.id, **whose})
        return Happening(self._position, tiding.name, tiding.kind, row, told=tiding)

    def _shared(self, one: Any, body: Any) -> frozenset[str]:
        """Keeps account of who shares what; with whom an object was shared that goes."""
        if one.kind == SHARING:
            self._shares.setdefault(body["object_id"], {})[body["target_tenant"]] = one.revision if one.body is None else 0
        if one.body is not None:
            return frozenset()
        return frozenset(who for who, until in self._shares.pop(one.id, {}).items() if until in (0, one.revision))

    # ---- for readers
    def oldest(self, seconds: float = 0.0) -> Place:
        """After which everything is known; waits so long for the log to be opened."""
        self._known.wait(seconds)
        return self._events[0].place if len(self._events) == KEPT else (max(self._first - 1, 0), END)

    def after(self, place: Place, limit: int) -> list[Happening]:
        """What came after a place, at most so many."""
        begin = bisect.bisect_right(self._events, place, key=lambda one: one.place)
        return [self._events[at] for at in range(begin, min(begin + limit, len(self._events)))]

    def concerns(self, context: Context, one: Happening) -> bool:
        """Whether somebody may know of it: whose it is, with whom it is shared, administrators."""
        if one.told is not None and one.told.private and not context.is_admin:
            return False
        return self._policy.may(context, self._model.resources[one.kind], "get", one.row) or \
            bool(one.shared) and not one.shared.isdisjoint(targets(context.project_id))
