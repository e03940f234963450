"""Reads a request's body: strict JSON, so that what was checked is what was meant.

Python's own reader lets the last of two equal keys win, and takes NaN, Infinity, 1e999 and half surrogates; each of
those is read differently by somebody else, so each is refused here.
"""
import json
import math
from typing import Any

from controller.resource import Resource
from rest.errors import Answered, bad_request

DEEPEST = 24
"""Nested lists and objects; a bulk request for ports with options needs seven."""
LARGEST = 1 << 20
_SMALLEST_NUMBER, _LARGEST_NUMBER = -(1 << 63), (1 << 64) - 1


def read(raw: bytes) -> Any:
    """The value a body holds. Answered (400 or 413) when it is not JSON, too big, too deep or ambiguous."""
    if len(raw) > LARGEST:
        raise Answered(413, "HTTPRequestEntityTooLarge", f"The body is larger than {LARGEST} bytes.")
    try:
        value = _decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise bad_request("body: is not UTF-8") from None
    except RecursionError:
        raise bad_request(f"body: is nested deeper than {DEEPEST} levels") from None
    except ValueError as wrong:
        raise bad_request(f"body: {wrong}" if isinstance(wrong, _Ambiguous) else f"body: is not JSON ({wrong})") from None
    _check(value, 1)
    return value


class _Ambiguous(ValueError):
    """JSON that different readers read differently."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Ambiguous(f"{next(name for name in names if names.count(name) > 1)!r} is there twice in one object")
    return whole


def _constant(text: str) -> Any:
    raise _Ambiguous(f"{text} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Ambiguous(f"{text[:40]} is too large a number")
    return number


def _int(text: str) -> int:
    if len(text) > 20 or not _SMALLEST_NUMBER <= (number := int(text)) <= _LARGEST_NUMBER:
        raise _Ambiguous(f"{text[:40]} is too large a number")
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_int)


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise bad_request(f"body: is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        if not value.isascii():
            _check_text(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check(name, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise bad_request("body: holds half of a surrogate pair, which is no character") from None


def inside(resource: Resource, whole: Any) -> Any:
    """What a body says under the object's name."""
    if not isinstance(whole, dict) or set(whole) != {resource.name}:
        raise bad_request(f"body: must be a JSON object with the one member {resource.name!r}")
    return whole[resource.name]


def several(resource: Resource, whole: Any) -> tuple[list[Any], bool]:
    """The objects that a POST asks for, and whether it names them as a list."""
    if isinstance(whole, dict) and set(whole) == {resource.name}:
        return [whole[resource.name]], False
    if isinstance(whole, dict) and set(whole) == {resource.plural}:
        many = whole[resource.plural]
        if not isinstance(many, list) or not many:
            raise bad_request(f"{resource.plural}: must be a list of at least one {resource.name}")
        return many, True
    raise bad_request(f"body: must be a JSON object with the one member {resource.name!r} or {resource.plural!r}")


def in_parent(resource: Resource, one: Any, parent_id: str) -> Any:
    """The body of an object inside another, with which one that is."""
    key = str(resource.parent_key)
    if isinstance(one, dict) and one.get(key, parent_id) != parent_id:
        raise bad_request(f"{key}: must be the one in the address, or be left out")
    return {**one, key: parent_id} if isinstance(one, dict) else one
