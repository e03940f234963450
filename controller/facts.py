"""Facts: rows of what was seen of the fabric. They are in the model at once, and in the store with the next commit."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from controller.model import Change
from controller.numbers import KIND as NUMBER
from controller.numbers import Claim, Full
from controller.resource import Invalid, Resource
from controller.rows import Row, as_dict
from controller.store import TIDING, Key, Tiding, Write

if TYPE_CHECKING:
    from controller.write import Writer


class Facts:
    """What was seen, and what of it the store does not know yet. Part of the Writer."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.model, self.resources = writer, writer.model, writer.resources
        self._unsaved: dict[Key, Row | None] = {}
        self._claims: dict[Claim, str | None] = {}          # numbers taken and given back since the last commit
        self.told: dict[tuple[str, str, str], Any] = {}     # how objects do, as was told last: see tidings.py
        self._untold: dict[str, Tiding | None] = {}

    def learn(self, puts: Iterable[tuple[str, Mapping[str, Any]]], removed: Iterable[tuple[str, str]]) -> list[Change]:
        """Take in rows that were seen, and rows that are no more."""
        found = []
        for kind, document in puts:
            row = self._row(kind, document)
            if row != self.model.get(kind, row[0]):
                found.append(self.model.put(kind, row))
        for kind, id in removed:
            before = self.model.get(kind, id)
            if before is not None:
                self._give_back(self.resources[kind], before)
                found.append(self.model.remove(kind, id))
        for change in found:
            self._unsaved[change.kind, change.id] = change.after
        return found

    def restore(self, body: Mapping[str, Any]) -> None:
        """What was told before, as the store has it."""
        self.told[body["kind"], body["id"], body["name"]] = body["now"]

    def tell(self, tiding: Tiding) -> None:
        """How something does now goes into the log with the next commit."""
        key = tiding.kind, tiding.id, tiding.name
        self.told[key] = tiding.now
        self._untold["/".join(key)] = tiding

    def untell(self, key: tuple[str, str, str]) -> None:
        """Nothing is to be told of it any more."""
        if self.told.pop(key, self) is not self:
            self._untold["/".join(key)] = None

    def writes(self) -> list[Write]:
        """What the next commit takes along."""
        return [*(Write(kind, id, None if row is None else as_dict(row)) for (kind, id), row in self._unsaved.items()),
                *(Write(TIDING, id, one and one._asdict()) for id, one in self._untold.items()),
                *(Write(NUMBER, claim.id, {"owner": owner}) for claim, owner in self._claims.items())]

    def saved(self) -> None:
        """The store has taken it."""
        self._unsaved.clear()
        self._untold.clear()
        self._claims.clear()

    def _row(self, kind: str, document: Mapping[str, Any]) -> Row:
        """A row, its values read as any others; numbers that nobody sees it keeps, or is given."""
        resource = self.resources[kind]
        if not resource.fact:
            raise ValueError(f"{kind} is no fact: it is written, not learned")
        read = {}
        for name, value in document.items():
            if name not in resource.attributes:
                raise ValueError(f"{kind} has no attribute {name}")
            try:
                read[name] = resource.attributes[name].read(value)
            except Invalid as wrong:
                raise wrong.inside(f"{kind}.{name}") from None
        for attribute in _numbered(resource):
            read[attribute.name] = self._number(resource, attribute, read)
        return self.model.make(kind, read)

    def _number(self, resource: Resource, attribute: Any, document: Mapping[str, Any]) -> int | None:
        """The number that the row has, or else the next; None if there are no more."""
        id = document[resource.key]
        before = self.model.get(resource.kind, id)
        known: int | None = getattr(before, attribute.field) if before is not None else None
        pool = self.writer.pool_of(attribute, document)
        if known is not None or pool is None:
            return known
        try:
            number = pool.take(id)
        except Full:
            return None
        self._claims[Claim(pool.name, number)] = id
        return number

    def _give_back(self, resource: Resource, row: Row) -> None:
        for attribute in _numbered(resource):
            number, pool = getattr(row, attribute.field), self.writer.pool_of(attribute, as_dict(row))
            if number is not None and pool is not None:
                pool.give(number)
                self._claims[Claim(pool.name, number)] = None


def _numbered(resource: Resource) -> list[Any]:
    return [attribute for attribute in resource.attributes.values() if attribute.number]
