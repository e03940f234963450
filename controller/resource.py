"""One declaration per resource: what may be said of it, and what follows from that.

From a Resource come validation, routes, quotas, documentation, command-line columns, indexes and the derived tests.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from controller.attribute import NOTHING, Attribute
from controller.errors import Conflict, Forbidden, Invalid, Missing, OverQuota, Refused, Stale, Unsupported
from controller.rows import plain, row_class
from controller.types import Record, Type, freeze

__all__ = ["NOTHING", "Action", "Attribute", "Check", "Conflict", "Forbidden", "Invalid", "Missing", "OverQuota",
           "Record", "Refused", "Rendering", "Resource", "Resources", "Stale", "Type", "Unsupported", "freeze", "plain"]
FLOWS = "flow"                            # the name of the quota of flow entries


@dataclass(frozen=True)
class Check:
    """A check between attributes or resources: a word of checks.py and what it was given."""

    word: str
    given: Any
    run: Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something to do with one object that is no change of its attributes: `PUT /things/ID/NAME`.

    `run(write, row, asked)` does it, and gives the answer, or None for the object itself.
    """

    name: str
    body: Attribute                           # a record
    run: Callable[..., Mapping[str, Any] | None]
    wrapped: bool = False                     # the body is inside the object's name, as in updates; so is the answer
    policy: str = ""                          # who may; empty: whoever may update the object
    description: str = ""

    def read(self, body: Any) -> Mapping[str, Any]:
        """What a request asks for, canonical; or Invalid, naming the part."""
        asked: Mapping[str, Any] = self.body.read(body)
        for part in self.body.type.parts.values():
            if part.name in asked:
                part.check_served(asked[part.name])
        return asked


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A text that is made of one object when somebody asks: `GET /things/ID/NAME?format=`.

    `run(model, row, format, asked)` makes it; `asked` has the values of further parameters of the query.
    """

    name: str
    formats: Mapping[str, str]                # name -> media type; the first is what is given if none is asked for
    asked: Attribute                          # a record
    run: Callable[..., str]
    description: str = ""
    policy: str = ""                          # who may ask for it; "" for whoever may see the object


@dataclass(frozen=True)
class View:
    """Objects that are made when they are asked for: one at most for each object of another kind, of the same id.

    `by(model, row, asked)` gives the document, or None for none; `asked` has the values that filters name. Without
    `of` they are of nothing else, and `by(model)` gives the documents of all.
    """

    of: str | None
    by: Callable[..., Any]
    several: bool = False                     # of one parent: `by(model, parent)` gives the documents of all inside it
    narrow: bool = False                      # of nothing else, and many: `by(model, asked)` gives those that are wanted


@dataclass(frozen=True)
class Beside:
    """One more object inside a parent, made of what that says of itself: `by(model, parent)` gives its document, or None.

    Who wants to change it is refused with this error and text.
    """
    by: Callable[[Any, Any], Any]
    error: str
    text: str


@dataclass(frozen=True)
class Share:
    """Something that other projects may be allowed to do with objects of a kind; see sharing.py."""

    action: str
    mark: str
    used_by: tuple[str, ...] = ()
    KIND = "rbac_policy"
    ALL = "*"
    BY_OBJECT = "object_id+action+target_tenant"

    def with_all(self, model: Any, row: Any) -> bool:
        """Whether all projects may (a computed attribute)."""
        return bool(model.count(self.KIND, self.BY_OBJECT, (row[0], self.action, self.ALL)))


def _size(value: Any) -> int:
    return len(value) if isinstance(value, tuple) and not isinstance(value, Record) else int(bool(value))


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A kind of object. `kind` names it in the model, `path` in URLs, `name` and `plural` in bodies."""

    kind: str
    name: str
    plural: str
    path: str
    service: str                              # the API it belongs to (info.name)
    version: str
    key: str                                  # the attribute that identifies one
    attributes: Mapping[str, Attribute]
    description: str = ""
    source: str = ""                          # the model file
    proton: bool = False                      # from a user's model file, not part of the core
    policies: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)              # by action, as access_as_shared
    parent: str | None = None
    parent_key: str | None = None
    named_by: str | None = None               # the attribute that names one within its parent, in addresses
    besides: Beside | None = None
    flows: Mapping[str, int] = field(default_factory=dict)   # entries that one may mean: `own`, and for each item of attributes
    initial: tuple[Mapping[str, Any], ...] = ()   # documents that a new store begins with
    also: tuple[str, str] | None = None       # (name, path): a second address, which names no parent
    checks: tuple[Check, ...] = ()
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)   # composite ones
    columns: tuple[str, ...] = ()
    quota: int | None = None
    part: str = ""                            # of Hadron, which a configuration may switch off: layer3
    fact: bool = False                        # seen, not asked for: read-only; a view is too
    prepare: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    prepare_others: Mapping[tuple[str, str], Callable[..., None]] = field(default_factory=dict)   # (kind, verb)
    actions: Mapping[str, Action] = field(default_factory=dict)
    renderings: Mapping[str, Rendering] = field(default_factory=dict)
    view: View | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def row(self) -> Any:
        """The class of its rows."""
        return row_class(self.kind, [name for name, one in self.attributes.items() if one.stored])

    @cached_property
    def owner(self) -> str | None:
        """The attribute that says whose it is."""
        return next((name for name in ("project_id", "tenant_id") if name in self.attributes), None)

    def cost(self, row: Any) -> int:
        """How many flow entries an object may mean on the switch that has most of it."""
        return sum(each if name == "own" else each * _size(getattr(row, self.attributes[name].field))
                   for name, each in self.flows.items())

    def read(self, body: Any, *, creating: bool = True) -> dict[str, Any]:
        """What a request asks for, canonical, without defaults; or Invalid or Unsupported, naming the attribute."""
        if not isinstance(body, Mapping):
            raise Invalid(self.name, "must be a JSON object")
        asked: dict[str, Any] = {}
        for said, value in body.items():
            name = self.aliases.get(said, said)
            attribute = self._settable(name, creating)
            try:
                value = attribute.read(value)
            except Invalid as wrong:
                raise wrong.inside(said) from None
            attribute.check_served(value)
            if name in asked and asked[name] != value:
                raise Invalid(said, f"must be the same as {name if said != name else attribute.alias}")
            asked[name] = value
        if creating:
            self._check_complete(asked)
        return asked

    def _settable(self, name: str, creating: bool) -> Attribute:
        attribute = self.attributes.get(name)
        if attribute is None or attribute.visible == "nobody" and attribute.serves is None:
            raise Invalid(str(name), f"is not an attribute of {self.name}; leave it out")
        if attribute.settable == "never":
            raise Invalid(name, "cannot be set; leave it out")
        if attribute.settable == "create" and not creating:
            raise Invalid(name, "cannot be changed once it is created; leave it out")
        if attribute.settable == "update" and creating:
            raise Invalid(name, "cannot be set at creation; leave it out")
        return attribute

    def _check_complete(self, asked: Mapping[str, Any]) -> None:
        for name, attribute in self.attributes.items():
            if attribute.required and name not in asked and not attribute.has_default and attribute.settable != "never":
                raise Invalid(name, "is required")

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """A document with nothing asked for."""
        return {name: one.default if one.has_default else None for name, one in self.attributes.items() if one.stored}

    def shown(self, admin: bool) -> tuple[Attribute, ...]:
        """The attributes that answers have."""
        return self._shown[admin]

    @cached_property
    def _shown(self) -> tuple[tuple[Attribute, ...], tuple[Attribute, ...]]:
        return (tuple(one for one in self.attributes.values() if one.visible == "everyone"),
                tuple(one for one in self.attributes.values() if one.visible in ("everyone", "admin")))

    def wrong_bodies(self, right: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """For tests: every way of getting one attribute of a right body wrong, with the attribute's name."""
        for name, attribute in self.attributes.items():
            if attribute.settable not in ("always", "create") or attribute.visible == "nobody":
                if attribute.serves is None:
                    yield name, {**right, name: (attribute.examples() or (1,))[0]}
                continue
            for bad in attribute.counterexamples():
                yield name, {**right, name: bad}
            if attribute.required and not attribute.has_default:
                yield name, {key: value for key, value in right.items() if key != name}
        yield "nonsense", {**right, "nonsense": 1}


class Resources(dict[str, Resource]):
    """All resources by kind, and the settings that their features understand."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Attribute] = {}
        self.referrers: dict[str, list[tuple[str, Attribute, str]]] = {}
        self.others: dict[tuple[str, str], list[Callable[..., None]]] = {}     # prepare_others of all kinds
        self.kept: dict[str, Any] = {}                                     # what was worked out from all of them

    @property
    def limits(self) -> dict[str, int]:
        """What a project's quota says something of, and what it says unless it is configured; -1 is any number."""
        return {**{one.kind: one.quota for one in self.values() if one.quota is not None}, FLOWS: -1}

    def configured(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the features' settings are, after what was configured has been read. Invalid names the setting."""
        for name in given:
            if name not in self.settings:
                raise Invalid(name, f"is no setting; there are {', '.join(sorted(self.settings))}")
        found = {}
        for name, attribute in self.settings.items():
            try:
                found[name] = attribute.read(given[name]) if name in given else attribute.read(attribute.default)
            except Invalid as wrong:
                raise wrong.inside(name) from None
            except Unsupported as wrong:
                raise Invalid(name, str(wrong)) from None
        return found
