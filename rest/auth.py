"""Who asks: by a token of Hadron's own identity endpoint, one from the configuration, a password, or nobody in particular.

Tokens of the configuration are kept only as digests under a key of this process, so that no log, error or memory
listing shows one, and looking one up takes the same time whether it is nearly right or quite wrong.
"""
import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from webob import Request

from controller.policy import Context
from rest.directory import ROLES, Directory, too_often
from rest.errors import Answered
from rest.server import is_loopback
from rest.signed import Signed
from rest.throttle import Throttle

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
        user = str(entry.get("user", project))
        self._contexts[digest] = Context(project_id=project, roles=frozenset(roles), user=user, user_id=user)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode("utf-8", "surrogateescape"), hashlib.sha256)

    def __call__(self, request: Request) -> Context:
        token = request.environ.get("HTTP_X_AUTH_TOKEN", "")
        context = self._contexts.get(self._digest(token)) if token else None
        if context is None:
            raise unknown(token)
        return context


class OwnTokens:
    """Tokens that Hadron's own identity endpoint has made."""

    def __init__(self, signed: Signed, directory: Directory) -> None:
        self._signed, self._directory = signed, directory

    def __call__(self, request: Request) -> Context:
        text = request.environ.get("HTTP_X_AUTH_TOKEN", "")
        token = self._signed.read(text) if text else None
        if token is None:
            raise unknown(text)
        return self._directory.users[token.user_id].context(token.project_id, system=token.system)


class Basic:
    """A user's name and password with every request (RFC 7617). A browser would send them for any page: none is served."""

    _REMEMBER = 300.0
    _MOST = 1000

    def __init__(self, directory: Directory) -> None:
        self._directory, self._key = directory, secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[float, Context]] = OrderedDict()

    def __call__(self, request: Request) -> Context:
        if "HTTP_ORIGIN" in request.environ:
            raise Answered(403, "HTTPForbidden", "Requests from web pages need a token.")
        given = request.environ.get("HTTP_AUTHORIZATION", "")
        digest = hmac.digest(self._key, given.encode("utf-8", "surrogateescape"), hashlib.sha256)
        until, context = self._known.get(digest, (0.0, None))
        if context is None or until < time.monotonic():
            context = self._check(given, str(request.environ.get("REMOTE_ADDR", "")))
            self._known[digest] = time.monotonic() + self._REMEMBER, context
            while len(self._known) > self._MOST:
                self._known.popitem(last=False)
        return context

    def _check(self, given: str, address: str) -> Context:
        scheme, _, rest = given.partition(" ")
        name, colon, password = _decoded(rest).partition(":") if scheme.lower() == "basic" else ("", "", "")
        user = self._directory.check(None, name, password, address) if colon else None
        if user is None:
            raise Answered(401, "HTTPUnauthorized", "The request you have made requires authentication: send a name and "
                           "its password (basic authentication).",
                           (("WWW-Authenticate", 'Basic realm="hadron", charset="UTF-8"'),))
        return user.context(next(iter(user.projects), None), system=not user.projects)


class Slowed:
    """Makes whoever guesses tokens wait. What has been right from the same address goes on being served meanwhile."""

    _MOST = 10_000

    def __init__(self, inner: Authenticator) -> None:
        self._inner, self._throttle, self._key = inner, Throttle(20), secrets.token_bytes(16)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Context:
        token = request.environ.get("HTTP_X_AUTH_TOKEN", "")
        if not token:
            return self._inner(request)
        address = str(request.environ.get("REMOTE_ADDR", ""))
        shown = hashlib.blake2b(f"{address} {token}".encode("utf-8", "surrogateescape"), key=self._key).digest()
        if shown not in self._right and (seconds := self._throttle.wait(address)) > 0:
            raise too_often(seconds)
        try:
            context = self._inner(request)
        except Answered as wrong:
            if wrong.status == 401:
                self._throttle.failed(address)
                self._right.pop(shown, None)
            raise
        if shown not in self._right:
            self._remember(shown)
        return context

    def _remember(self, shown: bytes) -> None:
        with self._lock:
            self._right[shown] = None
            while len(self._right) > self._MOST:
                self._right.popitem(last=False)


def unknown(token: str) -> Answered:
    """401: no token, or none that is known."""
    text = "The request you have made requires authentication: " + (
        "the token is not known." if token else "send a token in X-Auth-Token.")
    return Answered(401, "HTTPUnauthorized", text, (("WWW-Authenticate", 'Token realm="hadron"'),))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def authenticator(config: Mapping[str, Any], *, address: str, allow_remote: bool = False,
                  signed: Signed | None = None, directory: Directory | None = None) -> Authenticator:
    """The authenticator that a configuration asks for by `mode`; `signed` and `directory` are for those with users.

    ValueError, naming the field, for a configuration that is wrong or would let anybody in from other machines.
    """
    mode = config.get("mode")
    words = {"none": {"project_id", "allow_remote"}, "tokens": {"tokens"}, "http_basic": {"users", "projects"},
             "identity": {"users", "projects", "key", "key_file", "token_seconds", "endpoint"},
             "keystone": {"keystone", "cache_seconds"}}
    if mode not in words:
        raise ValueError(f"auth.mode: must be one of {', '.join(words)}")
    unknown_words = sorted(set(config) - words[str(mode)] - {"mode"})
    if unknown_words:
        raise ValueError(f"auth.{unknown_words[0]}: is not a word of the configuration with mode {mode}; there are "
                         f"{', '.join(sorted(words[str(mode)]))}")
    if mode == "tokens":
        entries = config.get("tokens")
        if not isinstance(entries, list) or not entries:
            raise ValueError("auth.tokens: must be a list of at least one token")
        return Slowed(Tokens(entries))
    if mode == "none":
        if not is_loopback(address) and not allow_remote:
            raise ValueError(f"auth.mode: none would make everybody who reaches {address} administrator; "
                             "listen on loopback, use tokens, or allow it explicitly")
        return Anybody(config.get("project_id", "admin"), local=is_loopback(address))
    if mode == "keystone":
        from rest.keystone import Keystone
        return Slowed(Keystone(config.get("keystone"), config.get("cache_seconds", 30)))
    directory = directory or Directory(config.get("users"), config.get("projects"))
    if mode == "http_basic":
        return Basic(directory)
    assert signed is not None
    return Slowed(OwnTokens(signed, directory))
