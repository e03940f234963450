"""/v2.0/usage: what each object of a project was counted between two moments, for bills.

    GET /v2.0/usage?since=&until=&step=&project_id=&format=json|csv

A project sees its own, an administrator everybody's or one project's. Moments are dates with times, or seconds since 1970;
without them it is the hour that has just ended. What is older than two days is told by whole hours.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from webob import Request, Response

from apps import statistics
from controller.errors import Forbidden, Invalid
from controller.policy import Context
from controller.times import utc
from rest.errors import bad_request, no_such_address, not_allowed
from rest.query import pairs, parameters

HOUR = 3600
_FORMATS = {"json": "application/json", "csv": "text/csv"}
_PARAMETERS = ("since", "until", "step", "project_id", "format")


class Usage:
    """A mount of rest.api.Api. `counts` is controller.stats.Statistics."""

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
        project = self._project(context, given.pop("project_id", None))
        try:
            text = self._told(given, project, format)
        except (Invalid, ValueError) as wrong:
            raise bad_request(f"{wrong}; since and until are dates with times, step is a number of seconds") from None
        return Response(body=text, content_type=_FORMATS[format], charset="UTF-8")

    def _project(self, context: Context, asked: str | None) -> str | None:
        """Whose usage is told; None for everybody's."""
        if context.is_admin:
            return asked
        if asked not in (None, context.project_id):
            raise Forbidden("project_id: another project's usage is told to administrators only")
        return context.project_id

    def _told(self, given: Mapping[str, str], project: str | None, format: str) -> bytes:
        now = int(self._counts.now())
        hour = now - now % HOUR
        since, until, step = statistics.period({"since": str(hour - HOUR), "until": str(hour), **given,
                                                "step": int(given["step"]) if "step" in given else None}, now)
        assert since is not None
        found = self._counts.history(since, until, step or until - since, kind="port", about="", **({} if project is None else {"project": project}))
        if format == "csv":
            return statistics.table(found, step or until - since).encode()
        rows = [{"kind": (of := own[0].series).kind, "id": id, "network_id": of.within, "project_id": of.project,
                 "at": utc(at), **statistics.added(own)}
                for at, some in statistics.by(found, "at").items() for id, own in statistics.by(some, "id").items()]
        return orjson.dumps({"usage": rows, "since": utc(since), "until": utc(until), "step": step or until - since})
