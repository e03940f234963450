"""One declaration per resource: what may be said of it, and what follows from that.

From a Resource come validation, routes, quotas, documentation, command-line columns, indexes and the derived tests.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from controller.errors import Conflict, Forbidden, Invalid, Missing, OverQuota, Refused, Stale, Unsupported
from controller.rows import plain, row_class
from controller.types import Record, Type, freeze

__all__ = ["NOTHING", "Action", "Attribute", "Check", "Conflict", "Forbidden", "Invalid", "Missing", "OverQuota",
           "Record", "Refused", "Rendering", "Resource", "Resources", "Stale", "Type", "Unsupported", "freeze", "plain"]


class _Nothing:
    """No default: the attribute is absent until somebody sets it."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()
FLOWS = "flow"                            # the name of the quota of flow entries


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of a resource, or one part of a record. Words are those of the model file."""

    name: str
    type: Type
    description: str = ""
    required: bool = False
    default: Any = NOTHING
    settable: str = "always"              # never (the server sets it), create, update, always
    values: tuple = ()
    length: int | None = None
    min: int | None = None
    max: int | None = None
    nullable: bool = False
    null: Any = NOTHING                   # what null means, where it means something
    policy: Mapping[str, str] = field(default_factory=dict)   # who may set it or see it, by verb: create, update, get
    free: tuple = ()                      # first values that anybody may set, whatever the rule says
    visible: str = "everyone"             # everyone, admin, nobody; filter, asked: in filters or bodies only
    stored: bool = True                   # part of the row
    refers_to: str | None = None          # kind of the resource that it names
    on_delete: str = "refuse"             # when that resource goes: refuse, cascade, ignore
    revises: bool = False                 # a change here counts as a revision of that resource too
    bookkeeping: bool = False             # flows never depend on it, so a change of it recompiles nothing
    index: tuple[str, ...] = ()           # index names: its own, or parts of its records
    serves: tuple | None = None           # the only values that Hadron serves
    unserved: str = ""                    # why
    alias: str | None = None              # another name for the same thing
    told: Any = NOTHING                   # changes of it are told in events; what it is at first
    number: Mapping[str, Any] | None = None   # the pool it is taken from
    computed: Any = None                  # function of (model, row)

    @property
    def field(self) -> str:
        return plain(self.name)

    @property
    def has_default(self) -> bool:
        return self.default is not NOTHING

    @cached_property
    def references(self) -> tuple[tuple[str, str], ...]:
        """(index, kind) for each reference in it: its own, its items' and those of parts of records."""
        if self.refers_to:
            return ((self.field, self.refers_to),)
        item = self.type.item or self
        own = ((self.field, item.refers_to),) if item is not self and item.refers_to else ()
        return own + tuple((f"{self.field}.{part.name}", part.refers_to) for part in item.type.parts.values()
                           if part.refers_to)

    def read(self, value: Any) -> Any:
        """The canonical value, or Invalid without a field, or Unsupported with it."""
        if value is None and not self.nullable:
            raise Invalid("", "must not be null")
        if value is None:
            return None if self.null is NOTHING else self.null
        value = self.type.read(value)
        if value is None:                     # a word for nothing, as `any` of a protocol
            return None
        if self.values and value not in self.values:
            raise Invalid("", f"must be one of {', '.join(map(str, self.values))}")
        if self.length is not None and len(value) > self.length:
            raise Invalid("", f"must not be longer than {self.length} characters")
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            raise Invalid("", f"must be {self._range()}")
        return value

    def _range(self) -> str:
        if self.max is None:
            return f"{self.min} or more"
        return f"{self.max} or less" if self.min is None else f"between {self.min} and {self.max}"

    def check_served(self, value: Any) -> None:
        if self.serves is not None and value not in self.serves:
            raise Unsupported(self.name, self.unserved or "this value is not served yet")

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value, for OpenAPI."""
        extra = {"enum": list(self.values), "maxLength": self.length, "minimum": self.min, "maximum": self.max,
                 "description": self.description, "readOnly": self.settable == "never", "nullable": self.nullable}
        if self.has_default and self.default is not None:
            extra["default"] = self.default
        return {**self.type.schema, **{word: value for word, value in extra.items() if value or value == 0 and
                                       value is not False}}

    def examples(self) -> tuple:
        """Right values, for tests and documentation."""
        if self.values:
            return self.values
        good = self.serves if self.serves is not None else self.type.good
        fitting = tuple(value for value in good if value is not None and self._fits(value))
        if fitting or self.min is None and self.max is None:
            return fitting
        return (self.min if self.min is not None else self.max,)

    def _fits(self, value: Any) -> bool:
        try:
            self.read(value)
        except Invalid:
            return False
        return True

    def counterexamples(self) -> Iterator[Any]:
        """Wrong values, for tests."""
        yield from self.type.bad
        if not self.nullable:
            yield None
        if self.values:
            yield "no such value" if isinstance(self.values[0], str) else 987654321
        if self.length is not None:
            yield "x" * (self.length + 1)
        if self.min is not None:
            yield self.min - 1
        if self.max is not None:
            yield self.max + 1


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
