"""What the rules see: rows of the model and answers of questions, each reading noted down.

A *question* (a query, a tally, or an app's rule for one object) is answered once. While it is being
answered, every row, index entry, question or gathering that it reads is noted. When a row changes, only the
questions that read it are asked again; an answer equal to the one before disturbs nobody.

    row changes ──► questions that read it ──► (answer differs?) ──► questions that asked those ──► …

Roles, asked again in this order, lowest first, until nothing waits:

    query   a question other rules may ask                       places.interface_of(port)
    tally   pairs (key, value) that one row adds to a gathering  (network, switch) for each bound port
    where   the switches a rule's flows belong on
    flows   the flows of a rule for one object; said, what an object has to say unasked; kept, a document it wishes for;
            furnished, the queues of a host

A gathering is the set of all values that the rows tallied under one key. It is kept by counting, so a port
that joins a network of ten thousand costs one step, and those who read the gathering hear of it only if the
*set* has changed.
"""
from __future__ import annotations

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

log = logging.getLogger("hadron.compile")

LEVEL = {"query": 0, "tally": 1, "where": 2, "flows": 3, "said": 3, "kept": 3, "furnished": 3, "told": 3}
NOBODY: frozenset = frozenset()


class Missing(Exception):
    """A rule needs a row that is not there (yet): it has no flows until the row appears."""


class Reading:
    """What rules read: the world, a glance at it, or the world as it would be otherwise."""

    def get(self, kind: str, id: str) -> Any:
        """The row, or None."""
        raise NotImplementedError

    def need(self, kind: str, id: str | None) -> Any:
        """The row; without it the asking rule has nothing to say (and is asked again when it appears)."""
        row = self.get(kind, id) if id else None
        if row is None:
            raise Missing(kind, id)
        return row


class World(Reading):
    """The model as rules read it. Only `refresh`, `forget` and `drop` are for the compiler."""

    def __init__(self, model: Any, *, strict: bool = False) -> None:
        self._model, self._rows, self._strict = model, model.rows, strict
        # (question, args) -> answer, what it read, and the key itself: all who have asked keep the same one
        self._answers: dict[tuple, tuple[Any, tuple, tuple]] = {}
        self._readers: defaultdict[Hashable, set] = defaultdict(set)
        self._new: list[tuple] = []                                # answered, and not yet among the readers
        self._own: defaultdict[str, dict[Any, None]] = defaultdict(dict)      # kind -> questions about one row of it
        self._reads: set | None = None                              # what is read for the question being answered
        self._counts: defaultdict[tuple, dict[Any, int]] = defaultdict(dict)   # (tally, key) -> value -> how often
        self._gathered: dict[tuple, frozenset] = {}
        self.broken: dict[tuple, str] = {}                         # questions that raised: no flows, and why

    # ---- reading
    @property
    def settings(self) -> Mapping[str, Any]:
        """What the features' settings are: the same as long as the controller runs."""
        return self._model.settings

    def get(self, kind: str, id: str) -> Any:
        """The row, or None."""
        if self._reads is not None:
            self._reads.add((kind, id))
        return self._rows[kind].get(id)

    def find(self, kind: str, index: str, key: Any) -> list:
        """The rows under one key of an index, in order of their ids."""
        if self._reads is not None:
            self._reads.add((kind, index, key))
        return self._model.find(kind, index, key)

    def gathered(self, tally: Any, key: Any) -> frozenset:
        """The values that all rows tallied under `key`."""
        fact = (tally, key)
        if self._reads is not None:
            self._reads.add(fact)
        found = self._gathered.get(fact)
        if found is None:
            counts = self._counts.get(fact)
            found = self._gathered[fact] = frozenset(counts) if counts else NOBODY
        return found

    def ask(self, question: Any, *args: Any) -> Any:
        """A question's answer, remembered until something that it read changes."""
        asked = (question, args)
        known = self._answers.get(asked)
        if known is None:
            answer = self._answer(asked)
        else:
            answer, _, asked = known
        if self._reads is not None:
            self._reads.add(asked)
        return answer

    def answer(self, asked: tuple) -> Any:
        """The same for (question, args), of the compiler's own accord: nobody has read it."""
        known = self._answers.get(asked)
        return self._answer(asked) if known is None else known[0]

    def has_asked(self, question: Any, *args: Any) -> bool:
        """Whether an answer is remembered."""
        return (question, args) in self._answers

    def known(self, question: Any, *args: Any) -> Any:
        """A question's answer if it has been asked, else None; any thread may look."""
        known = self._answers.get((question, args))
        return known[0] if known else None

    def rests_on(self, question: Any, *args: Any) -> set[tuple[str, str]]:
        """The rows (kind, id) that an answer was made of, directly or through other questions; not the gatherings'."""
        rows: set[tuple[str, str]] = set()
        seen: set[Hashable] = set()
        waiting = [(question, args)]
        while waiting:
            for fact in self._answers.get(waiting.pop(), (None, ()))[1]:
                if fact in seen:
                    continue
                seen.add(fact)
                if not isinstance(fact[0], str):
                    waiting.append(fact)
                elif len(fact) == 2:
                    rows.add(fact)
                else:
                    rows.update((fact[0], row.id) for row in self._model.find(*fact))
        return rows

    def setting(self, name: str) -> Any:
        """What a feature's setting is: it stays so as long as the controller runs."""
        return self._model.settings[name]

    # ---- across restarts
    def keep(self) -> tuple:
        """All that is known."""
        return self._answers, dict(self._counts)

    def take_back(self, kept: tuple) -> None:
        """What `keep` gave, for a model with the rows of then: nothing has been asked yet."""
        self._answers, counts = kept
        self._counts = defaultdict(dict, counts)
        self._new = list(self._answers)

    # ---- keeping up
    def refresh(self, facts: Iterable[tuple]) -> Iterator[tuple]:
        """Ask again all that read `facts`; yields each (question, args) whose answer is a new one."""
        # Ordered, so every run is alike; taking the first of a plain dict again and again costs ever more.
        waiting: list[OrderedDict[tuple, None]] = [OrderedDict() for _ in range(4)]

        def wake(fact: tuple) -> None:
            for asked in self._readers_of(fact):
                waiting[LEVEL[asked[0].role]][asked] = None

        for fact in facts:
            wake(fact)
        while level := next((some for some in waiting if some), None):
            asked, _ = level.popitem(last=False)
            if asked not in self._answers:
                continue
            before = self._answers[asked][0]
            now = self._answer_again(asked)
            if now == before:
                continue
            if asked[0].role == "tally":
                for fact in self._recount(asked[0], before, now):
                    wake(fact)
            else:
                wake(asked)
                yield asked

    def _readers_of(self, fact: tuple) -> Iterator[tuple]:
        """Who read it. That a question about a row reads this row is not noted, because it always does."""
        self.enter()
        yield from self._readers.get(fact, ())
        if len(fact) == 2 and fact[0].__class__ is str:
            args = fact[1:]
            for question in self._own.get(fact[0], ()):
                if (question, args) in self._answers:
                    yield question, args

    def count(self, tally: Any, id: str) -> list[tuple]:
        """A row with a tally appeared: take in its pairs; returns the gatherings that changed."""
        asked = (tally, (id,))
        if asked in self._answers:
            return []
        return self._recount(tally, (), self._answer(asked))

    def drop(self, tally: Any, id: str) -> list[tuple]:
        """A row with a tally went; returns the gatherings that changed."""
        asked = (tally, (id,))
        if asked not in self._answers:
            return []
        before = self._answers[asked][0]
        self.forget(asked)
        return self._recount(tally, before, ())

    def _recount(self, tally: Any, before: Iterable, now: Iterable) -> list[tuple]:
        changed: list[tuple] = []
        if not (before or now):
            return changed
        old, new = set(before), set(now)
        for key, value in old - new:
            fact = (tally, key)
            counts = self._counts[fact]
            counts[value] -= 1
            if not counts[value]:
                del counts[value]
                changed.append(fact)
                if not counts:
                    del self._counts[fact]
        for key, value in new - old:
            fact = (tally, key)
            counts = self._counts[fact]
            counts[value] = counts.get(value, 0) + 1
            if counts[value] == 1:
                changed.append(fact)
        for fact in changed:
            self._gathered.pop(fact, None)
        return changed

    def _answer(self, asked: tuple) -> Any:
        """Ask for the first time."""
        answer, reads = self._ask(asked)
        self._answers[asked] = answer, tuple(reads), asked
        self._new.append(asked)
        return answer

    def enter(self) -> None:
        """Note who has read what of late. Who changes rows needs it; who compiles all for the first time need not wait."""
        if not self._new:
            return
        new, self._new = self._new, []
        readers = self._readers
        for asked in new:
            question, args = asked
            own = None
            if question.per is not None and len(args) == 1:
                own = question.per, args[0]
                self._own[question.per][question] = None
            for fact in self._answers[asked][1]:
                if fact != own:
                    readers[fact].add(asked)

    def _answer_again(self, asked: tuple) -> Any:
        """Ask again, and note the difference in what is read."""
        if self.broken:
            self.broken.pop(asked, None)
        answer, reads = self._ask(asked)
        self.enter()
        _, once, asked = self._answers[asked]
        self._answers[asked] = answer, tuple(reads), asked
        for fact in reads.difference(once):
            self._readers[fact].add(asked)
        for fact in once:
            if fact not in reads:
                self._unread(fact, asked)
        return answer

    def _ask(self, asked: tuple) -> tuple[Any, set]:
        """The answer, and what was read for it."""
        question, args = asked
        outer = self._reads
        reads: set = set()
        self._reads = reads
        try:
            return question(self, *args), reads
        except Missing:
            return question.nothing, reads
        except Exception as error:
            if self._strict:
                raise
            # One object's rule fails closed; the others go on. `hadron audit` shows what is broken.
            log.exception("%s failed for %s", getattr(question, "name", question), args)
            self.broken[asked] = f"{type(error).__name__}: {error}"
            return question.nothing, reads
        finally:
            self._reads = outer

    def _unread(self, fact: Hashable, asked: tuple) -> None:
        readers = self._readers.get(fact)
        if readers is None:
            return
        readers.discard(asked)
        if not readers:
            del self._readers[fact]
            if fact in self._answers and fact[0].role == "query":
                self.forget(fact)

    def forget(self, asked: tuple) -> None:
        """Nobody asks this any more."""
        if asked in self._answers:
            self.enter()
        known = self._answers.pop(asked, None)
        self.broken.pop(asked, None)
        if known:
            for fact in known[1]:
                self._unread(fact, asked)


Question = Callable[..., Any]


class Glance(Reading):
    """Rows as rules read them, for one answer: nothing is noted or kept, so any thread may ask.

    They are a model's, or those of a write that is being decided.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._model.settings

    def get(self, kind: str, id: str) -> Any:
        return self._model.get(kind, id)

    def find(self, kind: str, index: str, key: Any) -> list:
        return self._model.find(kind, index, key)

    def setting(self, name: str) -> Any:
        return self._model.settings[name]

    def known(self, question: Any, *args: Any) -> Any:
        return None

    def ask(self, question: Any, *args: Any) -> Any:
        try:
            return question(self, *args)
        except Missing:
            return question.nothing

    def gathered(self, tally: Any, key: Any) -> frozenset:
        """What all rows add to a gathering: as slow as there are rows."""
        return frozenset(value for row in self.find(tally.per, "all", True) for found, value in tally(self, row[0])
                         if found == key)
