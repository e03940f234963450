"""/v2.0/usage: what each object of a project was counted between two moments, for bills.

    GET /v2.0/usage?since=&until=&step=&kind=&id=&network_id=&project_id=&format=json|csv

Ports are told what they have sent (tx) and received (rx), metering labels what crossed gateways (egress, ingress). A project
sees its own, an administrator everybody's or one project's. Moments are dates with times, or seconds since 1970; without
them it is the hour that has just ended. What is older than two days is told by whole hours.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from webob import Request, Response

from apps import statistics
from controller.errors import Forbidden, Invalid
from controller.policy import Context
from controller.times import utc
from rest.errors import bad_request, no_such_address, not_allowed
from rest.openapi import Part, operation
from rest.query import pairs, parameters

HOUR = 3600
_FORMATS = {"json": "application/json", "csv": "text/csv"}
_TEXT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
_PARAMETERS: dict[str, tuple[str, Any]] = {
    "since": ("From when on: a date with a time, or seconds since 1970; the beginning of the hour that has just ended, if not said",
              _TEXT),
    "until": ("Until when; the end of that hour, if not said", _TEXT),
    "step": ("By so many seconds each, whole minutes", {"type": "integer", "minimum": 60}),
    "kind": ("Only these, separated by commas", {"type": "string", "enum": [*statistics.COUNTED, ",".join(statistics.COUNTED)]}),
    "id": ("Only this port or metering label", _TEXT),
    "network_id": ("Only ports of this network", _TEXT),
    "project_id": ("Only of this project; for administrators", _TEXT),
    "format": ("json, if not said", {"type": "string", "enum": list(_FORMATS)})}
_ROW = {"type": "object", "required": ["kind", "id", "network_id", "project_id", "at"], "properties": {
    **dict.fromkeys(("kind", "id", "network_id", "project_id", "at"), _TEXT),
    **{name: _NUMBER for names in statistics.COUNTED.values() for name in names}}}


class Usage:
    """A mount of rest.api.Api. `counts` is controller.stats.Statistics."""

    part = Part("usage", "What ports and metering labels were counted in a period, for bills", {"/v2.0/usage": {
        "get": operation("usage", "show_usage", "Show what was counted", {200: ("A row for each object and step", {
            "application/json": {"type": "object", "required": ["usage", "since", "until", "step"], "properties": {
                "usage": {"type": "array", "items": _ROW}, "since": _TEXT, "until": _TEXT, "step": _NUMBER}},
            "text/csv": _TEXT})}, _PARAMETERS)}})

    def __init__(self, counts: Any) -> None:
        self._counts = counts

    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """One request. Raises Refused."""
        if path:
            raise no_such_address()
        if request.method not in ("GET", "HEAD"):
            raise not_allowed(request.method, ("GET",))
        given = parameters(pairs(request.environ.get("QUERY_STRING", "")), _PARAMETERS)
        format = given.pop("format", "json")
        if format not in _FORMATS:
            raise bad_request(f"format: must be one of {', '.join(_FORMATS)}")
        of: dict[str, str] = {**self._whose(context, given.pop("project_id", None)),
              **{name: given.pop(said) for said, name in (("id", "id"), ("network_id", "within")) if said in given}}
        kinds = _kinds(given.pop("kind", None))
        try:
            text = self._told(given, kinds, of, format)
        except (Invalid, ValueError) as wrong:
            raise bad_request(f"{wrong}; since and until are dates with times, step is a number of seconds") from None
        return Response(body=text, content_type=_FORMATS[format], charset="UTF-8")

    def _whose(self, context: Context, asked: str | None) -> dict[str, str]:
        """Whose usage is told; nobody's name for everybody's."""
        if context.is_admin:
            return {} if asked is None else {"project": asked}
        if asked not in (None, context.project_id):
            raise Forbidden("project_id: another project's usage is told to administrators only")
        return {"project": context.project_id or ""}

    def _told(self, given: Mapping[str, str], kinds: Iterable[str], of: Mapping[str, str], format: str) -> bytes:
        now = int(self._counts.now())
        hour = now - now % HOUR
        since, until, step = statistics.period({"since": str(hour - HOUR), "until": str(hour), **given,
                                                "step": int(given["step"]) if "step" in given else None}, now)
        assert since is not None
        found = [one for kind in kinds for one in self._counts.history(since, until, step or until - since, kind=kind, about="", **of)]
        if format == "csv":
            return statistics.table(found, step or until - since, [name for kind in kinds for name in statistics.COUNTED[kind]]).encode()
        rows = [{"kind": (its := own[0].series).kind, "id": id, "network_id": its.within, "project_id": its.project,
                 "at": utc(at), **statistics.added(own, statistics.COUNTED[its.kind])}
                for at, some in statistics.by(found, "at").items() for id, own in statistics.by(some, "id").items()]
        return orjson.dumps({"usage": rows, "since": utc(since), "until": utc(until), "step": step or until - since})


def _kinds(asked: str | None) -> list[str]:
    """What is told of, in the order in which it is told."""
    named = set(statistics.COUNTED if asked is None else asked.split(","))
    if not named <= statistics.COUNTED.keys():
        raise bad_request(f"kind: must be some of {','.join(statistics.COUNTED)}")
    return [kind for kind in statistics.COUNTED if kind in named]
