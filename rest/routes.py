"""Which address means what. Derived from the resources: a new model file needs no line here.

    /v2.0/networks              a collection            /v2.0/networks/ID/tags[/TAG]    its tags
    /v2.0/networks/ID           one object              /v2.0/parents/ID/children[/ID]  objects of a parent
    /v2.0/routers/ID/action     something to do with it /v2.0/ports/ID/rendering        a text made of it
    /proton/API/VERSION/things  users' own models
"""
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from controller.errors import Refused, Unsupported
from controller.resource import Resource
from rest.errors import bad_request, no_such_address, switched_off
from rest.unserved import ADDRESSES
from rest.versions import VERSION

_LONGEST_SEGMENT = 512


class Route(NamedTuple):
    """Where a path leads: a resource, perhaps one object, perhaps its tags, perhaps inside a parent."""

    resource: Resource
    id: str | None = None
    parent_id: str | None = None
    tags: bool = False
    tag: str | None = None
    action: str | None = None
    rendering: str | None = None


def segments(environ: Mapping[str, str]) -> list[str]:
    """The parts of a request's path, decoded one by one, so that `%2F` is a character and no separator.

    Refused (400) when a part is not UTF-8, holds a control character, or is absurdly long.
    """
    raw = environ.get("REQUEST_URI", "").partition("?")[0]
    if not raw:
        raw = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
    found = []
    for piece in raw.split("/")[1:]:
        try:
            text = unquote_to_bytes(piece).decode("utf-8")
        except UnicodeDecodeError:
            raise bad_request("path: is not UTF-8") from None
        if any(ord(c) < 32 or ord(c) == 127 for c in text):
            raise bad_request("path: holds control characters")
        if len(text) > _LONGEST_SEGMENT:
            raise bad_request(f"path: has a part of more than {_LONGEST_SEGMENT} characters")
        found.append(text)
    while found and not found[-1]:
        found.pop()
    return found


class Routes:
    """All addresses of a set of resources."""

    def __init__(self, resources: Mapping[str, Resource], without: Iterable[str] = ()) -> None:
        """`without` are parts of Hadron that are switched off: their addresses answer 501."""
        self._without = frozenset(without)
        self._top: dict[tuple[str, ...], Resource] = {}
        self._inside: dict[tuple[tuple[str, ...], str], Resource] = {}
        for one in resources.values():
            if one.parent is None:
                self._top[self.prefix(one)] = one
            if one.also is not None:
                alias = replace(one, name=one.also[0], plural=one.also[0] + "s", path=one.also[1], parent=None, also=None)
                self._top[self.prefix(alias)] = alias
        self._tagged = {one.path.rpartition("/")[2]: one for one in resources.values()
                        if one.parent is None and not one.proton and "/" in one.path and "tags" in one.attributes}
        for one in resources.values():
            if one.parent is not None:
                self._inside[self.prefix(resources[one.parent]), one.path] = one

    @staticmethod
    def prefix(resource: Resource) -> tuple[str, ...]:
        """The path of a collection that is in no other object."""
        if resource.proton:
            return ("proton", resource.service, resource.version, *resource.path.split("/"))
        return (VERSION, *resource.path.split("/"))

    @property
    def served(self) -> list[tuple[str, str, str]]:
        """(member, collection, path) of each collection under the version's root."""
        return [(one.name, one.plural, "/" + "/".join(path)) for path, one in self._top.items()
                if path[0] == VERSION and one.part not in self._without]

    def find(self, path: list[str]) -> Route:
        """Where a path leads, or Refused (404)."""
        for length in range(2, min(len(path), 6) + 1):
            last = path[length - 1] if length < len(path) else path[length - 1].removesuffix(".json")
            resource = self._top.get((*path[:length - 1], last))
            if resource is not None:
                if resource.part in self._without:
                    raise switched_off(resource.name, resource.part)
                return self._below(resource, path[:length], path[length:])
        return self._tags(path)

    def _tags(self, path: list[str]) -> Route:
        """Neutron's address for tags leaves the beginning of a path out: /v2.0/policies/ID/tags for one of qos/policies."""
        resource = self._tagged.get(path[1]) if len(path) in (4, 5) and path[0] == VERSION and path[3] == "tags" else None
        route = _within(resource, path[2:]) if resource is not None else None
        if route is None:
            raise _unknown(path)
        return route

    def _below(self, resource: Resource, prefix: list[str], rest: list[str]) -> Route:
        """What is under a collection: an object, its tags, or a collection inside it, and so on once more."""
        route = _within(resource, rest)
        if route is not None:
            return route
        path = [*prefix, *rest]
        inner = self._inside.get((tuple(prefix), rest[1].removesuffix(".json")))
        if inner is not None and inner.part in self._without:
            raise switched_off(inner.name, inner.part)
        route = _within(inner, rest[2:]) if inner is not None else None
        if route is None:
            raise _unknown(path)
        return route._replace(parent_id=rest[0])


def _unknown(path: list[str]) -> Refused:
    """404; or 501 and why, for what Neutron has there."""
    for part in path[1:5]:
        name = part.removesuffix(".json")
        if path[0] == VERSION and name in ADDRESSES:
            return Unsupported(name, ADDRESSES[name])
    return no_such_address()


def _within(resource: Resource, rest: list[str]) -> Route | None:
    if not rest:
        return Route(resource)
    if len(rest) == 1:
        return Route(resource, rest[0].removesuffix(".json"))
    if rest[1] == "tags" and "tags" in resource.attributes and len(rest) <= 3:
        return Route(resource, rest[0], tags=True, tag=rest[2] if len(rest) == 3 else None)
    if len(rest) == 2 and (action := rest[1].removesuffix(".json")) in resource.actions:
        return Route(resource, rest[0], action=action)
    if len(rest) == 2 and rest[1] in resource.renderings:
        return Route(resource, rest[0], rendering=rest[1])
    return None
