"""The Identity API v2.0, which oVirt and other clients of old speak."""
from __future__ import annotations

from typing import Any

from webob import Request

from rest import identity_shapes as shapes
from rest.directory import Directory, Project, User
from rest.errors import Answered, bad_request, no_such_address, not_allowed
from rest.identity_shapes import Places
from rest.identity_v3 import WRONG, Said, part
from rest.signed import Signed, Token


class V2:
    """Answers what is under /v2.0."""

    def __init__(self, directory: Directory, signed: Signed, places: Places) -> None:
        self._directory, self._signed, self._places = directory, signed, places

    def answer(self, method: str, path: list[str], said: Any, request: Request, root: str, address: str) -> Said:
        """The answer to one request, or Refused."""
        what = [one.removesuffix(".json") for one in path]
        if what == ["tokens"]:
            if method != "POST":
                raise not_allowed(method, ("POST",))
            text, token = self._authenticate(part(said, "auth", dict), address)
            return 200, shapes.access(self._directory, text, token, self._places.old_catalog(root)), ()
        if what != ["tenants"]:
            raise no_such_address()
        if method != "GET":
            raise not_allowed(method, ("GET",))
        asker = self._signed.read(request.environ.get("HTTP_X_AUTH_TOKEN", ""))
        if asker is None:
            raise Answered(401, "Unauthorized", WRONG)
        user = self._directory.users[asker.user_id]
        tenants = [shapes.tenant(self._directory.projects[id]) for id in user.projects]
        return 200, {"tenants": tenants, "tenants_links": []}, ()

    def _authenticate(self, auth: dict[str, Any], address: str) -> tuple[str, Token]:
        by, user = None, None
        if auth.get("passwordCredentials") is not None:
            given = part(auth, "passwordCredentials", dict)
            id, name = given.get("userId"), given.get("username")
            if not isinstance(id if id is not None else name, str):
                raise bad_request("auth.passwordCredentials: needs username or userId, and password")
            user = self._directory.check(id, name, part(given, "password", str), address)
        elif auth.get("token") is not None:
            by = self._signed.read(part(part(auth, "token", dict), "id", str))
            user = self._directory.users[by.user_id] if by else None
        else:
            raise bad_request("auth: needs passwordCredentials or token")
        if user is None:
            raise Answered(401, "Unauthorized", WRONG)
        project = self._project(auth, user)
        return self._signed.issue(user, project.id if project else None, by=by,
                                  methods=("token",) if by else ("password",))

    def _project(self, auth: dict[str, Any], user: User) -> Project | None:
        """The project that is asked for; without a word of one, the user's first, where they have any."""
        id, name = auth.get("tenantId") or None, auth.get("tenantName") or None
        if id is None and name is None:
            return self._directory.project(next(iter(user.projects), ""))
        project = self._directory.project(str(id)) if id is not None else self._directory.project(name=str(name))
        if project is None or project.id not in user.projects:
            raise Answered(401, "Unauthorized", WRONG)
        return project
