"""What an app file imports: the words in which a feature is written.

    @query                          a question other rules may ask; remembered until what it read changes
    @tally(per="port")              pairs (key, value) that a row adds to a gathering; world.gathered reads it
    @flows(per="port", on=home)     for each object of a kind these flows, on these switches
    @flows(…, each=True)            … with flows of their own on every switch: rule(world, row, switch)
    @only(is_interface)             above the function of a rule, a tally, a saying or `on`: the others have nothing to do with it
    @flows(…, staged=True)          … that hang together across switches: the new before the old goes
    @flows(…, lingers=Lingers(…))   … some of which stay for a while when they are no more
    @answers(of=rule)               what a packet that the rule's flows sent to us is answered with: frames, back to
                                    where it came from; (port or actions, frame), elsewhere; Fact(kind, document), what
                                    it teaches; Heard(frame, service, mtu), a TCP segment for a service; Ask(of, what,
                                    then), what somebody outside must be asked first
    @every(600, per="network", to=seats)    what to say to these places now and again, and at once when it changes;
                                    a frame may be Sealed, and whoever answers with Unseal learns whether it is genuine
    @fades("link", seconds=60)      facts of this kind hold only if they are heard again in time
    @keeps("port", per="interface") documents that follow from what is seen
    @furnishes                      the queues of a host's interfaces: rule(world, host) yields PortQueues
    @tells(per="router")            how an object does, which is told in events when it changes

A rule yields flows as (table, level, match, actions): the level is one of the table's named priorities; or a
Group, a Meter or a whole Flow; or a dict of many of these by their keys, that a query keeps (best a Derived). Rules are pure: they read only through `world`, and import no os_ken, time, random or socket.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from controller.compile import NOWHERE, Spread, alone, spread
from controller.conversations import Heard, Service
from controller.openflow.flow import Flow, Why, cookie_of
from controller.queues import PortQueues, Queue
from controller.world import Missing

__all__ = ["APPS", "FADING", "KEPT", "RULES", "SAYINGS", "TALLIES", "Alarm", "AsSeen", "Ask", "Entry", "Fact", "FromPort", "Heard", "Lingers", "Missing",
           "PortQueues", "Queue", "Resume", "Rule", "Said", "Sealed", "Service", "TELLERS", "Unseal", "answers", "every", "fades", "flows", "furnishes", "keeps", "only",
           "query", "spread", "tally", "tells"]

RULES: list[Rule] = []
TALLIES: list[Tally] = []
SAYINGS: list[Saying] = []
FADING: dict[str, Fades] = {}          # kind of fact -> how it fades
KEPT: list[Kept] = []
FURNISHED: list[Furnished] = []
TELLERS: list[Teller] = []
APPS: dict[int, str] = {}              # number in the cookie -> name of the app


def declared() -> list[Any]:
    """Every rule, question where, tally and saying, in the order in which they were declared: the same for the same files."""
    return [*RULES, *(rule.where for rule in RULES), *TALLIES, *SAYINGS, *KEPT, *FURNISHED]


def query(ask: Callable) -> Callable:
    """Declare a question; its answer is remembered until what it read changes."""
    ask.role, ask.per, ask.nothing = "query", None, None          # type: ignore[attr-defined]
    ask.name = f"{ask.__module__}.{ask.__name__}"                 # type: ignore[attr-defined]
    return ask


def only(concerns: Callable[[Any], bool]) -> Callable[[Callable], Callable]:
    """Declare that a tally, a rule, a saying or a function `on` has something to say of rows only of which this is true, by what they
    say themselves: of the others it is never asked. Few ports are a router's."""
    def declare(ask: Callable) -> Callable:
        ask.concerns = concerns         # type: ignore[attr-defined]
        return ask
    return declare


def _any(row: Any) -> bool:
    return True


class Tally:
    role, nothing = "tally", ()

    def __init__(self, pairs: Callable, per: str) -> None:
        self.pairs, self.per, self.name = pairs, per, f"{pairs.__module__}.{pairs.__name__}"
        self.concerns: Callable[[Any], bool] = getattr(pairs, "concerns", _any)

    def __call__(self, world: Any, id: str) -> tuple:
        row = world.get(self.per, id)
        return tuple(self.pairs(world, row)) if row is not None else ()


def tally(per: str) -> Callable[[Callable], Tally]:
    """Declare what each row of a kind adds to gatherings: yields (key, value) pairs."""
    def declare(pairs: Callable) -> Tally:
        TALLIES.append(Tally(pairs, per))
        return TALLIES[-1]
    return declare


class _Where:
    """One question for all rules that ask it of a kind: most of a port's flows belong where the port is."""
    role, nothing = "where", NOWHERE

    def __init__(self, per: str, on: Callable) -> None:
        self.per, self._on, self.name = per, on, f"{on.__module__}.{on.__qualname__} of a {per}"
        self.concerns: Callable[[Any], bool] = getattr(on, "concerns", _any)

    def __call__(self, world: Any, id: str) -> Spread:
        row = world.get(self.per, id)
        if row is None:
            return NOWHERE
        found = self._on(world, row)
        if found.__class__ is Spread:
            return found
        return alone(found[0]) if found.__class__ is tuple and len(found) == 1 else spread(found or ())


@cache
def _where(per: str, on: Callable) -> _Where:
    return _Where(per, on)


NO_FLOWS: Mapping[tuple, Any] = MappingProxyType({})


class Lingers(NamedTuple):
    """Which entries of a rule stay for a while when they are no more: those of which nothing leads to any, so that they do
    nothing but have counted for them, and for what comes behind them, what has passed until now.

    `which(world, id, switch, keys)` gives them; `made_of` are the kinds of rows that say what they do: with a change of
    one of these all go at once.
    """
    which: Callable[[Any, str, str, Iterable[tuple]], Iterable[tuple]]
    made_of: tuple[str, ...]


class Rule:
    """One rule of an app: what flows an object means (`make`), and apart from that where (`where`)."""
    role, nothing = "flows", NO_FLOWS

    def __init__(self, make: Callable, per: str, on: Callable, each: bool, staged: bool = False, lingers: Lingers | None = None) -> None:
        self.make, self.per, self.each, self.staged, self.lingers = make, per, each, staged, lingers
        self.name = f"{make.__module__}.{make.__name__}"
        self.app = _app_number(make.__module__)
        self.where = _where(per, on)
        self.only: Callable[[Any], bool] | None = getattr(make, "concerns", None)
        if self.only is not None and each:
            raise ImportError(f"{self.name}: a rule with flows of its own on every switch is for all objects; @only goes above `on`")
        self.answers: Callable | None = None
        self.flood: int | None = None

    def __call__(self, world: Any, id: str, *switch: str) -> Mapping[tuple, Any]:
        """What it wants for one object (on one switch), each with who asked for it."""
        row = world.get(self.per, id)
        if row is None:
            return NO_FLOWS
        wanted: dict[tuple, Any] = {}
        why = Why(self.app, id, self.name)
        whose = cookie_of(why)
        kept: Mapping[tuple, Any] = NO_FLOWS
        for said in self.make(world, row, *switch):
            if said.__class__ is tuple:
                table, level, fields, do = said
                number = table.levels[level] if level.__class__ is str else priority(table, level)
                entry = Flow(table, number, fields, do, why, whose)
            elif isinstance(said, dict):
                kept = {**kept, **said} if kept else said
                continue
            else:
                entry = said.explained(why)
            wanted[entry.key] = entry
        return {**wanted, **kept} if wanted and kept else wanted or kept

    def __repr__(self) -> str:
        return self.name


def priority(table: Any, level: Any) -> int:
    """The number of a level; ("route", 24) is 24 above the level "route": longer prefixes come first."""
    return table.levels[level] if level.__class__ is str else table.levels[level[0]] + level[1]


def _app_number(module: str) -> int:
    """The app's number in cookies: `APP = 7` in its file, the only one with that number."""
    number = sys.modules[module].__dict__.get("APP")
    if not isinstance(number, int) or not 0 < number < 256:
        raise ImportError(f"{module}: declare APP = a number from 1 to 255 (it goes into the cookie of each flow)")
    if APPS.setdefault(number, module) != module:
        raise ImportError(f"{module}: APP = {number} belongs to {APPS[number]}")
    return number


def flows(per: str, on: Callable, *, each: bool = False, staged: bool = False,
          lingers: Lingers | None = None) -> Callable[[Callable], Rule]:
    """Declare a rule: for each object of kind `per`, these flows, on these switches.

    `staged`: they hang together across switches. A change takes out what is no more only after all switches have what
    is new, and that in the order of the flows' stages, each confirmed before the next.
    """
    def declare(make: Callable) -> Rule:
        RULES.append(Rule(make, per, on, each, staged, lingers))
        return RULES[-1]
    return declare


def answers(of: Rule, per: str | None = None, *, flood: int | None = None) -> Callable[[Callable], Callable]:
    """Declare the answer to packets that `of`'s flows send to the controller: answer(world, row, frame) -> frames.

    `flood`: so many of one object within a second that people should know.
    """
    if per not in (None, of.per):
        raise ImportError(f"{of.name} is per {of.per}; its answer cannot be per {per}")

    def declare(answer: Callable) -> Callable:
        of.answers, of.flood = answer, flood
        return answer
    return declare


class Fact(NamedTuple):
    """Something seen, to be remembered as a row: a kind of topology.yaml and its attributes."""
    kind: str
    document: dict[str, Any]


class Alarm(NamedTuple):
    """Something that should not happen, at the port that a packet came from; `details` are names and values."""
    what: str
    details: dict[str, Any]


class Sealed(NamedTuple):
    """A frame to be completed with a proof that we have sent it, now, about this; see controller/seals.py."""
    about: bytes
    head: bytes
    tail: bytes


class Unseal(NamedTuple):
    """What to do once a seal has been looked at: `then(µs on the way)` gives the answers; else this alarm is raised.

    The way began at the switch `by`; the ways between us and the two switches do not count.
    """
    about: bytes
    seal: bytes
    by: str
    then: Callable[[int], Iterable[Any]]
    alarm: Alarm


class AsSeen(NamedTuple):
    """What depends on how the packet was come upon: `then(packet)` gives the answers, from the PacketIn with table and registers."""
    then: Callable[[Any], Iterable[Any]]


class Entry(NamedTuple):
    """Something to be written down for people to read, of a project that the document names (`controller/journal.py`)."""
    document: dict[str, Any]


class FromPort(NamedTuple):
    """What depends on where the packet came in: `then(OpenFlow port)` gives the answers."""
    then: Callable[[int], Iterable[Any]]


class Resume(NamedTuple):
    """The packet goes on, from the port where it came in, as these actions say."""
    actions: bytes
    frame: bytes


class Fades(NamedTuple):
    """How facts of a kind fade: after so many seconds (if any), with the ports (switch, number) that one is about, and
    with the row of a kind that an attribute names.
    """
    seconds: int | None
    of: tuple[str, str] | None
    places: Callable[[Any], tuple[tuple[str, int], ...]]


def fades(kind: str, *, seconds: int | None = None, of: tuple[str, str] | None = None) -> Callable[[Callable], Callable]:
    """Declare that facts of a kind go unless they are heard again: places(row) gives the ports that one is about."""
    def declare(places: Callable) -> Callable:
        FADING[kind] = Fades(seconds, of, places)
        return places
    return declare


class Kept:
    """Documents that follow from rows: for each row of a kind, what is wished for as REST would say it, or None."""
    role, nothing = "kept", None

    def __init__(self, wish: Callable, kind: str, per: str, found: Callable) -> None:
        self.wish, self.kind, self.per, self.found = wish, kind, per, found
        self.name = f"{wish.__module__}.{wish.__name__}"

    def __call__(self, world: Any, id: str) -> dict[str, Any] | None:
        row = world.get(self.per, id)
        return self.wish(world, row) if row is not None else None


def keeps(kind: str, *, per: str, found: Callable) -> Callable[[Callable], Kept]:
    """Declare documents that follow from rows; found(model, id) gives the one that is there for a row."""
    def declare(wish: Callable) -> Kept:
        KEPT.append(Kept(wish, kind, per, found))
        return KEPT[-1]
    return declare


class Furnished:
    """What hosts' databases are to hold beside their bridges."""
    role, nothing, per = "furnished", (), "host"

    def __init__(self, make: Callable) -> None:
        self.make, self.name = make, f"{make.__module__}.{make.__name__}"

    def __call__(self, world: Any, id: str) -> tuple[PortQueues, ...]:
        return tuple(self.make(world, world.need("host", id)))


def furnishes(make: Callable) -> Furnished:
    """Declare the queues of hosts' interfaces."""
    FURNISHED.append(Furnished(make))
    return FURNISHED[-1]


class Teller:
    """How each object of a kind does; the function's name says what of it. `private`: for administrators only."""
    role, nothing = "told", None

    def __init__(self, tell: Callable, per: str, first: Any, private: bool) -> None:
        self.tell, self.per, self.first, self.private, self.name = tell, per, first, private, tell.__name__

    def __call__(self, world: Any, id: str) -> Any:
        row = world.get(self.per, id)
        return self.tell(world, row) if row is not None else None


def tells(per: str, *, first: Any = None, private: bool = False) -> Callable[[Callable], Teller]:
    """Declare how objects do: tell(world, row), told in events when it is not as it was; `first` is how it is at first."""
    def declare(tell: Callable) -> Teller:
        TELLERS.append(Teller(tell, per, first, private))
        return TELLERS[-1]
    return declare


class Ask(NamedTuple):
    """What somebody outside is asked (`of`: who, as "resolver") before there is an answer: `then` makes the answers of
    what was said, or of None if nobody says anything."""
    of: str
    what: Any
    then: Callable[[Any], Any]


class Said(NamedTuple):
    """What is said of an object: frames; and by what it is about, the frame that takes it back once it is so no more.

    With another `seat` it is said anew: it is said from elsewhere.
    """
    frames: tuple[bytes | Sealed, ...] = ()
    undo: tuple[tuple[Hashable, bytes], ...] = ()
    seat: Hashable = None


SILENCE = Said()


class Saying:
    """What is said unasked of each object of a kind; `to` gives the places: (switch, OpenFlow port or actions) each."""
    role, nothing = "said", SILENCE

    def __init__(self, say: Callable, seconds: int, per: str, to: Callable, eager: int, at_once: bool) -> None:
        self.say, self.seconds, self.per, self.to, self.eager, self.at_once = say, seconds, per, to, eager, at_once
        self.name = f"{say.__module__}.{say.__name__}"
        self.concerns: Callable[[Any], bool] = getattr(say, "concerns", _any)

    def __call__(self, world: Any, id: str) -> Said:
        row = world.get(self.per, id)
        return self.say(world, row) if row is not None else SILENCE


def every(seconds: int, *, per: str, to: Callable, eager: int = 0, at_once: bool = False) -> Callable[[Callable], Saying]:
    """Declare what is said unasked, every so many seconds and whenever it changes: say(world, row) -> Said.

    What has changed is said within a second, and again `eager` times in quick succession; what has to be said
    `at_once` also as soon as the flows that go with it are there, and some more times within that second.
    """
    def declare(say: Callable) -> Saying:
        SAYINGS.append(Saying(say, seconds, per, to, eager, at_once))
        return SAYINGS[-1]
    return declare
