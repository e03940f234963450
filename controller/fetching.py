"""Fetching: a request that is passed on to somebody else's HTTP service, and what it answers."""
from __future__ import annotations

import http.client
import logging
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from controller.packet.http import Answer

log = logging.getLogger("hadron.fetching")

PATIENCE = 10.0             # seconds for all of an answer
CONNECT = 3.0               # seconds until somebody is there
MOST = 1 << 20              # bytes of an answer


def fetch(errand: Any) -> Answer | None:
    """The answer to an errand (url, method, target, headers, body); None if there is none in time.

    Redirections are not followed, and what is too long is refused: who answers is not ours to trust with more.
    """
    until = time.monotonic() + PATIENCE
    where = urlsplit(errand.url)
    try:
        connection = _connect(where.scheme, where.hostname or "", where.port)
        try:
            connection.request(errand.method, errand.target, errand.body or None, dict(errand.headers))
            answer = connection.getresponse()
            body = _body(connection, answer, until)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        log.info("%s does not answer: %s", where.netloc, type(wrong).__name__)
        return None
    if body is None:
        return Answer(502, b"the metadata service says too much\n")
    type_ = answer.headers.get("Content-Type", "text/plain").encode("latin-1", "replace").decode("latin-1")
    return Answer(answer.status, body, type_ if type_.isprintable() else "text/plain")


def _connect(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=CONNECT, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=CONNECT)


def _body(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, until: float) -> bytes | None:
    """All of it, in time; None if it is too much."""
    found = b""
    while len(found) <= MOST:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        piece = answer.read1(65536)
        if not piece:
            return found
        found += piece
    return None
