"""One write being decided: everything that must hold before it may be committed. Hooks of features work with it.

Nothing outside changes until the Writer commits: rows go into a draft, and numbers are given back if it comes to
nothing.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller import budgets, sharing
from controller.draft import Draft, Rows
from controller.errors import Conflict, Exhausted, Forbidden, Missing, OverQuota, camel
from controller.numbers import Claim, Full, Spans, Taken
from controller.policy import SYSTEM, Context
from controller.resource import FLOWS, Attribute, Resource
from controller.rows import Row, as_dict

if TYPE_CHECKING:
    from controller.write import Writer


class Transaction:
    """What `prepare` hooks and checks are given as `write`."""

    def __init__(self, writer: Writer, context: Context, below: Rows) -> None:
        self.writer, self.context = writer, context
        self.resources, self.settings = writer.resources, writer.settings
        self.draft = Draft(below)
        self.now = writer.now()
        self.claimed: list[tuple[Claim, str]] = []
        self.released: list[Claim] = []
        self.taken_back: list[Callable[[], None]] = []     # run if the write comes to nothing
        self.afterwards: list[Callable[[], None]] = []     # run once it is committed
        self._then: list[list[Callable[[], None]]] = []
        self._revised: set[tuple[str, str]] = set()
        self.get, self.find, self.count = self.draft.get, self.draft.find, self.draft.count

    # ---- for hooks
    def need(self, kind: str, id: str) -> Row:
        """The row, or Missing if it is not there or not for the asker to see."""
        row = self.draft.get(kind, id)
        if row is None or not self.sees(kind, row):
            raise Missing(kind, id)
        return row

    def sees(self, kind: str, row: Row) -> bool:
        """Whether the asker may read the row."""
        return self.writer.policy.may(self.context, self.resources[kind], "get", row, self.draft)

    def fits(self, rule: str, kind: str, document: Mapping[str, Any]) -> bool:
        """Whether a rule lets the asker, for an object as the document says it."""
        return self.writer.policy.fits(self.context, self.resources[kind], rule, self.writer.model.make(kind, document),
                                       self.draft)

    def spans(self, key: Any, ranges: Sequence[tuple[int, int]]) -> Spans:
        """Where to look for free values in ranges; the same one for the same key and ranges."""
        return self.writer.spans(key, ranges)

    def give_back(self, spans: Spans, value: int) -> None:
        """Once this write is committed the value is free; it is reused last."""
        self.afterwards.append(lambda: spans.give(value))

    def then(self, work: Callable[[], None]) -> None:
        """Do this once the row that is being created is there, as part of the same write."""
        self._then[-1].append(work)

    def number(self, kind: str, document: dict[str, Any], name: str, *, wanted: bool = False) -> int | None:
        """The number of an attribute that has a pool: the one asked for, or the next; None if there is no pool for it.

        `wanted`: also for an object that has none from the start (`only`).
        """
        attribute = self.resources[kind].attributes[name]
        pool = self.writer.pool_of(attribute, document, wanted=wanted)
        if pool is None:
            return None
        owner = document[self.resources[kind].key]
        asked = document[name]
        try:
            value: int = asked if asked is not None else pool.take(owner)
            if asked is not None:
                pool.claim(asked, owner)
        except Taken:
            raise Conflict(self._word(attribute, "taken", "NumberInUse"),
                           f"{name}: {asked} is in use; choose another, or leave it out") from None
        except Full:
            raise Exhausted(self._word(attribute, "exhausted", "NumbersExhausted"),
                            f"{name}: all numbers from {pool.first} to {pool.last} are in use") from None
        self.claimed.append((Claim(pool.name, value), owner))
        self.taken_back.append(lambda: pool.undo(value))
        document[name] = value
        return value

    @staticmethod
    def _word(attribute: Attribute, word: str, otherwise: str) -> str:
        return (attribute.number or {}).get(word, otherwise)

    def revise(self, kind: str, id: str) -> None:
        """An object counts as changed, because a part of it has; once in a write."""
        whole = self.draft.get(kind, id)
        if whole is not None and (kind, id) not in self._revised:
            self._revised.add((kind, id))
            self.draft.put(kind, whole._replace(revision_number=whole.revision_number + 1, updated_at=self.now))

    # ---- the verbs
    def create(self, kind: str, asked: Mapping[str, Any], *, by: Context | None = None) -> Row:
        """A new row; hooks that need one more (a project's default group) create it with `by=SYSTEM`."""
        with self._by(by or self.context) as context:
            return self._create(context, kind, asked)

    def _create(self, context: Context, kind: str, asked: Mapping[str, Any]) -> Row:
        resource = self.resources[kind]
        document = {name: asked.get(name, default) for name, default in resource.defaults.items()}
        self._identify(context, resource, document)
        self._check_references(context, resource, document, asked)
        self._check_attribute_policies(context, resource, "create", document, asked)
        self._then.append([])
        self._prepare(resource, "create", document, asked, None)
        for attribute in resource.attributes.values():
            if attribute.number and (document[attribute.name] is None or attribute.name in asked):
                self.number(kind, document, attribute.name)
        self._stamp(context, resource, document, None)
        for check in resource.checks:
            check.run(self, kind, document, None)
        row = self.writer.model.make(kind, document)
        if not self.writer.policy.may(context, resource, "create", row, self.draft):
            raise Forbidden(f"{resource.name}: this project may not create one here")
        if context is not SYSTEM:
            self._check_quota(resource, document)
            self._check_flows(resource, row, None)
        self.draft.put(kind, row)
        sharing.settle(self, resource, row[0], asked, new=True)
        self._revise(resource, row)
        for work in self._then.pop():
            work()
        return self.draft.get(kind, row[0])

    def update(self, kind: str, before: Row, asked: Mapping[str, Any], *, by: Context | None = None) -> Row:
        """The row with what is asked for changed; the same row if nothing differs."""
        with self._by(by or self.context) as context:
            return self._update(context, kind, before, asked)

    def _update(self, context: Context, kind: str, before: Row, asked: Mapping[str, Any]) -> Row:
        resource = self.resources[kind]
        document = as_dict(before)
        document.update((name, value) for name, value in asked.items() if name in document)
        self._check_references(context, resource, document, asked)
        self._check_attribute_policies(context, resource, "update", document, asked, before)
        self._prepare(resource, "update", document, asked, before)
        for check in resource.checks:
            check.run(self, kind, document, before)
        sharing.settle(self, resource, before[0], asked)
        if self.writer.model.make(kind, document) == before:
            return self.draft.get(kind, before[0])
        self._stamp(context, resource, document, before)
        row = self.writer.model.make(kind, document)
        if context is not SYSTEM:
            self._check_flows(resource, row, before)
        self.draft.put(kind, row)
        self._revise(resource, row)
        return row

    def act(self, kind: str, row: Row, name: str, asked: Mapping[str, Any], *, by: Context | None = None) -> Any:
        """Do what an action does; its answer, or None for the row as it is now."""
        action = self.resources[kind].actions[name]
        with self._by(by or self.context) as context:
            for index, referred in action.body.references:
                for id in _named(asked, index.partition(".")[2]):
                    self._check_reference(context, referred, id)
            for hook in self.resources.others.get((kind, name), ()):
                hook(self, as_dict(row), asked, row)
            return action.run(self, row, asked)

    def remove(self, kind: str, row: Row) -> None:
        """Take a row out, and what goes with it; Conflict if something else still uses it."""
        resource = self.resources[kind]
        self._prepare(resource, "delete", as_dict(row), {}, row)
        self._check_unused(resource, row)
        sharing.forget(self, resource, row[0])
        self.draft.remove(kind, row[0])
        for other, attribute, index in self.resources.referrers.get(kind, ()):
            if attribute.on_delete == "cascade":
                for referrer in self.draft.find(other, index, row[0]):
                    self.remove(other, referrer)
        for attribute in resource.attributes.values():
            value = getattr(row, attribute.field) if attribute.number else None
            pool = self.writer.pool_of(attribute, as_dict(row)) if attribute.number else None
            if pool is not None and value is not None:
                self.released.append(Claim(pool.name, value))
        self._revise(resource, row)

    # ---- the steps
    @contextmanager
    def _by(self, context: Context) -> Iterator[Context]:
        """What is within is done on behalf of somebody else, as hooks see it too."""
        asker, self.context = self.context, context
        try:
            yield context
        finally:
            self.context = asker

    def _prepare(self, resource: Resource, verb: str, document: dict[str, Any], asked: Mapping[str, Any],
                 before: Row | None) -> None:
        """The hook of the kind itself, then those of others that care."""
        if verb in resource.prepare:
            resource.prepare[verb](self, document, asked, before)
        for hook in self.resources.others.get((resource.kind, verb), ()):
            hook(self, document, asked, before)

    def _identify(self, context: Context, resource: Resource, document: dict[str, Any]) -> None:
        if document[resource.key] is None:
            document[resource.key] = self.writer.new_id()
        elif self.draft.get(resource.kind, document[resource.key]) is not None:
            raise Conflict(f"{camel(resource.kind)}Exists",
                           f"{resource.key}: {document[resource.key]} is there already")
        if resource.owner and document[resource.owner] is None:
            document[resource.owner] = context.project_id or ""

    def _check_references(self, context: Context, resource: Resource, document: Mapping[str, Any],
                          asked: Mapping[str, Any]) -> None:
        for name, attribute in resource.attributes.items():
            if name in asked and asked[name] is not None and attribute.stored:
                for index, kind in attribute.references:
                    for id in _named(document[name], index.partition(".")[2]):
                        self._check_reference(context, kind, id)

    def _check_reference(self, context: Context, kind: str, id: str) -> None:
        row = self.draft.get(kind, id)
        if row is None or not self.writer.policy.may(context, self.resources[kind], "get", row, self.draft):
            raise Missing(kind, id)

    def _check_attribute_policies(self, context: Context, resource: Resource, verb: str, document: Mapping[str, Any],
                                  asked: Mapping[str, Any], before: Row | None = None) -> None:
        """Forbidden for an attribute that not everybody may set who may write the object; anybody may repeat what is."""
        changed = {}
        for name, value in asked.items():
            one = resource.attributes[name]
            had = one.default if before is None else getattr(before, one.field) if one.stored \
                else one.computed(self.draft, before)
            if value != had:
                changed[name] = value, had if before is not None else None
        self._check_allowed(context, resource, verb, changed, self.writer.model.make(resource.kind, document))

    def check_allowed(self, kind: str, row: Row, changed: Mapping[str, tuple[Any, Any]]) -> None:
        """Forbidden if whoever asks may not change an attribute so: for each the value asked for and that before."""
        self._check_allowed(self.context, self.resources[kind], "update", changed, row)

    def _check_allowed(self, context: Context, resource: Resource, verb: str, changed: Mapping[str, tuple[Any, Any]],
                       row: Row) -> None:
        refused = self.writer.policy.refused(context, resource, verb, changed, row, self.draft)
        if refused is not None:
            raise Forbidden(f"{refused[0]}: is not for this project and these roles to set; leave it out (policy rule "
                            f"{refused[1]})")

    def _stamp(self, context: Context, resource: Resource, document: dict[str, Any], before: Row | None) -> None:
        if "revision_number" in document:
            document["revision_number"] = 0 if before is None else before.revision_number + 1
        if "updated_at" in document:
            document["updated_at"] = self.now
            if before is None:
                document["created_at"] = self.now
        if "written_by" in document:
            document["written_by"] = context.user

    def _revise(self, resource: Resource, row: Row) -> None:
        """What it is part of counts as changed too, once."""
        for attribute in resource.attributes.values():
            if attribute.revises:
                self.revise(str(attribute.refers_to), getattr(row, attribute.field))

    def _check_quota(self, resource: Resource, document: Mapping[str, Any]) -> None:
        if resource.quota is None or resource.owner is None:
            return
        project = document[resource.owner]
        limit = self.writer.quota(resource.kind, project, self.draft)
        if 0 <= limit <= budgets.used(self.draft, self.resources, resource.kind, project):
            raise OverQuota(resource.kind, limit)

    def _check_flows(self, resource: Resource, row: Row, before: Row | None) -> None:
        """OverQuota if what the row costs more than before is more than the project has left of flow entries."""
        more = resource.cost(row) - (resource.cost(before) if before is not None else 0)
        if more <= 0 or resource.owner is None:
            return
        project = getattr(row, budgets.owner(resource))
        limit = self.writer.quota(FLOWS, project, self.draft)
        if 0 <= limit < more + budgets.used(self.draft, self.resources, FLOWS, project):
            raise OverQuota(FLOWS, limit)

    def _check_unused(self, resource: Resource, row: Row) -> None:
        for other, attribute, index in self.resources.referrers.get(resource.kind, ()):
            if attribute.on_delete != "refuse":
                continue
            users = self.draft.count(other, index, row[0])
            if users:
                first = self.draft.find(other, index, row[0])[0]
                more = f" and {users - 1} more" if users > 1 else ""
                raise Conflict(f"{camel(resource.kind)}InUse",
                               f"Unable to complete operation on {resource.name} {row[0]}: {other} {first[0]}{more} "
                               "uses it. Delete that first.")


def _named(value: Any, part: str) -> list[str]:
    """The ids that a reference's value names."""
    items = value if isinstance(value, tuple) else (value,)
    found = [item.get(part) if part else item for item in items]
    return [id for id in found if id is not None]

