"""Quotas as Neutron serves them: `/v2.0/quotas[/PROJECT[/default|/details]]`.

A project without a row of its own has the defaults, so every project has quotas and none needs to be known first.
What is used is counted when it is asked for; nothing is reserved, because a write counts and commits in one piece.
"""
from collections.abc import Callable
from typing import Any

from webob import Request

from controller import budgets
from controller.errors import Forbidden, Refused
from controller.policy import SYSTEM
from rest import body, query
from rest.errors import bad_request, no_such_address, not_allowed
from rest.objects import Answer
from rest.render import dumps

KIND = "quota"
_OWN = ("tenant", "project")
_HOW = ("check_limit", "force")
"""Beside the limits, a request may say whether they are to be held against what is used; force stands for not."""


class _NoQuota(Refused):
    """404 in the words of Neutron."""

    status = 404
    type = "TenantQuotaNotFound"


class Quotas:
    """Answers requests about quotas."""

    def __init__(self, model: Any, writer: Any, call: Callable[..., Any]) -> None:
        self._model = model
        self._writer = writer
        self._call = call
        self._names = list(model.resources.limits)

    def answer(self, method: str, context: Any, path: list[str], request: Request) -> Answer:
        """The answer to one request, or Refused."""
        params = query.pairs(request.environ.get("QUERY_STRING", ""))
        if params:
            raise bad_request(f"{params[0][0]}: is not a parameter here")
        verbs = self._verbs(context, path, request)
        if method == "OPTIONS":
            return Answer(204, b"", not_allowed(method, tuple(verbs)).headers)
        if method not in verbs:
            raise not_allowed(method, tuple(verbs))
        return verbs[method]()

    def _verbs(self, context: Any, path: list[str], request: Request) -> dict[str, Callable[[], Answer]]:
        what = [part.removesuffix(".json") for part in path]
        if not what:
            return {"GET": lambda: self._list(context)}
        project = what[0]
        if len(what) == 1 and project in _OWN:
            return {"GET": lambda: Answer(200, dumps({project: {"tenant_id": context.project_id,
                                                                "project_id": context.project_id}}))}
        if len(what) == 1:
            return {"GET": lambda: self._show(context, project), "PUT": lambda: self._put(context, project, request),
                    "DELETE": lambda: self._delete(context, project)}
        if len(what) == 2 and what[1] in ("default", "details"):
            made = self._defaults if what[1] == "default" else self._details
            return {"GET": lambda: Answer(200, dumps({"quota": made(self._seen(context, project))}))}
        raise no_such_address()

    def _may(self, context: Any, verb: str, project: str) -> None:
        """Forbidden if they may not see or set the quotas of a project, whether it has some of its own or not."""
        row = self._model.make(KIND, {"project_id": project})
        if not self._writer.policy.may(context, self._model.resources[KIND], verb, row):
            raise Forbidden(f"quota: those of {project} are not for this project and these roles to {verb} (policy rule "
                            f"{verb}_quota)")

    def _seen(self, context: Any, project: str) -> str:
        """The project, if the asker may see its quotas."""
        self._may(context, "get", project)
        return project

    def _list(self, context: Any) -> Answer:
        self._may(context, "list", "")
        rows = self._model.find(KIND, "all", True)
        return Answer(200, dumps({"quotas": [{**self._limits(row[0]), **_of(row[0])} for row in rows]}))

    def _show(self, context: Any, project: str) -> Answer:
        return Answer(200, dumps({"quota": self._limits(self._seen(context, project))}))

    def _put(self, context: Any, project: str, request: Request) -> Answer:
        whole = body.read(request.body)
        if not isinstance(whole, dict) or set(whole) != {KIND} or not isinstance(whole[KIND], dict):
            raise bad_request("body: must be a JSON object with the one member 'quota', itself an object")
        self._may(context, "update", project)
        for name in _of(project):
            if whole[KIND].get(name, project) != project:
                raise bad_request(f"{name}: must be the one in the address, or be left out")
        asked = {name: value for name, value in whole[KIND].items() if name not in (*_of(project), *_HOW)}
        checks = _checks(whole[KIND])

        def work() -> None:
            if checks:
                self._check_used(project, asked)
            if self._writer.latest.get(KIND, project) is None:
                self._writer.create(SYSTEM, KIND, [{"project_id": project, **asked}])
            else:
                self._writer.update(SYSTEM, KIND, project, asked)

        self._call(work)
        return self._show(context, project)

    def _check_used(self, project: str, asked: dict[str, Any]) -> None:
        """Refused if a limit would be below what the project has already."""
        used = {kind: one["used"] for kind, one in self._details(project).items()}
        for kind, limit in asked.items():
            if type(limit) is int and 0 <= limit < used.get(kind, 0):
                raise bad_request(f"Quota limit {limit} for {kind} must be greater than or equal to already used {used[kind]}")

    def _delete(self, context: Any, project: str) -> Answer:
        self._may(context, "delete", project)
        if self._model.get(KIND, project) is None:
            raise _NoQuota(f"Quota for project {project} could not be found: it has the defaults.")
        self._call(self._writer.delete, SYSTEM, KIND, project)
        return Answer(204)

    def _limits(self, project: str) -> dict[str, int]:
        return {name: self._writer.quota(name, project) for name in self._names}

    def _defaults(self, project: str) -> dict[str, int]:
        return {name: self._writer.quota(name, "") for name in self._names}

    def _details(self, project: str) -> dict[str, dict[str, int]]:
        return {name: {"limit": self._writer.quota(name, project), "reserved": 0,
                       "used": budgets.used(self._model, self._model.resources, name, project)} for name in self._names}


def _checks(asked: dict[str, Any]) -> bool:
    """Whether its limits are held against what is used: unless a request says otherwise."""
    for name in _HOW:
        if not isinstance(asked.get(name, False), bool):
            raise bad_request(f"{name}: must be true or false")
    return bool(asked.get("check_limit", True)) and not asked.get("force", False)


def _of(project: str) -> dict[str, str]:
    return {"project_id": project, "tenant_id": project}
