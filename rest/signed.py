"""Tokens of Hadron's own: what they say is signed, so that none has to be kept.

    PAYLOAD.SIGNATURE       both in unpadded URL-safe base64; the signature is HMAC-SHA256 of the payload

A token says who, for which project, since when and until when. What a user may do is not in it: that is looked up
each time, and a changed password ends all tokens made with the old one. Only what was revoked is kept, until it would
have expired anyway.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from rest.directory import Directory, User

_MOST_REVOKED = 10_000
_LONGEST = 2048
_LEAST_KEY = 32


class Token(NamedTuple):
    """What a token says. `audits` is its own number and those of the tokens that it was made with."""

    user_id: str
    project_id: str | None
    system: bool
    issued: int
    expires: int
    methods: tuple[str, ...]
    audits: tuple[str, ...]
    password: str                           # a digest of the hash that the password was held against


class Signed:
    """Makes, reads and revokes tokens. `keep` is told of what must be known after a restart."""

    def __init__(self, key: bytes, directory: Directory, *, seconds: int = 3600,
                 keep: Callable[[dict[str, int]], None] = lambda revoked: None,
                 now: Callable[[], float] = time.time) -> None:
        self._key, self._directory, self._seconds, self._keep, self._now = key, directory, seconds, keep, now
        self._revoked: dict[str, int] = {}

    def restore(self, revoked: Mapping[str, Any]) -> None:
        """What `keep` was told last."""
        self._revoked = {str(audit): int(until) for audit, until in revoked.items()}

    def issue(self, user: User, project_id: str | None, *, system: bool = False, methods: Iterable[str] = ("password",),
              by: Token | None = None) -> tuple[str, Token]:
        """A token, as text and as what it says. One made with another token ends with that one."""
        issued = int(self._now())
        token = Token(user.id, project_id, system, issued, by.expires if by else issued + self._seconds,
                      tuple(dict.fromkeys([*(by.methods if by else ()), *methods])),
                      (secrets.token_urlsafe(16), *(by.audits[:8] if by else ())), self._of_password(user))
        payload = _text(orjson.dumps(list(token)))
        return f"{payload}.{_text(self._signature(payload))}", token

    def read(self, text: str) -> Token | None:
        """What a token says; None if it is forged, expired, revoked, or of a user who is gone or has lost the roles."""
        payload, dot, signature = text.partition(".")
        if not dot or len(text) > _LONGEST or not text.isascii():
            return None
        if not hmac.compare_digest(signature, _text(self._signature(payload))):
            return None
        fields = orjson.loads(_bytes(payload))
        token = Token(*fields)._replace(methods=tuple(fields[5]), audits=tuple(fields[6]))
        return token if self._holds(token) else None

    def _holds(self, token: Token) -> bool:
        user = self._directory.user(token.user_id)
        if user is None or token.expires <= self._now() or any(audit in self._revoked for audit in token.audits):
            return False
        if not hmac.compare_digest(token.password, self._of_password(user)):
            return False
        return bool(user.system) if token.system else token.project_id is None or token.project_id in user.projects

    def revoke(self, token: Token) -> None:
        """From now on it is not a token, and neither is any that was made with it."""
        moment = self._now()
        revoked = {audit: until for audit, until in self._revoked.items() if until > moment}
        revoked[token.audits[0]] = token.expires
        while len(revoked) > _MOST_REVOKED:
            del revoked[min(revoked, key=revoked.__getitem__)]
        self._revoked = revoked
        self._keep(revoked)

    def _signature(self, payload: str) -> bytes:
        return hmac.digest(self._key, payload.encode(), hashlib.sha256)

    def _of_password(self, user: User) -> str:
        return _text(hmac.digest(self._key, f"password of {user.id}: {user.password}".encode(), hashlib.sha256)[:12])


def read_key(given: object, file: object, beside: str) -> bytes:
    """The key for signatures: as configured, in a file, or made once and kept in `beside` for its owner only.

    ValueError for one that is too short or that others may read. Without any place to keep it, one for this process.
    """
    if given is not None:
        if not isinstance(given, str) or len(given) < _LEAST_KEY:
            raise ValueError(f"auth.key: must have at least {_LEAST_KEY} characters; better: name a file in auth.key_file")
        return given.encode()
    if file is None and not beside:
        return os.urandom(32)
    path = Path(str(file)) if file is not None else Path(beside)
    if file is None and not path.exists():
        _make(path)
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as wrong:
        raise ValueError(f"auth.key_file: {path}: {wrong.strerror}") from None
    with os.fdopen(opened, "rb") as source:
        if os.fstat(opened).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"auth.key_file: {path} may be read by others; chmod 600 {path}")
        key = source.read(4096).strip()
    if len(key) < _LEAST_KEY:
        raise ValueError(f"auth.key_file: {path} must hold at least {_LEAST_KEY} characters")
    return key


def _make(path: Path) -> None:
    """A new key; whole or not at all, even if two start at once."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as target:
        target.write(secrets.token_urlsafe(48) + "\n")
        target.flush()
        os.fsync(target.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(new)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
