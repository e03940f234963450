"""/v2.0/auto-allocated-topology/PROJECT: a network behind a router that leads outside, made when it is first asked for.

    GET                 the project's, which is made if there is none
    GET ?fields=dry-run whether it could be made
    DELETE              all of it goes
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from webob import Request, Response

from apps import auto_allocation
from controller.errors import Forbidden, Missing
from controller.policy import Context, same_project
from rest.errors import bad_request, no_such_address, not_allowed, switched_off
from rest.openapi import Part, in_path, operation
from rest.query import pairs
from rest.render import dumps

PART, NAME = "layer3", "auto_allocated_topology"
_SHOWN = {"type": "object", "properties": {NAME: {"type": "object", "properties": dict.fromkeys(
    ("id", "project_id", "tenant_id"), {"type": "string"})}}}
_TOLD = Part(NAME, "A network behind a router that leads outside, made when it is first asked for", {
    "/v2.0/auto-allocated-topology/{project_id}": {
        "parameters": [in_path("project_id")],
        "get": operation(NAME, "show_auto_allocated_topology", "Show the project's, made if there is none", {
            200: ("Its network", {"application/json": _SHOWN})},
            {"fields": ("Only whether it could be made", {"type": "string", "enum": ["dry-run"]})}),
        "delete": operation(NAME, "delete_auto_allocated_topology", "Delete all of it", {204: ("It is gone", {})})}})


class AutoAllocation:
    """A mount of rest.api.Api."""

    def __init__(self, writer: Any, call: Callable[..., Any], without: Iterable[str] = ()) -> None:
        self._writer, self._call, self._off = writer, call, PART in without
        self.part = None if self._off else _TOLD

    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """One request. Raises Refused."""
        if self._off:
            raise switched_off(NAME, PART)
        if len(path) != 1:
            raise no_such_address()
        project = path[0].removesuffix(".json")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in ("GET", "DELETE"):
            raise not_allowed(method, ("GET", "DELETE"))
        if not context.is_admin and not same_project(project, context.project_id):
            raise Missing(NAME, project)
        if method == "DELETE":
            self._do(context, auto_allocation.remove, project)
            return Response(status=204)
        if _only_tries(request):
            self._call(self._writer.carry_out, context, auto_allocation.needed)
            return _answer("dry-run=pass", project)
        return _answer(self._do(context, auto_allocation.make, project).id, project)

    def _do(self, context: Context, what: Callable[..., Any], project: str) -> Any:
        if not context.roles & {"member", "manager"} and not context.is_admin:
            raise Forbidden(f"{NAME}: the roles that this token gives do not allow to make or remove networks")
        return self._call(self._writer.carry_out, context, lambda write: what(write, project))


def _only_tries(request: Request) -> bool:
    params = pairs(request.environ.get("QUERY_STRING", ""))
    if any(one != ("fields", "dry-run") for one in params):
        raise bad_request("query: only fields=dry-run is a parameter here")
    return bool(params)


def _answer(id: str, project: str) -> Response:
    return Response(body=dumps({NAME: {"id": id, "tenant_id": project, "project_id": project}}), content_type="application/json",
                    charset="UTF-8")
