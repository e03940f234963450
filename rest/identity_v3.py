"""The Identity API v3, as far as clients of a network service use it."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webob import Request

from controller.errors import Forbidden
from rest import identity_shapes as shapes
from rest import query
from rest.directory import DOMAIN, ROLES, Directory, User
from rest.errors import Answered, bad_request, no_such_address, not_allowed
from rest.identity_shapes import Places
from rest.signed import Signed, Token

Said = tuple[int, Any, Iterable[tuple[str, str]]]
"""Status, JSON and headers of an answer."""

WRONG = "The request you have made requires authentication."
_NAMES = ("name", "id", "domain_id", "enabled", "parent_id", "type", "interface", "service_id", "is_domain", "nocatalog")

_WORDS = {"dict": "an object", "list": "a list", "str": "a string"}


class V3:
    """Answers what is under /v3."""

    def __init__(self, directory: Directory, signed: Signed, places: Places) -> None:
        self._directory, self._signed, self._places = directory, signed, places

    def answer(self, method: str, path: list[str], said: Any, request: Request, root: str, address: str) -> Said:
        """The answer to one request, or Refused."""
        if path == ["auth", "tokens"]:
            return self._tokens(method, said, request, root, address)
        asker = self._asker(request)
        if method != "GET":
            raise not_allowed(method, ("GET",))
        params = {key: text for key, text in query.pairs(request.environ.get("QUERY_STRING", "")) if key in _NAMES}
        if path[0] == "auth" and len(path) == 2:
            return 200, self._about(path[1], asker, root), ()
        if path[0] == "users" and len(path) == 3 and path[2] == "projects":
            return 200, self._about("projects", asker, root), ()
        found = self._collection(path[0], asker, root)
        one = next((one for one in found if one["id"] == path[-1]), None) if len(path) == 2 else None
        if path[0] in ("projects", "users") and one is None and not self._sees_all(asker):
            raise Forbidden(f"{path[0]}: not for these roles to see.")       # clients then take a name for an id
        if len(path) == 1:
            chosen = [one for one in found if all(_fits(one.get(name), text) for name, text in params.items())]
            return 200, {path[0]: chosen, "links": {"self": f"{root}/v3/{path[0]}", "next": None, "previous": None}}, ()
        if len(path) > 2 or one is None:
            raise Answered(404, "NotFound", f"Could not find {path[0].removesuffix('s')}: {path[1]}.")
        return 200, {path[0].removesuffix("s"): one}, ()

    # ---- tokens

    def _tokens(self, method: str, said: Any, request: Request, root: str, address: str) -> Said:
        shows = "nocatalog" not in dict(query.pairs(request.environ.get("QUERY_STRING", "")))
        catalog = self._places.catalog(root) if shows else None
        if method == "POST":
            text, token = self._authenticate(said, address)
            return 201, shapes.token(self._directory, token, catalog), (("X-Subject-Token", text),)
        if method not in ("GET", "DELETE"):
            raise not_allowed(method, ("GET", "POST", "DELETE"))
        asker, subject = self._asker(request), request.environ.get("HTTP_X_SUBJECT_TOKEN", "")
        token_asked = self._signed.read(subject)
        if token_asked is None:
            raise Answered(404, "NotFound", "Could not find the token.")
        if token_asked.user_id != asker.user_id and not {"admin", "service"} & _roles(self._directory, asker):
            raise Forbidden("tokens: another's is seen by an administrator or a service only")
        if method == "DELETE":
            self._signed.revoke(token_asked)
            return 204, None, ()
        return 200, shapes.token(self._directory, token_asked, catalog), (("X-Subject-Token", subject),)

    def _authenticate(self, said: Any, address: str) -> tuple[str, Token]:
        auth = part(said, "auth", dict)
        identity = part(auth, "identity", dict)
        methods = part(identity, "methods", list)
        by = None
        if methods == ["password"]:
            user = self._by_password(part(part(identity, "password", dict), "user", dict), address)
        elif methods == ["token"]:
            by = self._signed.read(part(part(identity, "token", dict), "id", str))
            if by is None:
                raise Answered(401, "Unauthorized", WRONG)
            user = self._directory.users[by.user_id]
        else:
            raise bad_request("auth.identity.methods: must be [\"password\"] or [\"token\"]")
        project, system = self._scope(auth.get("scope"), user)
        return self._signed.issue(user, project, system=system, methods=methods, by=by)

    def _by_password(self, said: dict[str, Any], address: str) -> User:
        id, name = said.get("id"), said.get("name")
        if not isinstance(id if id is not None else name, str):
            raise bad_request("auth.identity.password.user: needs an id, or a name and its domain")
        password = part(said, "password", str)
        user = self._directory.check(id, name, password, address)
        if user is None or id is None and not _of_domain(said.get("domain")):
            raise Answered(401, "Unauthorized", WRONG)
        return user

    def _scope(self, scope: Any, user: User) -> tuple[str | None, bool]:
        """The project and whether it is the system that a token is to be for; 401 where the user has no role."""
        if scope is None:
            return next(iter(user.projects), None), False
        if scope == "unscoped" or scope == {"unscoped": {}}:
            return None, False
        if not isinstance(scope, dict) or len(scope) != 1 or not scope.keys() & {"project", "system", "domain"}:
            raise bad_request("auth.scope: must be one of project, system and unscoped")
        if "system" in scope:
            if not user.system:
                raise Answered(401, "Unauthorized", WRONG)
            return None, True
        said = scope.get("project")
        project = None
        if isinstance(said, dict):
            project = self._directory.project(said["id"]) if isinstance(said.get("id"), str) else \
                self._directory.project(name=str(said.get("name"))) if _of_domain(said.get("domain")) else None
        if project is None or project.id not in user.projects:
            raise Answered(401, "Unauthorized", WRONG)
        return project.id, False

    # ---- what there is

    def _asker(self, request: Request) -> Token:
        token = self._signed.read(request.environ.get("HTTP_X_AUTH_TOKEN", ""))
        if token is None:
            raise Answered(401, "Unauthorized", WRONG)
        return token

    def _about(self, what: str, asker: Token, root: str) -> Any:
        """What a token may be exchanged for, and where to go with it."""
        user = self._directory.users[asker.user_id]
        links = {"self": f"{root}/v3/auth/{what}", "next": None, "previous": None}
        if what == "catalog":
            return {"catalog": self._places.catalog(root), "links": links}
        if what == "projects":
            own = [self._directory.projects[id] for id in user.projects]
            return {"projects": [shapes.project(one, root) for one in own], "links": links}
        if what == "domains":
            return {"domains": [], "links": links}
        if what == "system":
            return {"system": [{"all": True}] if user.system else [], "links": links}
        raise no_such_address()

    def _sees_all(self, asker: Token) -> bool:
        return asker.system or bool({"admin", "service"} & _roles(self._directory, asker))

    def _collection(self, what: str, asker: Token, root: str) -> list[dict[str, Any]]:
        """All of a kind that the asker may see."""
        all_of_it = self._sees_all(asker)
        user = self._directory.users[asker.user_id]
        if what == "projects":
            return [shapes.project(one, root) for one in self._directory.projects.values()
                    if all_of_it or one.id in user.projects]
        if what == "users":
            return [{"id": one.id, "name": one.name, "domain_id": DOMAIN["id"], "enabled": True, "options": {},
                     "password_expires_at": None, "links": {"self": f"{root}/v3/users/{one.id}"}}
                    for one in self._directory.users.values() if all_of_it or one.id == user.id]
        if what == "domains":
            return [{**DOMAIN, "description": "The only domain", "enabled": True, "tags": [], "options": {},
                     "links": {"self": f"{root}/v3/domains/{DOMAIN['id']}"}}]
        if what == "roles":
            return [{"id": role, "name": role, "domain_id": None, "description": None, "options": {},
                     "links": {"self": f"{root}/v3/roles/{role}"}} for role in ROLES]
        return self._services(what, root)

    def _services(self, what: str, root: str) -> list[dict[str, Any]]:
        if what == "regions":
            return [{"id": shapes.REGION, "description": "", "parent_region_id": None,
                     "links": {"self": f"{root}/v3/regions/{shapes.REGION}"}}]
        if what == "services":
            return [{"id": one["id"], "type": one["type"], "name": one["name"], "description": "", "enabled": True,
                     "links": {"self": f"{root}/v3/services/{one['id']}"}} for one in self._places.services(root)]
        if what == "endpoints":
            return [{**one, "service_id": service["id"], "enabled": True,
                     "links": {"self": f"{root}/v3/endpoints/{one['id']}"}}
                    for service in self._places.catalog(root) for one in service["endpoints"]]
        raise no_such_address()


def _roles(directory: Directory, token: Token) -> set[str]:
    return {role["name"] for role in shapes.roles_of(directory, token)}


def _of_domain(said: Any) -> bool:
    """Whether it is the one domain there is, by id or by name."""
    return isinstance(said, dict) and (said.get("id") == DOMAIN["id"] if said.get("id") is not None
                                       else str(said.get("name")).lower() == DOMAIN["name"].lower())


def _fits(value: Any, text: str) -> bool:
    return str(value).lower() == text.lower() if isinstance(value, bool) else value == text


def part(whole: Any, name: str, kind: type) -> Any:
    """A member of a JSON object; refused (400) if it is not there or of another kind, without quoting it."""
    if not isinstance(whole, dict) or not isinstance(whole.get(name), kind):
        raise bad_request(f"{name}: must be there and be {_WORDS[kind.__name__]}")
    return whole[name]
