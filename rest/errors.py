"""What went wrong, as Neutron says it: a status code and {"NeutronError": {"type", "message", "detail"}}."""
import logging
import secrets
from http import HTTPStatus

import orjson

from controller.errors import Refused, Unsupported

log = logging.getLogger(__name__)

_LONGEST = 2000
"""Characters of a message: it may quote what the client sent, and must not become an echo of it."""


class Answered(Refused):
    """A request answered with an error before any resource is touched."""

    def __init__(self, status: int, type: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, type=type)
        self.status = status
        self.headers = headers


def bad_request(message: str, type: str = "HTTPBadRequest") -> Answered:
    """400: the client can mend it, and the message says how."""
    return Answered(400, type, message)


def wait(message: str, seconds: float) -> Answered:
    """429: the client may come again after so many seconds."""
    return Answered(429, "TooManyRequests", message, (("Retry-After", str(int(seconds) + 1)),))


def no_such_address() -> Answered:
    """404 for an address that nothing answers, as Neutron words it."""
    return Answered(404, "HTTPNotFound", "The resource could not be found.")


def switched_off(name: str, part: str) -> Unsupported:
    """501 for what is of a part that the configuration switches off."""
    return Unsupported(name, f"there is no plugin for {part} in this deployment: it is switched off (without: [{part}] in the "
                             "configuration)", type="NotImplementedError")


def body(type: str, message: str, detail: str = "") -> bytes:
    """The JSON of one error."""
    text = message if len(message) <= _LONGEST else message[:_LONGEST] + "…"
    return orjson.dumps({"NeutronError": {"type": type, "message": printable(text), "detail": detail}})


def printable(text: str) -> str:
    """Text without what a terminal or JSON cannot carry: control characters and half surrogates."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def body_of_status(status: int, message: str = "") -> bytes:
    """The JSON of an error that HTTP itself names, such as 408 or 413."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    kind = "HTTP" + "".join(word[:1].upper() + word[1:] for word in phrase.replace("-", " ").split())
    return body(kind, message or phrase)


def unexpected(wrong: BaseException, request: str) -> tuple[int, bytes]:
    """500, the last resort: the log has the traceback, the client a number to quote, and no inner detail."""
    number = secrets.token_hex(4)
    log.error("error %s while answering %s", number, request, exc_info=wrong)
    return 500, body("HTTPInternalServerError", f"Request failed: internal server error (number {number} in the log).")


def not_allowed(method: str, allowed: tuple[str, ...]) -> Answered:
    """405, and what would be allowed (RFC 9110 section 15.5.6)."""
    known = ", ".join((*allowed, "HEAD", "OPTIONS") if "GET" in allowed else (*allowed, "OPTIONS"))
    return Answered(405, "HTTPMethodNotAllowed", f"{printable(method)[:20]} is not allowed here; there are {known}.",
                    (("Allow", known),))
