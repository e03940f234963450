"""What a list request asks for: which rows, in which order, which page, which attributes.

Values of one key are alternatives, different keys must all hold, and an unknown key is refused. Where an index
answers a key, only its rows are looked at.
"""
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from webob import Request

from controller.errors import Invalid, Missing
from controller.resource import Attribute, Resource
from rest.errors import bad_request
from rest.versions import root_of

Value = Callable[[Attribute, Any], Any]
"""(attribute, row) -> the value that the API shows."""

_MOST_PAIRS = 2500
_identity = itemgetter(0)
_TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
_CONTROL = {chr(code) for code in range(32)} | {"\x7f"}


IDENTITY = "identity"
"""The name of the index that every kind has: its rows by what identifies them."""


class Condition(NamedTuple):
    """One key of a query: a test of a row, the index keys that find the rows that can pass it, and what it names."""

    test: Callable[[Any], bool]
    by: str | None = None
    keys: tuple = ()
    name: str = ""
    wanted: frozenset = frozenset()


@dataclass(frozen=True)
class Query:
    """A list request, read and checked."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[tuple[Attribute, bool], ...] = ()      # attribute, descending
    fields: tuple[str, ...] = ()
    limit: int = 0                                      # 0: all
    marker: str | None = None
    backwards: bool = False
    params: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def wanted(self) -> dict[str, frozenset]:
        """The values that filters name, by attribute."""
        return {one.name: one.wanted for one in self.conditions if one.name}


NOTHING = Query()


def pairs(query_string: str) -> list[tuple[str, str]]:
    """The keys and values of a query string. Refused when they are not UTF-8 or hold control characters."""
    try:
        found = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PAIRS)
    except UnicodeDecodeError:
        raise bad_request("query: is not UTF-8") from None
    except ValueError:
        raise bad_request(f"query: has more than {_MOST_PAIRS} values") from None
    for key, value in found:
        if not (key.isprintable() and value.isprintable()) and _CONTROL & (set(key) | set(value)):
            raise bad_request("query: holds control characters")
    return found


def parameters(pairs: Iterable[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """What a request says once each, of what it may say at all."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise bad_request(f"{name}: is no parameter here; there are {', '.join(known) or 'none'}")
        if name in found:
            raise bad_request(f"{name}: is there twice")
        found[name] = value
    return found


def read(resource: Resource, params: Sequence[tuple[str, str]], value: Value, *, hidden: Container[str] = ()) -> Query:
    """The Query that a list request's parameters mean, or Refused (400) naming the parameter."""
    grouped: dict[str, list[str]] = {}
    for key, text in params:
        grouped.setdefault(key, []).append(text)
    names = grouped.pop("fields", [])
    order = _order(resource, grouped.pop("sort_key", []), grouped.pop("sort_dir", []), hidden)
    limit = _whole_number("limit", grouped.pop("limit", []))
    marker = grouped.pop("marker", [""])[-1] or None
    backwards = _boolean("page_reverse", grouped.pop("page_reverse", ["false"])[-1])
    conditions = _conditions(resource, grouped, value, hidden)
    return Query(conditions, order, tuple(dict.fromkeys(name for name in names if name)), limit, marker, backwards, tuple(params))


def _whole_number(key: str, texts: list[str]) -> int:
    if not texts:
        return 0
    if not (texts[-1].isascii() and texts[-1].isdigit() and len(texts[-1]) < 10):
        raise bad_request(f"{key}: must be a whole number, 0 or more")
    return int(texts[-1])


def _boolean(key: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise bad_request(f"{key}: must be true or false")
    return text.lower() in ("true", "1")


def candidates(model: Any, kind: str, conditions: Iterable[Condition]) -> list[Any] | None:
    """Rows among which all that pass are, by the index that gives the fewest; None if no index helps."""
    ways = [one for one in conditions if one.by is not None]
    if not ways:
        return None
    best = min(ways, key=lambda way: len(way.keys) if way.by == IDENTITY else
               sum(model.count(kind, way.by, key) for key in way.keys))
    if best.by == IDENTITY:
        return [row for key in dict.fromkeys(best.keys) if (row := model.get(kind, key)) is not None]
    return list({row[0]: row for key in best.keys for row in model.find(kind, best.by, key)}.values())


def _visible(resource: Resource, name: str, hidden: Container[str]) -> Attribute | None:
    attribute = resource.attributes.get(resource.aliases.get(name, name))
    if attribute is None or attribute.visible in ("nobody", "asked") or attribute.name in hidden:
        return None
    return attribute


# -- order ------------------------------------------------------------------------------------------------------------

def _order(resource: Resource, keys: list[str], dirs: list[str], hidden: Container[str]) -> tuple[tuple[Attribute, bool], ...]:
    dirs = dirs or ["asc"] * len(keys)
    if len(keys) != len(dirs):
        raise bad_request("sort_dir: there must be as many as there are of sort_key")
    order = []
    for key, direction in zip(keys, dirs, strict=True):
        attribute = _visible(resource, key, hidden)
        if attribute is None or attribute.type.name in ("list", "record", "json"):
            raise bad_request(f"sort_key: {key} is not an attribute of {resource.name} to sort by")
        if direction not in ("asc", "desc"):
            raise bad_request("sort_dir: must be asc or desc")
        order.append((attribute, direction == "desc"))
    return tuple(order)


def ordered(rows: Iterable[Any], query: Query, value: Value) -> list[Any]:
    """Rows as asked for, and by their identity where that says nothing; absent values come first."""
    found = sorted(rows, key=_identity)
    for attribute, descending in reversed(query.order):
        found.sort(key=lambda row, one=attribute: _sortable(value(one, row)), reverse=descending)   # type: ignore[misc]
    return found


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def page(rows: list[Any], query: Query, resource: Resource) -> tuple[list[Any], list[tuple[str, str, bool]]]:
    """The page of ordered rows, and its links: (rel, marker, backwards), only where there is something to find.

    Missing (404) when the marker is not among the rows.
    """
    start, end = 0, len(rows)
    if query.marker is not None:
        place = next((n for n, row in enumerate(rows) if row[0] == query.marker), None)
        if place is None:
            raise Missing(resource.kind, query.marker)
        start, end = (0, place) if query.backwards else (place + 1, len(rows))
    if query.limit:
        start, end = (max(start, end - query.limit), end) if query.backwards else (start, min(end, start + query.limit))
    chosen = rows[start:end]
    links = []
    if query.limit and chosen:
        if end < len(rows):
            links.append(("next", chosen[-1][0], False))
        if start > 0:
            links.append(("previous", chosen[0][0], True))
    return chosen, links


# -- filters ----------------------------------------------------------------------------------------------------------

def _conditions(resource: Resource, grouped: Mapping[str, list[str]], value: Value, hidden: Container[str]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for key, texts in grouped.items():
        if key in _TAG_FILTERS and "tags" in resource.attributes:
            found.append(_tag_condition(key, texts))
            continue
        if key == "changed_since" and "updated_at" in resource.attributes:
            found.append(_changed_since(texts))
            continue
        attribute = _visible(resource, key, hidden)
        if attribute is None:
            raise bad_request(f"{key}: is not an attribute of {resource.name} to filter by")
        condition = _condition(attribute, key, texts, value)
        if attribute.name == resource.key:
            condition = condition._replace(by=IDENTITY, keys=tuple(texts))
        found.append(condition)
    return tuple(found)


def _condition(attribute: Attribute, key: str, texts: list[str], value: Value) -> Condition:
    kind = attribute.type.name
    if kind == "list":
        item = attribute.type.item
        if item is not None and item.type.name == "json":
            raise bad_request(f"{key}: is not an attribute to filter by")
        if item is not None and item.type.name == "record":
            return _parts_condition(attribute, key, item.type.parts, texts, value)
        wanted = frozenset(_wanted(item, key, texts)) if item is not None else frozenset(texts)
        return Condition(lambda row: not wanted.isdisjoint(value(attribute, row) or ()), *_indexed(attribute, wanted),
                         attribute.name, wanted)
    if kind in ("record", "json"):
        raise bad_request(f"{key}: is not an attribute to filter by")
    wanted = frozenset(_wanted(attribute, key, texts))
    return Condition(lambda row: value(attribute, row) in wanted, *_indexed(attribute, wanted), attribute.name, wanted)


def _indexed(attribute: Attribute, wanted: frozenset) -> tuple[str | None, tuple]:
    return (attribute.field, tuple(wanted)) if attribute.field in attribute.index and None not in wanted else (None, ())


def _wanted(attribute: Attribute, key: str, texts: list[str]) -> list[Any]:
    """What the texts of a filter mean as values; text that cannot be a value matches nothing, except where that is
    surely a mistake."""
    found: list[Any] = []
    for text in texts:
        if text == "" and attribute.type.name not in ("boolean", "integer", "number"):
            found += ["", None]
            continue
        try:
            found.append(attribute.type.read(text))
        except Invalid as wrong:
            if attribute.type.name in ("boolean", "integer", "number"):
                raise bad_request(f"{key}: {wrong}") from None
            found.append(text)
    return found


def _parts_condition(attribute: Attribute, key: str, parts: Mapping[str, Attribute], texts: list[str],
                     value: Value) -> Condition:
    """`fixed_ips=ip_address=10.0.0.1`: one record must satisfy every part that is named."""
    wanted: dict[str, list[str]] = {}
    for text in texts:
        part, equals, rest = text.partition("=")
        if not equals or part.removesuffix("_substr") not in parts:
            raise bad_request(f"{key}: must be {key}=PART=VALUE, with PART one of {', '.join(parts)}")
        wanted.setdefault(part, []).append(rest)
    exact = {part: frozenset(_wanted(parts[part], f"{key}={part}", found))
             for part, found in wanted.items() if part in parts}
    pieces = {part.removesuffix("_substr"): found for part, found in wanted.items() if part not in parts}

    def fits(record: Mapping[str, Any]) -> bool:
        return all(record.get(part) in values for part, values in exact.items()) and \
            all(any(piece in str(record.get(part, "")) for piece in found) for part, found in pieces.items())

    ways = ((f"{attribute.field}.{part}", tuple(values)) for part, values in exact.items() if None not in values)
    by, keys = next((way for way in ways if way[0] in attribute.index), (None, ()))
    return Condition(lambda row: any(map(fits, value(attribute, row) or ())), by, keys)


def _tag_condition(key: str, texts: list[str]) -> Condition:
    wanted = frozenset(tag for text in texts for tag in text.split(",") if tag)
    if not wanted:
        raise bad_request(f"{key}: must name tags, with commas between them")
    if key == "tags":
        return Condition(lambda row: wanted <= set(row.tags))
    if key == "tags-any":
        return Condition(lambda row: not wanted.isdisjoint(row.tags))
    if key == "not-tags":
        return Condition(lambda row: not wanted <= set(row.tags))
    return Condition(lambda row: wanted.isdisjoint(row.tags))


def _changed_since(texts: list[str]) -> Condition:
    try:
        since = _moment(texts[-1])
    except ValueError:
        raise bad_request("changed_since: must be a date and time, as 2024-01-31T12:00:00") from None
    return Condition(lambda row: _moment(row.updated_at) >= since)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def links(request: Request, asked: Query, links: list[tuple[str, str, bool]]) -> list[dict[str, str]]:
    """The links to the pages around one."""
    kept = [(key, text) for key, text in asked.params if key not in ("marker", "page_reverse")]
    path = request.environ.get("REQUEST_URI", "").partition("?")[0] or request.path
    where = root_of(request.environ) + path
    return [{"rel": rel, "href": f"{where}?{urlencode([*kept, ('marker', marker), *([('page_reverse', 'True')] * back)])}"}
            for rel, marker, back in links]


def none(params: Sequence[tuple[str, str]]) -> None:
    """Refused (400) if there are parameters where none mean anything."""
    if params:
        raise bad_request(f"{params[0][0]}: is not a parameter here")
