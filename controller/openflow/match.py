"""A match as the bytes that Open vSwitch itself would write: its order, no full masks, nothing that matches all."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from controller.openflow.fields import FIELDS, VLAN_PRESENT, Field, exact, value_and_mask

_CACHE = 8192           # values remembered for each field; a field's cache is emptied when it is full. What is wanted again is so soon
_LONGEST = 1024         # bytes of a match for which head and padding are laid out in advance
_OXM = b"\0\1"          # ofp_match_type OXM


def part(field: Field, value: object) -> bytes:
    """One field of a match on the wire; empty if it matches everything. Raises ValueError like value_and_mask."""
    whole = exact(field, value) if field.name != "ct_state" else None
    if whole is not None:
        return _HEADERS[field.name] + whole
    wanted, mask = value_and_mask(field, value)
    if not mask:
        return b""
    if mask == field.full and field.name != "ct_state":     # all bits of ct_state are still fewer than its header's
        return field.header() + wanted.to_bytes(field.size, "big")
    return field.header(True) + wanted.to_bytes(field.size, "big") + mask.to_bytes(field.size, "big")


_HEADERS = {name: field.header() for name, field in FIELDS.items()}


class Encoded(dict[Any, bytes]):
    """What values of one field are on the wire, remembered: parts of matches, or actions that set it."""

    def __init__(self, field: Field, encode: Callable[[Field, Any], bytes]) -> None:
        super().__init__()
        self._field, self._encode = field, encode

    def __missing__(self, value: object) -> bytes:
        if len(self) >= _CACHE:
            self.clear()
        made = self[value] = self._encode(self._field, value)
        return made


class _Plan(NamedTuple):
    """How to encode matches over one set of names: how to take their values in wire order, and the caches of their
    parts; how to take the values that decide legality, and which were found good; and whether it is a `_special` one.
    """

    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    caches: tuple[Encoded, ...]
    gate: Callable[[Mapping[str, Any]], Any] | None
    passed: set[Any]
    special: bool
    fields: tuple[Field, ...]


_parts = {name: Encoded(field, part) for name, field in FIELDS.items()}
_plans: dict[tuple[str, ...], _Plan] = {}
_frames = [(_OXM + (4 + n).to_bytes(2, "big"), bytes(-(4 + n) % 8)) for n in range(_LONGEST)]


def match(fields: Mapping[str, Any] | None = None, /, **more: Any) -> bytes:
    """The ofp_match bytes, padding included, of the packets that a flow is for.

    Fields are named as in `FIELDS`, or by a Register; a value is a number, an address ("10.0.0.0/24", "fe80::/64",
    "fa:16:3e:00:00:01") or (value, mask). Raises ValueError if a field is unknown, a value does not fit, or a field
    stands without the fields that it needs (tcp_dst without ip_proto 6).
    """
    if fields:
        more = {**fields, **more} if more else fields  # type: ignore[assignment]
    names = tuple(more)
    plan = _plans.get(names) or _make_plan(names)
    values, caches, gate, passed, special, _ = plan
    if gate is not None and gate(more) not in passed:
        _check(plan, more)
    if special:
        return _special(more)
    body = b"".join(map(getitem, caches, values(more)))
    head, padding = _frames[len(body)]
    return head + body + padding


def shape(*free: str, **fixed: Any) -> Callable[..., bytes]:
    """A function from the values of these fields to the match that has them and the fixed ones: `match` in half the time.

    For what is made again and again for thousands of objects. Raises ValueError as `match` does, and for a free field
    whose value decides whether others may stand beside it.
    """
    names = (*free, *fixed)
    plan = _plans.get(names) or _make_plan(names)
    if plan.special or any(needed in free for field in plan.fields for needed, _ in field.needs):
        raise ValueError(f"{', '.join(free)}: not all of them can be left open")
    _check(plan, fixed)
    pieces = [b"" if field.name in free else part(field, fixed[field.name]) for field in plan.fields]
    at = {field.name: place for place, field in enumerate(plan.fields)}
    holes = tuple([(at[name], _parts[name]) for name in free])

    def fill(*values: Any) -> bytes:
        parts = pieces[:]
        for (place, cache), value in zip(holes, values, strict=True):
            parts[place] = cache[value]
        body = b"".join(parts)
        head, padding = _frames[len(body)]
        return head + body + padding
    return fill


def _taker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What takes the values of these names; itemgetter gives a tuple only for two names or more."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda asked: tuple(asked[name] for name in names)


def _make_plan(names: tuple[str, ...]) -> _Plan:
    for name in names:
        if name not in FIELDS:
            raise ValueError(f"{name} is not a field")
    fields = tuple(sorted((FIELDS[name] for name in names), key=lambda field: field.order))
    deciding = sorted({needed for field in fields for needed, _ in field.needs})
    for field in fields:
        for needed, values in field.needs:
            if needed not in names:
                wanted = " or ".join(f"{value:#x}" for value in sorted(values)) or _IN_WORDS[needed]
                raise ValueError(f"{field.name} needs {needed} to be {wanted}")
    gate = itemgetter(*deciding) if deciding else None
    ordered = [field.name for field in fields]
    plan = _Plan(_taker(ordered), tuple(_parts[name] for name in ordered), gate, set(),
                 not _SPECIAL.isdisjoint(names), fields)
    if len(_plans) >= _CACHE:
        _plans.clear()
    _plans[names] = plan
    return plan


_IN_WORDS = {"vlan_vid": "a tag", "ct_state": "a valid connection (+est, +new, +trk-inv...)"}
_IMPLIES: Mapping[str, Callable[[int, int], bool]] = {
    "vlan_vid": lambda value, mask: bool(value & VLAN_PRESENT),
    "ct_state": lambda value, mask: bool(value & 0xCF or value & 0x20 and mask & 0x10 and not value & 0x10),
}


def _check(plan: _Plan, asked: Mapping[str, Any]) -> None:
    """Refuse a match whose values contradict what its fields need; remember the combination if it is good."""
    for field in plan.fields:
        for needed, good in field.needs:
            value, mask = value_and_mask(FIELDS[needed], asked[needed])
            legal = mask == FIELDS[needed].full and value in good if good else _IMPLIES[needed](value, mask)
            if not legal:
                wanted = " or ".join(f"{each:#x}" for each in sorted(good)) or _IN_WORDS[needed]
                raise ValueError(f"{field.name} needs {needed} to be {wanted}, not {asked[needed]!r}")
    if len(plan.passed) >= _CACHE:
        plan.passed.clear()
    if plan.gate is not None:
        plan.passed.add(plan.gate(asked))


_WIDE = {f"xxreg{n}": tuple(f"reg{4 * n + place}" for place in range(4)) for n in range(4)}
_SPECIAL = frozenset({"packet_type", *_WIDE})
_ETHERNET = frozenset({"eth_src", "eth_dst", "eth_type", "vlan_vid"})


def _special(asked: Mapping[str, Any]) -> bytes:
    """A match with fields that Open vSwitch does not write back where, or as, they were given."""
    plain = {str(name): value for name, value in asked.items() if name not in _SPECIAL}
    for name in _WIDE.keys() & asked.keys():
        value, mask = value_and_mask(FIELDS[name], asked[name])
        for place, register in enumerate(_WIDE[name]):
            if register in plain:
                raise ValueError(f"{register} is part of {name}")
            shift = 96 - 32 * place
            plain[register] = value >> shift & 0xFFFFFFFF, mask >> shift & 0xFFFFFFFF
    whole = match(plain)
    body = whole[4:int.from_bytes(whole[2:4], "big")]
    if "packet_type" in asked:
        own = _parts["packet_type"][asked["packet_type"]]
        if any(own[4:]):
            body = own + body
        elif _ETHERNET.isdisjoint(plain):       # packet type Ethernet is written last, and left out where implied
            body += own
    head, padding = _frames[len(body)]
    return head + body + padding
