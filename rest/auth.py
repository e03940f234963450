"""Who asks: a static token from the configuration, or nobody in particular where authentication is off.

Tokens are kept only as digests under a key of this process, so that no log, error or memory listing of the
configuration shows one, and looking one up takes the same time whether it is nearly right or quite wrong.
"""
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from webob import Request

from controller.policy import Context
from rest.errors import Answered
from rest.server import is_loopback

ROLES = ("admin", "manager", "member", "reader", "service")
_LEAST = 8
"""Characters of a token: shorter ones can be tried out."""


class Authenticator(Protocol):
    """Says on whose behalf a request is made, or raises Answered with 401."""

    def __call__(self, request: Request) -> Context: ...


class Anybody:
    """`--auth none`: whoever reaches the listener is administrator of one project.

    On loopback that is everybody with an account here, and also every web page in a browser here. A page's request
    carries an Origin, or, after rebinding its own name to 127.0.0.1, that name as Host: both are refused.
    """

    def __init__(self, project_id: str = "admin", *, local: bool = True) -> None:
        self._context = Context(project_id=project_id, roles=frozenset({"admin"}), user="anybody", is_admin=True)
        self._local = local

    def __call__(self, request: Request) -> Context:
        if self._local:
            if "HTTP_ORIGIN" in request.environ:
                raise Answered(403, "HTTPForbidden", "Requests from web pages need authentication (auth.mode: tokens).")
            name = request.environ.get("HTTP_HOST", "localhost").rsplit("]", 1)[0].lstrip("[")
            if not is_loopback(name) and not is_loopback(name.rsplit(":", 1)[0]):
                raise Answered(403, "HTTPForbidden", "Without authentication only this machine's loopback names are "
                                                    "served (auth.mode: tokens for others).")
        return self._context


class Tokens:
    """Static tokens, each with a project, roles and a user's name; everything else is refused."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._key = secrets.token_bytes(32)
        self._contexts: dict[bytes, Context] = {}
        for place, entry in enumerate(entries):
            self._add(f"auth.tokens[{place}]", entry)

    def _add(self, where: str, entry: Mapping[str, Any]) -> None:
        unknown = sorted(set(entry) - {"token", "project_id", "roles", "user"})
        if unknown:
            raise ValueError(f"{where}.{unknown[0]}: is not a word of a token's entry")
        token, project, roles = entry.get("token"), entry.get("project_id"), entry.get("roles")
        if not isinstance(token, str) or len(token) < _LEAST or not token.isascii() or not token.isprintable():
            raise ValueError(f"{where}.token: must be at least {_LEAST} printable ASCII characters")
        if not isinstance(project, str) or not project:
            raise ValueError(f"{where}.project_id: must name a project")
        if not isinstance(roles, list | tuple) or not roles or set(roles) - set(ROLES):
            raise ValueError(f"{where}.roles: must be a list of {', '.join(ROLES)}")
        digest = self._digest(token)
        if digest in self._contexts:
            raise ValueError(f"{where}.token: is there twice")
        self._contexts[digest] = Context(project_id=project, roles=frozenset(roles), is_admin="admin" in roles,
                                         user=str(entry.get("user", project)))

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode("utf-8", "surrogateescape"), hashlib.sha256)

    def __call__(self, request: Request) -> Context:
        token = request.environ.get("HTTP_X_AUTH_TOKEN", "")
        context = self._contexts.get(self._digest(token)) if token else None
        if context is None:
            text = "The request you have made requires authentication: " + (
                "the token is not known." if token else "send a token in X-Auth-Token.")
            raise Answered(401, "HTTPUnauthorized", text, (("WWW-Authenticate", 'Token realm="hadron"'),))
        return context


def authenticator(config: Mapping[str, Any], *, address: str, allow_remote: bool = False) -> Authenticator:
    """The authenticator that a configuration asks for: `mode: none|tokens`, `tokens: [...]`, `project_id:`.

    ValueError, naming the field, for a configuration that is wrong or would let anybody in from other machines.
    """
    mode = config.get("mode")
    unknown = sorted(set(config) - {"mode", "tokens", "project_id", "allow_remote"})
    if unknown:
        raise ValueError(f"auth.{unknown[0]}: is not a word of the configuration")
    if mode == "tokens":
        entries = config.get("tokens")
        if not isinstance(entries, list) or not entries:
            raise ValueError("auth.tokens: must be a list of at least one token")
        return Tokens(entries)
    if mode == "none":
        if not is_loopback(address) and not allow_remote:
            raise ValueError(f"auth.mode: none would make everybody who reaches {address} administrator; "
                             "listen on loopback, use tokens, or allow it explicitly")
        return Anybody(config.get("project_id", "admin"), local=is_loopback(address))
    raise ValueError("auth.mode: must be none or tokens")
