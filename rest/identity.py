"""Hadron's own identity endpoint: tokens for passwords, as the Identity API v3 and v2.0 say it.

For clouds without a Keystone. Users and projects are what the configuration declares, so everything but tokens is only
read here. Who authenticates how often, with what, is nowhere in the log; nor is any password or token.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from webob import Request, Response

from controller.errors import Refused
from rest import body, errors, identity_v2, identity_v3
from rest.directory import Directory
from rest.errors import Answered
from rest.identity_shapes import Places, version, versions
from rest.render import dumps
from rest.routes import segments
from rest.signed import Signed
from rest.versions import root_of

log = logging.getLogger(__name__)

_VERSIONS = ("v3", "v2.0")


class Identity:
    """A WSGI application: everything under `/v3` and `/v2.0` of the identity listener."""

    def __init__(self, directory: Directory, signed: Signed, places: Places) -> None:
        three, two = identity_v3.V3(directory, signed, places), identity_v2.V2(directory, signed, places)
        self._answers = {"v3": three.answer, "v2.0": two.answer}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI: one request."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except Refused as wrong:
            response = _refusal(wrong)
        except Exception as wrong:
            errors.unexpected(wrong, f"{request.method} of identity")
            response = _refusal(Answered(500, "HTTPInternalServerError", "An unexpected error prevented the answer."))
        response.headers["Vary"] = "X-Auth-Token"
        response.headers["Cache-Control"] = "no-store"
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        # oVirt joins its address and what it wants with two slashes.
        path, root = [part for part in segments(request.environ) if part], root_of(request.environ)
        method = "GET" if request.method == "HEAD" else request.method
        if not path:
            return _json(300, versions(root)) if method == "GET" else _refusal(errors.not_allowed(method, ("GET",)))
        if path[0] not in _VERSIONS:
            raise errors.no_such_address()
        if len(path) == 1:
            return _json(200, {"version": version(path[0], root)}) if method == "GET" else \
                _refusal(errors.not_allowed(method, ("GET",)))
        said = body.read(request.body) if method == "POST" else None
        address = str(request.environ.get("REMOTE_ADDR", ""))
        status, shown, headers = self._answers[path[0]](method, path[1:], said, request, root, address)
        return _json(status, shown, headers)


def _json(status: int, shown: Any, headers: Iterable[tuple[str, str]] = ()) -> Response:
    response = Response(status=status, body=b"" if shown is None else dumps(shown), content_type="application/json",
                        charset="UTF-8")
    response.headers.extend(list(headers))
    if status == 204:
        del response.content_type
    return response


def _refusal(wrong: Refused) -> Response:
    """An error as Identity says it."""
    headers = list(wrong.headers) if isinstance(wrong, Answered) else []
    if wrong.status == 401:
        headers.append(("WWW-Authenticate", 'Keystone uri="/"'))
    title = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}.get(wrong.status, "Error")
    return _json(wrong.status, {"error": {"code": wrong.status, "title": title,
                                          "message": errors.printable(str(wrong)[:500])}}, headers)
