"""Tags of an object: `/v2.0/COLLECTION/ID/tags[/TAG]`.

Reading, changing and writing back happen in one piece of work on the desk, so two clients that tag one object at the
same time lose nothing.
"""
from collections.abc import Sequence
from typing import Any

from controller.errors import Invalid, Missing
from controller.types import TYPES
from rest.errors import bad_request

MOST = 50


def read_list(body: Any) -> tuple[str, ...]:
    """The tags of a body `{"tags": [...]}`; each once. Refused (400) naming what is wrong."""
    if not isinstance(body, dict) or set(body) != {"tags"}:
        raise bad_request('body: must be {"tags": [...]}')
    if not isinstance(body["tags"], list):
        raise bad_request("tags: must be a list")
    return checked(body["tags"])


def checked(tags: Sequence[Any]) -> tuple[str, ...]:
    """The tags in alphabetical order, as clients expect to read them, each once, or Refused (400)."""
    for number, tag in enumerate(tags):
        try:
            TYPES["tag"].read(tag)
        except Invalid as wrong:
            raise bad_request(f"tags[{number}]: {wrong.text}") from None
    whole = tuple(sorted(set(tags)))
    if len(whole) > MOST:
        raise bad_request(f"tags: must not be more than {MOST}")
    return whole


def missing(tag: str) -> Missing:
    """404 for a tag that the object does not have."""
    wrong = Missing("tag", tag)
    wrong.type = "TagNotFound"
    return wrong


def change(now: tuple[str, ...], verb: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The tags after `replace`, `add` or `remove`; Missing for removing one that is not there."""
    if verb == "replace":
        return checked(given)
    if verb == "add":
        return checked([*now, *(tag for tag in given if tag not in now)])
    for tag in given:
        if tag not in now:
            raise missing(tag)
    return tuple(tag for tag in now if tag not in given)


