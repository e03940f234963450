"""The HTTP application: one handler for every resource, derived from its declaration.

A request is read, an answer is made of bytes, and whatever goes wrong on the way becomes a NeutronError. Reading needs
no lock and no other thread; writing is one piece of work for the desk.
"""
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from webob import Request, Response

from controller.errors import Refused
from controller.policy import Context
from controller.store import Conflict, StoreError
from rest import catalog, docs_page, errors, extensions, openapi, versions
from rest.auth import Authenticator
from rest.errors import Answered, no_such_address
from rest.objects import Answer, Objects
from rest.quotas import Quotas
from rest.routes import Routes, segments
from rest.throttle import Allowance
from rest.turns import WHOSE
from rest.versions import VERSION

log = logging.getLogger(__name__)

Mount = Callable[[Request, Any, list[str]], Response]
"""(request, context, rest of the path) -> the answer of a part of the API that is not about resources."""

_VERBS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


class Api:
    """A WSGI application over the resources of a model.

    `call` runs a function on the desk and gives its result. `realized` waits, at most so many seconds, until the
    switches hold what was wanted when it was called. `mounts` are further parts by how their paths begin; what one says of
    itself (`part`) is in the document of the API. `allowance` is what each project may ask; administrators and services,
    who ask for all, may ask as much as they like. `without` are parts that are switched off.
    """

    def __init__(self, *, model: Any, writer: Any, authenticate: Authenticator,
                 call: Callable[..., Any] | None = None, realized: Callable[[float], bool] | None = None,
                 mounts: Mapping[str, Mount] = {}, allowance: Allowance | None = None,     # noqa: B006
                 without: Iterable[str] = ()) -> None:
        self._resources = resources = model.resources
        self._authenticate = authenticate
        self._routes, self._without = Routes(resources, without), frozenset(without)
        self._objects = Objects(model, writer, call or _directly, realized or _never)
        self._quotas = Quotas(model, writer, call or _directly)
        self._mounts, self._allowance = dict(mounts), allowance
        self._parts = [part for one in self._mounts.values() if (part := getattr(one, "part", None)) is not None]
        self._page: bytes | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI: one request."""
        began = time.monotonic()
        request = Request(environ)
        try:
            response = self._answer(request)
        except Refused as wrong:
            response = _refusal(wrong)
        except (Conflict, StoreError) as wrong:
            log.error("the store failed: %s", wrong)
            response = _refusal(Answered(503, "ServiceUnavailable", "The store cannot take writes now; try again.",
                                         (("Retry-After", "1"),)))
        except Exception as wrong:
            status, body = errors.unexpected(wrong, _where(environ))
            response = _response(Answer(status, body))
        response.headers["X-Openstack-Request-Id"] = f"req-{_request_id()}"
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %d %.1f ms", _where(environ), response.status_int, 1000 * (time.monotonic() - began))
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        path = segments(request.environ)
        method = "GET" if request.method == "HEAD" else request.method
        if not path:
            return _response(_only_get(method, lambda: versions.versions(versions.root_of(request.environ))))
        if path == ["docs"]:
            return _response(self._docs(method))
        context = self._authenticate(request)
        request.environ[WHOSE] = context.project_id
        self._grant(context)
        if path == ["openapi.json"]:
            return _response(_only_get(method, lambda: openapi.document(
                self._served(), versions.root_of(request.environ), self._parts)))
        for length in (1, 2):
            if (mount := self._mounts.get("/".join(path[:length]))) is not None:
                return mount(request, context, path[length:])
        if path[0] == VERSION and len(path) > 1 and path[1].removesuffix(".json") == "quotas":
            return _response(self._quotas.answer(method, context, path[2:], request))
        if path[0] == VERSION and (len(path) == 1 or path[1].removesuffix(".json") in ("extensions", "tenants")):
            return _response(self._about(method, path, request, context))
        return _response(self._objects.answer(method, context, self._routes.find(path), request))

    def _served(self) -> dict[str, Any]:
        return {kind: one for kind, one in self._resources.items() if one.part not in self._without}

    def _grant(self, context: Context) -> None:
        if self._allowance is None or context.roles & {"admin", "service"}:
            return
        if (seconds := self._allowance.wait(context.project_id)) > 0:
            raise errors.wait("This project sends more requests than it may (requests_per_second).", seconds)

    def _docs(self, method: str) -> Answer:
        """The page to read, made when it is first asked for."""
        def made() -> bytes:
            served = self._served()
            own = (one for one in served.values() if not one.proton)
            self._page = self._page or docs_page.page(openapi.described(own, served, "", self._parts))
            return self._page

        answer = _only_get(method, made)
        return answer._replace(type="text/html", headers=(*answer.headers, *docs_page.HEADERS))

    def _about(self, method: str, path: list[str], request: Request, context: Any) -> Answer:
        """What the API says about itself: its collections and its extensions; and the asker's project."""
        if len(path) == 1:
            return _only_get(method, lambda: versions.collections(versions.root_of(request.environ), self._routes.served))
        if len(path) > 3:
            raise no_such_address()
        name = path[2].removesuffix(".json") if len(path) == 3 else None
        if path[1].startswith("extensions"):
            return _only_get(method, lambda: extensions.listed(self._without) if name is None
                             else extensions.one(name, self._without))
        return _only_get(method, lambda: catalog.projects(context) if name is None else catalog.project(context, name))


def _request_id() -> uuid.UUID:
    """A name for one request, not a secret: asking the system for random bytes gives up Python's lock, and gets it back
    late when the desk is busy."""
    return uuid.UUID(int=random.getrandbits(128), version=4)


def _where(environ: Mapping[str, Any]) -> str:
    """The request, for the log."""
    said = f"{environ.get('REQUEST_METHOD')} {environ.get('REQUEST_URI') or environ.get('PATH_INFO')}"
    return errors.printable(said[:200])


def _directly(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return work(*args, **options)


def _never(timeout: float) -> bool:
    return False


def _only_get(method: str, made: Callable[[], bytes]) -> Answer:
    if method == "OPTIONS":
        return Answer(204, b"", (("Allow", "GET, HEAD, OPTIONS"),))
    if method != "GET":
        raise errors.not_allowed(method, ("GET",))
    return Answer(200, made())


def _response(answer: Answer) -> Response:
    response = Response(status=answer.status, body=answer.body, content_type=answer.type, charset="UTF-8")
    response.headers.extend(answer.headers)
    if answer.status == 204:
        del response.content_type
    return response


def _refusal(wrong: Refused) -> Response:
    headers = wrong.headers if isinstance(wrong, Answered) else ()
    return _response(Answer(wrong.status, errors.body(wrong.type, str(wrong)), headers))
