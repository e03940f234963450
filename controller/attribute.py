"""One attribute of a resource: what may be said of it, and what is wrong with what is said."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from controller.errors import Invalid, Unsupported
from controller.rows import plain
from controller.types import Type


class _Nothing:
    """No default: the attribute is absent until somebody sets it."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


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
