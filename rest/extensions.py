"""The extensions of Neutron's API that are served: each alias is here because the named test shows that it works."""
from typing import NamedTuple

import orjson

from controller.errors import Refused


class Extension(NamedTuple):
    """An alias as Neutron lists it; `test` is the function in tests/rest that proves it."""

    alias: str
    name: str
    description: str
    updated: str
    test: str


EXTENSIONS: dict[str, Extension] = {one.alias: one for one in (
)}


class _NoExtension(Refused):
    """404 in the words of Neutron."""

    status = 404
    type = "ExtensionNotFound"


def _shown(one: Extension) -> dict:
    return {"alias": one.alias, "name": one.name, "description": one.description, "updated": one.updated, "links": []}


def listed() -> bytes:
    """The answer to `GET /v2.0/extensions`."""
    return orjson.dumps({"extensions": [_shown(one) for one in EXTENSIONS.values()]})


def one(alias: str) -> bytes:
    """The answer to `GET /v2.0/extensions/ALIAS`, or 404."""
    if alias not in EXTENSIONS:
        raise _NoExtension(f"Extension with alias {alias} does not exist")
    return orjson.dumps({"extension": _shown(EXTENSIONS[alias])})
