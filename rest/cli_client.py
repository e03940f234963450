"""Asks a running Hadron over HTTP, for the command line."""
from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from rest.errors import printable

PATIENCE = 120.0
"""Seconds to wait for an answer; an audit of many switches takes a while."""


class Failed(Exception):
    """Hadron could not be asked, or would not answer; `code` is the command's exit status."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Client:
    """One Hadron, by its address, on behalf of whoever has the token."""

    def __init__(self, url: str, token: str = "", *, cacert: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(f"--url: must be like http://127.0.0.1:9696, not {url}", 2)
        self._url, self._token = url.rstrip("/"), token
        try:
            context = ssl.create_default_context(cafile=cacert or None)
        except OSError as error:
            raise Failed(f"--cacert: {cacert}: {error.strerror}", 2) from None
        # A proxy of the environment is for the web, not for a controller; a redirection would carry the token elsewhere.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay(),
                                                   urllib.request.HTTPSHandler(context=context))

    def get(self, what: str, params: Mapping[str, str | None] = {}) -> Any:  # noqa: B006
        """The answer of `GET /inspect/what`. Raises Failed."""
        return self._ask("GET", what, params)

    def show(self, path: str, params: Mapping[str, str | None] = {}) -> Any:  # noqa: B006
        """What is at an address, JSON. Raises Failed."""
        return self._ask("GET", path, params, "")

    def lines(self, path: str, params: Mapping[str, str | None] = {}) -> Iterator[str]:  # noqa: B006
        """What is at an address, line by line, for as long as it lasts. Raises Failed."""
        try:
            with self._open("GET", path, params, "") as answer:
                for line in answer:
                    yield line.decode().rstrip("\n")
        except (TimeoutError, ConnectionError, http.client.HTTPException):
            return

    def post(self, what: str, params: Mapping[str, str | None] = {}) -> Any:  # noqa: B006
        """The answer of `POST /inspect/what`. Raises Failed."""
        return self._ask("POST", what, params)

    def _ask(self, method: str, what: str, params: Mapping[str, str | None], where: str = "inspect/") -> Any:
        with self._open(method, what, params, where) as answer:
            try:
                return json.loads(answer.read())
            except (OSError, ValueError) as error:
                raise self._silent(error) from None

    def _open(self, method: str, what: str, params: Mapping[str, str | None], where: str) -> Any:
        query = urlencode({name: value for name, value in params.items() if value is not None})
        request = urllib.request.Request(f"{self._url}/{where}{what}{'?' + query if query else ''}", method=method,
                                         headers={"Accept": "application/json", "User-Agent": "hadron"})
        if self._token:
            request.add_header("X-Auth-Token", self._token)
        try:
            return self._opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            raise Failed(_words(error), 2 if error.code == 400 else 1) from None
        except (OSError, ValueError) as error:
            raise self._silent(error) from None

    def _silent(self, error: Exception) -> Failed:
        reason = getattr(error, "reason", error)
        return Failed(f"{self._url} does not answer ({reason}). Is `hadron serve` running there? --url or HADRON_URL "
                      "says where to ask.")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        """No request is made for a redirection."""


def _words(error: urllib.error.HTTPError) -> str:
    try:
        text = str(json.loads(error.read())["NeutronError"]["message"])
    except (ValueError, KeyError, TypeError):
        text = f"{error.code} {error.reason}"
    if error.code == 401:
        text += " (--token or HADRON_TOKEN)"
    return printable(text)
