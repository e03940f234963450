"""Texts made of an object: which format a request asks for, and with what else."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webob import Request

from controller.errors import Invalid
from controller.resource import Rendering
from rest.errors import Answered, bad_request


def read(wanted: Rendering, params: Sequence[tuple[str, str]], request: Request) -> tuple[str, Mapping[str, Any]]:
    """The format and the parameters that a request means, or Refused.

    A format is named by `format=` or by a media type in Accept; the first there is, if neither says which.
    """
    given = dict(params)
    if len(given) < len(params):
        raise bad_request("query: each parameter may be there once")
    named = given.pop("format", None)
    if named is not None and named not in wanted.formats:
        raise bad_request(f"format: must be one of {', '.join(wanted.formats)}")
    try:
        asked: Mapping[str, Any] = wanted.asked.read(given)
    except Invalid as wrong:
        raise bad_request(str(wrong).lstrip(".")) from None
    return named or _accepted(wanted, request), asked


def _accepted(wanted: Rendering, request: Request) -> str:
    by_type = {type: name for name, type in reversed(list(wanted.formats.items()))}
    first = next(iter(wanted.formats))
    if not request.headers.get("Accept"):
        return first
    offers = list(dict.fromkeys(wanted.formats.values()))
    found = request.accept.acceptable_offers(offers)
    if not found:
        raise Answered(406, "HTTPNotAcceptable", f"Accept: there are {', '.join(offers)}; or say format=")
    best = max(quality for _, quality in found)
    liked = [offer for offer in offers if (offer, best) in found]
    return by_type[liked[0]]
