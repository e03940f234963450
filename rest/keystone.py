"""Tokens of a real Keystone: keystonemiddleware asks it about each, and Hadron takes its word for project and roles.

    auth:
      mode: keystone
      keystone: {auth_url: "https://keystone:5000", username: hadron, password: "…", project_name: service,
                 user_domain_name: Default, project_domain_name: Default}
      cache_seconds: 30

`keystone` holds the options of keystonemiddleware's [keystone_authtoken]. What Keystone said of a token is believed for
`cache_seconds`; for so long, at most, a revoked token goes on being served.
"""
from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from webob import Request

from controller.policy import Context
from rest.auth import unknown
from rest.errors import Answered

_MEMORY = "hadron.tokens"
_FOUND = "hadron.context"
_LONGEST_CACHE = 300


class Memory:
    """What Keystone said of tokens lately, as keystonemiddleware keeps it; no more than so many."""

    MOST = 10_000

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock, self._now = threading.Lock(), now

    def get(self, key: str) -> Any:
        """What was kept, or None."""
        until, value = self._kept.get(key, (0.0, None))
        return value if until > self._now() else None

    def set(self, key: str, value: Any, time: float = 0) -> None:  # noqa: A002
        """Keep it for so many seconds."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = self._now() + time, value
            while len(self._kept) > self.MOST:
                self._kept.popitem(last=False)


class Keystone:
    """The authenticator for tokens of a Keystone."""

    def __init__(self, options: object, cache_seconds: object = 30) -> None:
        try:
            from keystonemiddleware.auth_token import AuthProtocol
        except ImportError:
            raise ValueError("auth.mode: keystone needs keystonemiddleware: pip install 'hadron[keystone]'") from None
        if not isinstance(options, dict) or not options.get("auth_url"):
            raise ValueError("auth.keystone: must hold auth_url, username, password and what else Keystone's middleware "
                             "needs to check tokens")
        if not isinstance(cache_seconds, int) or isinstance(cache_seconds, bool) or not 0 <= cache_seconds <= _LONGEST_CACHE:
            raise ValueError(f"auth.cache_seconds: must be a number of seconds from 0 to {_LONGEST_CACHE}")
        given = {"auth_type": "password", "www_authenticate_uri": options["auth_url"], "http_connect_timeout": 5,
                 "http_request_max_retries": 1, "service_token_roles_required": True,
                 **options, "cache": _MEMORY, "token_cache_time": cache_seconds or -1, "delay_auth_decision": False,
                 "include_service_catalog": False}
        logging.getLogger("keystonemiddleware._common.config").setLevel(logging.ERROR)      # "not known": a plugin's
        self._memory = Memory()
        self._check = AuthProtocol(_found, {name: value if isinstance(value, list) else str(value)
                                            for name, value in given.items()})

    def __call__(self, request: Request) -> Context:
        """On whose behalf; refused (401) without a token that Keystone knows, (503) without a Keystone."""
        token = request.environ.get("HTTP_X_AUTH_TOKEN", "")
        if not token:
            raise unknown(token)
        environ = {name: value for name, value in request.environ.items() if name != _FOUND}
        environ[_MEMORY] = self._memory
        said: list[int] = []
        for _ in self._check(environ, lambda status, *_: said.append(int(status[:3]))):
            pass
        context = environ.get(_FOUND)
        if isinstance(context, Context):
            return context
        if said and said[0] >= 500:
            raise Answered(503, "ServiceUnavailable", "Keystone does not answer; try again.", (("Retry-After", "5"),))
        raise unknown(token)


def _found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What keystonemiddleware calls when a token is right, with what it is right for in the environment."""
    environ[_FOUND] = context_of(environ)
    start_response("204 No Content", [])
    return []


def context_of(environ: Mapping[str, Any]) -> Context:
    """Project, roles and user as keystonemiddleware writes them into the headers of a request."""
    system = environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE") == "all"
    user_id = environ.get("HTTP_X_USER_ID", "")
    of_service = environ.get("HTTP_X_SERVICE_ROLES", "") if environ.get("HTTP_X_SERVICE_IDENTITY_STATUS") == "Confirmed" else ""
    return Context(project_id=None if system else environ.get("HTTP_X_PROJECT_ID") or None,
                   roles=_listed(environ.get("HTTP_X_ROLES", "")), user=environ.get("HTTP_X_USER_NAME") or user_id,
                   user_id=user_id, system=system, service_roles=_listed(of_service))


def _listed(text: str) -> frozenset[str]:
    return frozenset(one.strip() for one in text.split(",") if one.strip())
