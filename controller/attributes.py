"""Reads the words of a model file that describe one attribute."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import Invalid
from controller.hooks import hook
from controller.resource import NOTHING, Attribute, freeze, plain
from controller.rules import BadRule, check
from controller.types import TYPES, Type, list_of, record_of

_WORDS = {"type", "primary", "description", "required", "length", "values", "format", "min", "max",   # Gluon's
          "default", "settable", "unique", "nullable", "null", "index", "on_delete", "revises", "bookkeeping",
          "visible", "policy", "stored", "serves", "unserved", "alias", "number", "computed", "items", "fields",
          "max_items", "unique_items", "braces", "free", "told"}
_CHOICES = {"settable": ("never", "create", "update", "always"), "on_delete": ("refuse", "cascade", "ignore"),
            "visible": (True, False, "admin", "filter", "asked")}
_SHOWN = {True: "everyone", False: "nobody", "admin": "admin", "filter": "filter", "asked": "asked"}
_LENGTH = 255
_POOL_WORDS = {"pool", "per", "min", "max", "ranges", "only", "taken", "exhausted"}


def attribute_of(file: Any, where: str, name: str, given: Any, kinds: Mapping[str, str]) -> Attribute:
    """The Attribute that a model file declares. `kinds` gives the kind of each object that may be a type."""
    if not isinstance(given, Mapping):
        raise file.bad(where, "must be a mapping")
    unknown = sorted(str(word) for word in given.keys() - _WORDS)
    if unknown:
        raise file.bad(where, f"{unknown[0]} is not a word of the model language")
    for word, choices in _CHOICES.items():
        if word in given and given[word] not in choices:
            raise file.bad(where, f"{word} must be one of {', '.join(map(str, choices))}")
    type_, refers_to = _type(file, where, given, kinds)
    attribute = Attribute(
        name=name, type=type_, refers_to=refers_to, description=str(given.get("description", "")),
        required=_true(given, "required"), default=_value(given, "default"), settable=_settable(given),
        values=tuple(given.get("values") or ()), length=_length(given, type_), min=_number(file, where, given, "min"),
        max=_number(file, where, given, "max"), nullable=_nullable(given), null=_value(given, "null"),
        policy=_policy(file, where, given), free=freeze(given.get("free") or []), visible=_SHOWN[given.get("visible", True)],
        stored=bool(given.get("stored", "computed" not in given)), on_delete=given.get("on_delete", "refuse"),
        revises=_true(given, "revises"), bookkeeping=_true(given, "bookkeeping"),
        index=_index(name, given, type_, refers_to),
        serves=freeze(given["serves"]) if "serves" in given else None, unserved=str(given.get("unserved", "")),
        alias=given.get("alias"), told=_value(given, "told"), number=_pool(file, where, given), computed=_computed(file, where, given))
    return _proven(file, where, attribute)


def _true(given: Mapping, word: str) -> bool:
    value = given.get(word, False)
    return value is True or isinstance(value, str) and value.lower() == "true"


def _value(given: Mapping, word: str) -> Any:
    return freeze(given[word]) if word in given else NOTHING


def _settable(given: Mapping) -> str:
    return given.get("settable", "never" if "computed" in given else "always")


def _nullable(given: Mapping) -> bool:
    if "nullable" in given:
        return bool(given["nullable"])
    return "null" in given or not _true(given, "required") and "default" not in given


def _number(file: Any, where: str, given: Mapping, word: str) -> int | None:
    value = given.get(word)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise file.bad(where, f"{word} must be a whole number")
    if value is None and word in ("min", "max") and given.get("format") in ("int32", "int64"):
        top = (1 << (31 if given["format"] == "int32" else 63)) - 1
        return top if word == "max" else -top - 1
    return value


def _length(given: Mapping, type_: Type) -> int | None:
    if type_.schema.get("type") != "string" or type_.schema.get("format"):
        return None
    return given.get("length", None if given.get("values") else _LENGTH)


def _type(file: Any, where: str, given: Mapping, kinds: Mapping[str, str]) -> tuple[Type, str | None]:
    said = given.get("type")
    if said is None:
        raise file.bad(where, "needs a type")
    if said in kinds:
        return TYPES["uuid"], kinds[said]
    if said == "list":
        said_of_items = given.get("items")
        if isinstance(said_of_items, Mapping):
            said_of_items = {"nullable": False, **said_of_items}
        item = attribute_of(file, f"{where}.items", "items", said_of_items, kinds)
        return list_of(item, most=given.get("max_items"), unique=bool(given.get("unique_items", True)),
                       braces=_true(given, "braces")), None
    if said == "record":
        parts = given.get("fields") or {}
        return record_of({name: attribute_of(file, f"{where}.{name}", name, {"nullable": False, **one}, kinds)
                          for name, one in parts.items()}), None
    if said == "enum":
        if not given.get("values"):
            raise file.bad(where, "an enum needs values")
        said = "string"
    if said == "string" and "format" in given:
        said = given["format"]
        if said not in TYPES:
            raise file.bad(where, f"{said} is no format of a string")
    if isinstance(said, str) and "." in said:
        found = hook(file, where, said)
        if not isinstance(found, Type):
            raise file.bad(where, f"{said} is not a Type")
        return found, None
    if said not in TYPES:
        raise file.bad(where, f"{said} is no type and no object")
    return TYPES[said], None


def _index(name: str, given: Mapping, type_: Type, refers_to: str | None) -> tuple[str, ...]:
    """Names of the indexes: the attribute's own and those of parts of its records. References always have one."""
    said = given.get("index", False)
    own = plain(name)
    names = [own] if said is True else [f"{own}.{part}" for part in ([said] if isinstance(said, str) else said or [])]
    if refers_to or type_.item and type_.item.refers_to:
        names.append(own)
    records = type_.item.type.parts if type_.item else type_.parts
    names += [f"{own}.{part.name}" for part in records.values() if part.refers_to]
    return tuple(dict.fromkeys(names))


def _pool(file: Any, where: str, given: Mapping) -> Mapping[str, Any] | None:
    pool = given.get("number")
    if pool is None:
        return None
    if not isinstance(pool, Mapping) or "pool" not in pool or pool.keys() - _POOL_WORDS:
        raise file.bad(where, "number needs a pool, with min and max, or per (an attribute) and ranges in the settings")
    return dict(pool)


def _computed(file: Any, where: str, given: Mapping) -> Any:
    """What makes an attribute that is not stored; without a function it always has its default."""
    said = given.get("computed")
    if said is None and given.get("stored", True) is False:
        always = freeze(given.get("default"))
        return lambda model, row: always
    return None if said is None else hook(file, where, said)


def _policy(file: Any, where: str, given: Mapping) -> Mapping[str, str]:
    """The rules of an attribute by verb; one rule is for create and update."""
    said = given.get("policy", {})
    by_verb = said if isinstance(said, Mapping) else {"create": said, "update": said}
    if by_verb.keys() - {"create", "update", "get"}:
        raise file.bad(where, "policy is a rule, or one for each of create, update and get")
    for rule in by_verb.values():
        check_rule(file, where, rule)
    return {verb: str(rule) for verb, rule in by_verb.items()}


def check_rule(file: Any, where: str, rule: Any) -> None:
    """A model file that is wrong for what is no rule."""
    try:
        check(str(rule))
    except BadRule as wrong:
        raise file.bad(where, str(wrong)) from None


def _proven(file: Any, where: str, attribute: Attribute) -> Attribute:
    """The attribute, after its own default and values have been read as a client's would be."""
    if attribute.has_default and attribute.default is not None:
        try:
            attribute.read(attribute.default)
        except Invalid as wrong:
            raise file.bad(where, f"default {attribute.default!r} {wrong.text}") from None
    return attribute
