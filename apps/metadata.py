"""Metadata: what a machine is told of itself over HTTP, at its services' address (services.py).

Where a compute manager's metadata service is configured, a request is passed on to it with whose it is, signed as Nova
expects: X-Instance-ID (the port's device_id), X-Tenant-ID, X-Forwarded-For and X-Instance-ID-Signature, which is the
HMAC-SHA256 of the instance's id under the shared secret. A machine's own headers of that kind are not passed on.

Without one the port itself says what there is (`metadata_documents.py`).
"""
import hmac
import re
from typing import Any, NamedTuple

from apps import metadata_documents
from controller.app import Ask, Service
from controller.packet import http, ipv4, ipv6
from controller.types import Type, parsed

PORT = 80
LONGEST = 16384                     # bytes of a request
ASKED = "metadata"                  # whom Ask names
METHODS = ("GET", "HEAD", "PUT", "POST")
PASSED = ("accept", "content-type", "user-agent", "x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds",
          "x-metadata-provider", "metadata-flavor")


class Errand(NamedTuple):
    """A request to be made of the compute manager's metadata service."""
    url: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def _url(text: str) -> str:
    """http or https, a host and perhaps a port; nothing else."""
    if text and not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?/?", text):
        raise ValueError(text)
    return text.rstrip("/")


URL = Type("metadata-url", parsed(_url, "where a metadata service is: http://192.0.2.10:8775"), {"type": "string"},
           ("http://192.0.2.10:8775", "https://nova.example"), ("192.0.2.10", "ftp://a", "http://", "http://a/b", 1))


def serves(world: Any) -> bool:
    """Whether machines are told anything."""
    return bool(world.settings["metadata"]["enabled"])


def _read(data: bytes) -> http.Request | http.Wrong | None:
    return http.read(data, LONGEST)


def _say(world: Any, port: Any, request: http.Request | http.Wrong, asker: bytes) -> bytes | Ask:
    if isinstance(request, http.Wrong):
        return http.write(http.Answer(request.status))
    if request.method not in METHODS:
        return http.write(http.Answer(405, headers=(("Allow", ", ".join(METHODS)),)))
    if not world.settings["metadata"]["url"]:
        return _own(world, port, request)
    if not port.device_id:
        return http.write(http.Answer(404, b"no machine is known to have this address\n"))

    def passed_on(told: http.Answer | None) -> bytes:
        answer = told or http.Answer(503, b"the metadata service does not answer\n", headers=(("Retry-After", "5"),))
        return http.write(answer, with_body=request.method != "HEAD")
    return Ask(ASKED, errand(world, port, request, asker), passed_on)


def errand(world: Any, port: Any, request: http.Request, asker: bytes) -> Errand:
    """The request as the compute manager's service gets it."""
    known = world.settings["metadata"]
    signature = hmac.new(known["shared_secret"].encode(), port.device_id.encode(), "sha256").hexdigest()
    address = ipv4.text(asker) if len(asker) == 4 else ipv6.text(asker)
    said = tuple((name, value) for name, value in request.headers if name in PASSED)
    return Errand(known["url"], request.method, request.target, (
        *said, ("X-Forwarded-For", address), ("X-Instance-ID", port.device_id), ("X-Tenant-ID", port.project_id or ""),
        ("X-Instance-ID-Signature", signature)), request.body)


def _own(world: Any, port: Any, request: http.Request) -> bytes:
    if request.method not in ("GET", "HEAD"):
        return http.write(http.Answer(405, headers=(("Allow", "GET, HEAD"),)))
    found = metadata_documents.find(world, port, request.path)
    answer = http.Answer(404, b"there is no such metadata\n") if found is None else http.Answer(200, *found)
    return http.write(answer, with_body=request.method == "GET")


SERVICE = Service(_read, _say, LONGEST)
