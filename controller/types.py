"""Kinds of values: how each is read from JSON, how it is described, and examples right and wrong.

Read values are canonical and immutable: lists become tuples, objects become Records.
The examples are what the derived tests are made of, so a new Type needs no test of its own.
"""
from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller import values
from controller.errors import Invalid
from controller.times import seconds


class Record(dict):
    """A JSON object that nobody changes: hashable, and `record.ip_address` is `record["ip_address"]`."""

    __slots__ = ("_hash",)

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("a Record cannot be changed; make another one")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = _refuse
    __ior__ = _refuse

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash(frozenset(self.items())))
            return self._hash

    def __reduce__(self) -> tuple:
        return Record, (dict(self),)

    def __copy__(self) -> Record:
        return self

    def __deepcopy__(self, _: object) -> Record:
        return self


def freeze(value: Any) -> Any:
    """The same JSON value, immutable."""
    if isinstance(value, Mapping):
        return value if isinstance(value, Record) else Record({key: freeze(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    return value


@dataclass(frozen=True)
class Type:
    """A kind of value. `read` gives the canonical value or raises Invalid without a field."""

    name: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    good: tuple = ()
    bad: tuple = ()
    parts: Mapping[str, Any] = field(default_factory=dict, compare=False)     # of a record: its Attributes
    item: Any = field(default=None, compare=False)                            # of a list: the Attribute of an item


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("", "must be a string")
    if "\0" in value:
        raise Invalid("", "must not contain the character NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Invalid("", "must be text that UTF-8 can say (it has half of a surrogate pair)") from None
    return value


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _line(value: Any) -> str:
    if _CONTROL.search(_text(value)):
        raise Invalid("", "must be one line without control characters")
    return value


_DIGITS = re.compile(r"-?[0-9]{1,20}")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 1 << 63:
            raise Invalid("", "must fit in 64 bits")
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return _integer(int(value))
    raise Invalid("", "must be a whole number")


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise Invalid("", "must be a number")


_WORDS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "on": True, "off": False,
          "t": True, "f": False, "y": True, "n": False}


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise Invalid("", "must be true or false")


def parsed(parse: Callable[[str], Any], text: str) -> Callable[[Any], Any]:
    """A reader of strings from a function that raises ValueError."""
    def read(value: Any) -> Any:
        try:
            return parse(_text(value))
        except ValueError:
            raise Invalid("", f"must be {text}") from None
    return read


def _mac(text: str) -> str:
    mac = values.mac(text)
    if mac == "00:00:00:00:00:00" or values.is_multicast_mac(mac):
        raise ValueError(text)
    return mac


def _of_version(version: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        address = values.ip(text)
        if values.ip_version(address) != version:
            raise ValueError(text)
        return address
    return parse


_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _uuid(text: str) -> str:
    if _CANONICAL_UUID.fullmatch(text):
        return text
    if not _UUID.fullmatch(text):
        raise ValueError(text)
    return str(uuid.UUID(text))


def _date_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _moment(text: str) -> str:
    seconds(text)
    return text


def _pattern(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(text)
        return text
    return parse


_LONGEST_TAG = 255


def _tag(value: Any) -> str:
    """A label. Commas stand between labels in filters."""
    text = _line(value)
    if not text:
        raise Invalid("", "must be a string of at least one character")
    if "," in text:
        raise Invalid("", "must not hold commas")
    if len(text) > _LONGEST_TAG:
        raise Invalid("", f"must not be longer than {_LONGEST_TAG} characters")
    return text


def _json(value: Any, depth: int = 0) -> Any:
    """Any JSON object, at most eight levels deep."""
    if isinstance(value, str) and depth == 0:
        try:
            value = json.loads(_text(value))
        except (ValueError, RecursionError):
            raise Invalid("", "must be a JSON object, or text that holds one") from None
    if depth == 0 and not isinstance(value, dict):
        raise Invalid("", "must be a JSON object, or text that holds one")
    if depth > 8:
        raise Invalid("", "must not be nested more than eight deep")
    if isinstance(value, dict):
        return Record({_text(key): _json(item, depth + 1) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_json(item, depth + 1) for item in value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    return value


def _type(name: str, read: Callable[[Any], Any], schema: str, good: tuple, bad: tuple) -> Type:
    kind, _, form = schema.partition("/")
    return Type(name, read, {"type": kind, **({"format": form} if form else {})}, good, bad)


_NO_TEXT: tuple = (1, True, [], {}, "a\0b", "\ud800")
TYPES: dict[str, Type] = {kind.name: kind for kind in (
    _type("string", _text, "string", ("", "a", "é\n"), _NO_TEXT),
    _type("line", _line, "string", ("", "web 1"), (*_NO_TEXT, "a\nb", "a\rb")),
    _type("tag", _tag, "string", ("warm", "a b"), (*_NO_TEXT, "", "a,b", "a\nb", "x" * 256)),
    _type("integer", _integer, "integer", (0, -1, "7"), ("x", "", 1.5, True, [], {}, 1 << 70)),
    _type("number", _number, "number", (0, 1.5), ("1", True, math.nan, [])),
    _type("boolean", _boolean, "boolean", (True, False, "true", "False", 1), (2, "maybe", "", [], 1.5)),
    _type("uuid", parsed(_uuid, "a UUID"), "string/uuid",
          (str(uuid.UUID(int=1)), "F" * 32), ("x", "", 1, [], "0" * 31, "0" * 37)),
    _type("mac", parsed(_mac, "the MAC address of one interface, as fa:16:3e:00:00:01"), "string/mac",
          ("fa:16:3e:00:00:01", "FA-16-3E-00-00-01"),
          ("fa:16", "", 1, "fa:16:3e:00:00:zz", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01")),
    _type("ip", parsed(values.ip, "an IPv4 or IPv6 address"), "string/ip",
          ("10.0.0.1", "2001:DB8::1"), ("10.0.0", "010.0.0.1", "10.0.0.256", "::1%eth0", "", 1, "10.0.0.0/24", "::g")),
    _type("ipv4", parsed(_of_version(4), "an IPv4 address"), "string/ipv4", ("10.0.0.1",), ("10.0.0", "::1", "", 1)),
    _type("ipv6", parsed(_of_version(6), "an IPv6 address"), "string/ipv6", ("::1",), ("10.0.0.1", "", "::g", 1)),
    _type("cidr", parsed(values.cidr, "a block of addresses, as 10.0.0.0/24"), "string/cidr",
          ("10.0.0.0/24", "fd00::7/64"),
          ("10.0.0.1", "10.0.0.0/33", "10.0/8", "10.0.0.0/", "10.0.0.0/x", "fd00::/129", "/24", "", 1)),
    _type("json", _json, "object", ({}, {"a": [1, {"b": None}]}, "{}"), (1, "x", "[1]", [], True)),
    _type("date-time", parsed(_date_time, "a date and time, as 2024-01-31T12:00:00+00:00"), "string/date-time",
          ("2024-01-31T12:00:00+00:00",), ("yesterday", "", 1)),
    _type("moment", parsed(_moment, "a date and time, as 2024-01-31T12:00:00+00:00, or seconds since 1970"), "string",
          ("2024-01-31T12:00:00+00:00", "1706702400"), ("yesterday", "", 1)),
    _type("uri", parsed(_pattern(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+"), "a URI"), "string/uri",
          ("http://example.com/a",), ("example", "", "http: //x", 1)),
    _type("email", parsed(_pattern(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an e-mail address"), "string/email",
          ("ann@example.com",), ("ann", "", "a@b", 1)),
)}


def list_of(item: Any, *, most: int | None = None, unique: bool = True, braces: bool = False) -> Type:
    """A list whose items are read by an Attribute. The same item twice is refused unless `unique` is off. With `braces` an
    empty object stands for an empty list."""
    def read(value: Any) -> tuple:
        if braces and value == {}:
            return ()
        if not isinstance(value, (list, tuple)):
            raise Invalid("", "must be a list")
        if most is not None and len(value) > most:
            raise Invalid("", f"must not have more than {most} items")
        return _distinct([_item(item, number, one) for number, one in enumerate(value)], unique)

    good = tuple([one] for one in item.examples()) + ([],)
    bad: tuple = (1, "x", *(() if braces else ({},)), *([one] for one in item.counterexamples()))
    if most is not None:
        bad += ([next(iter(item.examples()))] * (most + 1),)
    if unique:
        bad += ([next(iter(item.examples()))] * 2,)
    schema = {"type": "array", "items": item.schema(), **({"maxItems": most} if most else {})}
    return Type("list", read, schema, good, bad, item=item)


def _item(item: Any, number: int, value: Any) -> Any:
    try:
        return item.read(value)
    except Invalid as wrong:
        raise wrong.inside(f"[{number}]") from None


def _distinct(items: list, unique: bool) -> tuple:
    if unique and len(set(items)) < len(items):
        twice = next(number for number, one in enumerate(items) if one in items[:number])
        raise Invalid(f"[{twice}]", "is there twice; say it once")
    return tuple(items)


def record_of(parts: Mapping[str, Any]) -> Type:
    """A JSON object with the given Attributes and no others."""
    def read(value: Any) -> Record:
        if not isinstance(value, dict):
            raise Invalid("", "must be a JSON object")
        for name in value:
            if name not in parts:
                raise Invalid(str(name), f"is not known here; there may be {', '.join(parts)}")
        return Record({name: item for name, part in parts.items() if (item := _part(part, value)) is not _ABSENT})

    right = {name: part.examples()[0] for name, part in parts.items() if part.required}
    good = (right, {name: part.examples()[0] for name, part in parts.items()})
    bad: tuple = (1, "x", [], {**right, "nonsense": 1}, *_wrong_parts(parts, right))
    schema = {"type": "object", "additionalProperties": False,
              "required": [name for name, part in parts.items() if part.required],
              "properties": {name: part.schema() for name, part in parts.items()}}
    return Type("record", read, schema, good, bad, parts=parts)


_ABSENT = object()


def _part(part: Any, value: Mapping[str, Any]) -> Any:
    if part.name not in value:
        if part.required:
            raise Invalid(part.name, "is required")
        return part.default if part.has_default else _ABSENT
    try:
        return part.read(value[part.name])
    except Invalid as wrong:
        raise wrong.inside(part.name) from None


def _wrong_parts(parts: Mapping[str, Any], right: Mapping[str, Any]) -> Iterable[dict]:
    for name, part in parts.items():
        for bad in part.counterexamples():
            yield {**right, name: bad}
        if part.required:
            yield {key: item for key, item in right.items() if key != name}
