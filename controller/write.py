"""The only way to change documents: read the body, find references, number, check, count, commit; then the model.

    REST, packets, tests ──► Writer.create / update / delete ──► Transaction ──► store.commit ──► model ──► changes
    switches and OVSDB ────► Writer.learn (facts) ──────────────────────────────────────────────► model ──► changes

Belongs to one thread. Each write is all or nothing, and has reached the disk when it returns, unless it is part of a
`group()`, which commits several independent writes at once.
"""
from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from controller import budgets, sharing
from controller.draft import Draft, Rows
from controller.errors import Forbidden, Stale
from controller.facts import Facts
from controller.model import Change, Model
from controller.numbers import KIND as NUMBER
from controller.numbers import Claim, Numbers, Pool, Spans
from controller.policy import SYSTEM, Context, Policy, same_project
from controller.resource import Attribute, Invalid, Resource, Resources
from controller.rows import Row, as_dict
from controller.store import TIDING, Key, Store, Write
from controller.times import utc
from controller.transaction import Transaction

NOTE = "note"

__all__ = ["SYSTEM", "Context", "Writer", "view"]


def view(resource: Resource, row: Row, context: Context, model: Model) -> dict[str, Any]:
    """A row as the API shows it to whoever asks, ready for JSON."""
    return model.show(resource.kind, row, admin=context.is_admin)


class Group:
    """Writes that will be committed together, one after another on the same draft."""

    def __init__(self, below: Rows) -> None:
        self.draft = Draft(below)
        self.done: list[Transaction] = []


class Writer:
    """Changes the model and the store together. `changes` gathers what was done, for whoever compiles it."""

    def __init__(self, model: Model, resources: Resources, store: Store, *,
                 clock: Callable[[], str] = utc, settings: Mapping[str, Any] = {},
                 quotas: Mapping[str, int] = {}, rules: Mapping[str, str] = {},
                 new_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self.model, self.resources, self.store = model, resources, store
        self.settings = model.settings = resources.configured(settings)
        self.policy = Policy(resources, model, rules)
        self.numbers = Numbers()
        self.new_id = new_id
        self.changes: list[Change] = []
        self.revision = 0                                   # of the store, after the last commit
        self.now, self._quotas = clock, budgets.read(resources, quotas)
        self._group: Group | None = None
        self._spans: dict[Any, Spans] = {}
        self._revisions: dict[Key, int] = {}                # of each document, as the store has it
        self.notes: dict[str, Any] = {}                     # see note()
        self.facts = Facts(self)

    # ---- starting
    def load(self) -> None:
        """Fill the model from the store. Numbers that a newer model file asks for are given and committed."""
        self.revision, documents = self.store.load()
        numbers, marked = [], []
        for kind, id, revision, body in documents:
            self._revisions[kind, id] = revision
            if kind == NUMBER:
                numbers.append((revision, id, body["owner"]))
            elif kind == NOTE:
                self.notes[id] = body
            elif kind == TIDING:
                self.facts.restore(body)
            elif kind in self.resources:
                self.model.fill(kind, self.model.make(kind, body))
                if any(body.get(share.mark) for share in self.resources[kind].shares.values()):
                    marked.append((kind, body))
        self.numbers.restore(numbers)
        self._number_what_lacks()
        self._share_what_is_marked(marked)
        for resource in self.resources.values():
            if resource.initial and f"initial {resource.kind}" not in self.notes:
                self._begin(resource)

    def _begin(self, resource: Resource) -> None:
        """What there is of a kind in a new store, or in one that is older than the kind: once, and never again."""
        with self._transaction(SYSTEM) as transaction:
            for document in resource.initial:
                if self.model.get(resource.kind, document[resource.key]) is None:
                    transaction.draft.put(resource.kind, self.model.make(resource.kind, {**resource.defaults, **document}))
        self.note(f"initial {resource.kind}", True)

    def note(self, name: str, value: Any) -> None:
        """Remember something across restarts that is about the controller and not about the cloud."""
        self.revision = self.store.commit([Write(NOTE, name, value)])
        self.notes[name] = value

    def _number_what_lacks(self) -> None:
        with self._transaction(SYSTEM) as transaction:
            for kind, resource in self.resources.items():
                for name, field in [(one.name, one.field) for one in resource.attributes.values() if one.number]:
                    for row in self.model.find(kind, "all", True):
                        if getattr(row, field) is not None:
                            continue
                        document = as_dict(transaction.get(kind, row[0]))
                        if transaction.number(kind, document, name) is not None:
                            transaction.draft.put(kind, self.model.make(kind, document))

    def _share_what_is_marked(self, marked: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Older stores say with the object that all may use it."""
        with self._transaction(SYSTEM) as transaction:
            for kind, body in marked:
                sharing.adopt(transaction, kind, body)

    # ---- documents
    def create(self, context: Context, kind: str, bodies: Sequence[Any]) -> list[Row]:
        """One row for each body, all or none. Raises Refused, or StoreError; then nothing has changed."""
        resource = self._writable(context, kind, "create")
        with self._transaction(context) as transaction:
            rows = []
            for body in bodies:
                asked = self._read(context, resource, body)
                rows.append(transaction.create(kind, asked))
            return [transaction.get(kind, row[0]) for row in rows]

    def update(self, context: Context, kind: str, id: str, body: Any, revision: int | None = None) -> Row:
        """The row with what the body says. `revision` is the one that the asker has seen; Stale if it is another."""
        resource = self._writable(context, kind, "update")
        with self._transaction(context) as transaction:
            before = self._find(transaction, resource, id, "update", revision)
            transaction.update(kind, before, resource.read(body, creating=False))
            return transaction.get(kind, id)

    def tag(self, context: Context, kind: str, id: str, tags: Iterable[str], revision: int | None = None, *,
            verb: str = "update") -> Row:
        """The row with these tags. `verb` is create, update or delete: adding, replacing or removing tags."""
        resource = self._writable(context, kind, f"{verb}:tags")
        with self._transaction(context) as transaction:
            before = self._find(transaction, resource, id, f"{verb}:tags", revision)
            try:
                read = resource.attributes["tags"].read(list(tags))
            except Invalid as wrong:
                raise wrong.inside("tags") from None
            return transaction.update(kind, before, {"tags": read})

    def delete(self, context: Context, kind: str, id: str, revision: int | None = None) -> None:
        """Take it out, with what goes with it. Conflict if something else still uses it."""
        resource = self._writable(context, kind, "delete")
        with self._transaction(context) as transaction:
            transaction.remove(kind, self._find(transaction, resource, id, "delete", revision))

    def act(self, context: Context, kind: str, id: str, name: str, body: Any,
            revision: int | None = None) -> tuple[Row, Mapping[str, Any] | None]:
        """Do what an action of the object does: the row afterwards, and the action's own answer if it has one."""
        resource = self._writable(context, kind, name)
        with self._transaction(context) as transaction:
            before = self._find(transaction, resource, id, name, revision)
            answer = transaction.act(kind, before, name, resource.actions[name].read(body))
            return transaction.get(kind, id), answer

    def carry_out(self, context: Context, work: Callable[[Transaction], Any]) -> Any:
        """What `work` gives of a write of several steps: all or none. It is given what hooks are given."""
        with self._transaction(context) as transaction:
            return work(transaction)

    def _writable(self, context: Context, kind: str, verb: str) -> Resource:
        resource = self.resources[kind]
        if resource.fact:
            raise Forbidden(f"{resource.plural} are what is seen of the fabric; they cannot be written")
        if not self.policy.could(context, resource, verb):
            roles = ", ".join(sorted(context.roles)) or "none"
            raise Forbidden(f"{resource.name}: the roles that this token gives ({roles}) do not allow to {_said(verb)} one")
        return resource

    def _read(self, context: Context, resource: Resource, body: Any) -> dict[str, Any]:
        asked = resource.read(body)
        if resource.owner and not context.roles & {"admin", "service"} and asked.get(resource.owner) is not None \
                and not same_project(asked[resource.owner], context.project_id):
            raise Forbidden(f"{resource.owner}: must be the project of whoever asks, or be left out")
        return asked

    def _find(self, transaction: Transaction, resource: Resource, id: str, verb: str, revision: int | None) -> Row:
        row = transaction.need(resource.kind, id)
        if not self.policy.may(transaction.context, resource, verb, row, transaction.draft):
            raise Forbidden(f"{resource.name} {id}: may be seen, but not by this project or with these roles: {_said(verb)}")
        if revision is not None and revision != getattr(row, "revision_number", revision):
            raise Stale(revision, row.revision_number)
        return row

    # ---- facts
    def learn(self, puts: Iterable[tuple[str, Mapping[str, Any]]],
              removed: Iterable[tuple[str, str]] = ()) -> list[Change]:
        """Take in what was seen. It is in the model at once, and in the store with the next commit or `flush`."""
        found = self.facts.learn(puts, removed)
        self.changes += found
        return found

    def flush(self) -> None:
        """Put facts that are not yet in the store there."""
        if self._group is None and self.facts.writes():
            self._commit([])

    # ---- committing
    @contextmanager
    def group(self) -> Iterator[None]:
        """Writes within are committed by one commit at the end: answer for none of them before.

        A write within that is refused changes nothing and hinders no other. If the commit fails, none is done.
        """
        if self._group is not None:
            raise RuntimeError("groups do not nest")
        self._group = group = Group(self.model)
        try:
            yield
        except BaseException:
            _undo(group.done)
            raise
        finally:
            self._group = None
        if group.done:                                      # facts alone can wait: see flush()
            self._commit(group.done, group.draft)

    @contextmanager
    def _transaction(self, context: Context) -> Iterator[Transaction]:
        transaction = Transaction(self, context, self.latest)
        try:
            yield transaction
        except BaseException:
            _undo([transaction])
            raise
        if self._group:
            transaction.draft.merge_into(self._group.draft)
            self._group.done.append(transaction)
        elif transaction.draft.rows or transaction.claimed:
            self._commit([transaction], transaction.draft)

    def _commit(self, done: list[Transaction], draft: Draft | None = None) -> None:
        rows = [(kind, id, row) for kind, id, row in (draft.changes() if draft else ())
                if row is not None or self.model.get(kind, id) is not None]
        numbers = _numbers_of(done)
        facts = self.facts.writes()
        writes = [Write(kind, id, None if row is None else as_dict(row)) for kind, id, row in rows]
        writes += [Write(NUMBER, claim.id, {"owner": owner}) for claim, owner in numbers.items()]
        if not writes and not facts:
            return
        expecting = {(write.kind, write.id): self._revisions.get((write.kind, write.id), 0) for write in writes}
        expecting.update({(write.kind, write.id): 0 for write in facts if (write.kind, write.id) not in self._revisions})
        writes += facts
        try:
            self.revision = self.store.commit(writes, expecting)
        except BaseException:
            _undo(done)
            raise
        self.facts.saved()
        self._remember(writes)
        self._apply(rows, done, numbers)

    def _remember(self, writes: list[Write]) -> None:
        for kind, id, body in writes:
            if body is None:
                self._revisions.pop((kind, id), None)
            else:
                self._revisions[kind, id] = self.revision

    def _apply(self, rows: list[tuple[str, str, Row | None]], done: list[Transaction],
               numbers: Mapping[Claim, str | None]) -> None:
        for kind, id, row in rows:
            self.changes.append(self.model.remove(kind, id) if row is None else self.model.put(kind, row))
        for claim, owner in numbers.items():
            if owner is None:
                self.numbers.pools[claim.pool].give(claim.number)
        for transaction in done:
            for work in transaction.afterwards:
                work()

    # ---- for transactions
    @property
    def latest(self) -> Rows:
        """What the next write will see: the model, with what this group has written so far."""
        return self._group.draft if self._group else self.model

    def pool_of(self, attribute: Attribute, document: Mapping[str, Any], *, wanted: bool = False) -> Pool | None:
        """The pool that an attribute's numbers come from; None if objects of this kind have no number from a pool."""
        given = attribute.number or {}
        if document.get(attribute.name) is None and not wanted and any(
                document[name] != value for name, value in given.get("only", {}).items()):
            return None
        if "per" not in given:
            return self.numbers.pool(given["pool"], given["min"], given["max"])
        by = document[given["per"]]
        if by not in self.settings[given["ranges"]]:
            return None
        first, last = self.settings[given["ranges"]][by]
        return self.numbers.pool(f"{given['pool']}/{by}", first, last)

    def spans(self, key: Any, ranges: Sequence[tuple[int, int]]) -> Spans:
        known = self._spans.get(key)
        if known is None or known.ranges != tuple(ranges):
            known = self._spans[key] = Spans(ranges)
        return known

    def quota(self, name: str, project: str, rows: Rows | None = None) -> int:
        """How many of a kind (or `flow` entries) a project may have; -1 for any number."""
        return budgets.limit(rows or self.model, self._quotas, name, project)


def _said(verb: str) -> str:
    """A verb in words: `update:tags` is to update its tags."""
    what, colon, part = verb.partition(":")
    return f"{what} its {part}" if colon else what.replace("_", " ")


def _numbers_of(done: Iterable[Transaction]) -> dict[Claim, str | None]:
    """Numbers that get or lose an owner."""
    found: dict[Claim, str | None] = {}
    for transaction in done:
        found.update(transaction.claimed)
        found.update((claim, None) for claim in transaction.released)
    return found


def _undo(done: Iterable[Transaction]) -> None:
    for transaction in done:
        for work in reversed(transaction.taken_back):
            work()
