"""Objects over HTTP: list, show, create, update, delete and tags, the same for every resource.

It knows no kind by name: what may be said and seen of one comes from its declaration, what may be done from its
policies, and doing it is the writer's.
"""
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from webob import Request

from controller.errors import Forbidden, Missing
from controller.resource import Resource
from rest import body, inside, query, renderings, tags
from rest.errors import bad_request, not_allowed
from rest.render import Gallery, dumps
from rest.routes import Route

PATIENCE = 10.0
LONGEST_WAIT = 60.0
"""Seconds that `wait=realized` waits, unless `timeout=` says otherwise, and at most."""
_WAITING = 16
"""Requests that may wait at once: each holds a thread of the listener."""
_IF_MATCH = re.compile(r'"?revision_number=(\d{1,18})"?')


class Answer(NamedTuple):
    """What is sent back: status, body, further headers, media type."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    type: str = "application/json"


class Objects:
    """Answers requests about the objects of a model's resources."""

    def __init__(self, model: Any, writer: Any, call: Callable[..., Any], realized: Callable[[float], bool]) -> None:
        self._model = model
        self._writer = writer
        self._call = call
        self._realized = realized
        self._changeable = {kind for kind, one in model.resources.items()
                            if any(part.settable in ("always", "update") for part in one.attributes.values())}
        self._waiting = threading.BoundedSemaphore(_WAITING)
        self._gallery = Gallery(model, writer.policy)

    def answer(self, method: str, context: Any, route: Route, request: Request) -> Answer:
        """The answer to one request, or Refused."""
        params = query.pairs(request.environ.get("QUERY_STRING", ""))
        if route.parent_id is not None:
            self._parent(context, route)
            route = inside.resolved(self._model, route)
        verbs = self._verbs(route)
        if method == "OPTIONS":
            return Answer(204, b"", not_allowed(method, tuple(verbs)).headers)
        if method not in verbs:
            raise not_allowed(method, tuple(verbs))
        return verbs[method](context, route, request, params)

    def _verbs(self, route: Route) -> dict[str, Callable[..., Answer]]:
        if route.tag is not None:
            return {"GET": self._has_tag, "PUT": self._add_tag, "DELETE": self._remove_tags}
        if route.tags:
            return {"GET": self._list_tags, "PUT": self._replace_tags, "POST": self._add_tags,
                    "DELETE": self._remove_tags}
        if route.action is not None:
            return {"PUT": self._act}
        if route.rendering is not None:
            return {"GET": self._render}
        if route.resource.fact:
            return {"GET": self._list if route.id is None else self._show}
        if route.id is None:
            return {"GET": self._list, "POST": self._create}
        changes = {"PUT": self._update} if route.resource.kind in self._changeable else {}
        return {"GET": self._show, **changes, "DELETE": self._delete}

    # ---- reading

    def find(self, context: Any, resource: Resource, id: str, rows: Any = None,
             asked: query.Query = query.NOTHING) -> Any:
        """The row, if the asker may see it; Missing (404) if not, or if there is none. `rows` is where to look."""
        if resource.view is None:
            row = (rows or self._model).get(resource.kind, id) or inside.beside(self._model, resource, id)
        elif resource.view.of is None:
            row = next((one for one in self._standing(context, resource, asked) if one[0] == id), None)
        else:
            whole = self._model.get(resource.view.of, id)
            row = None if whole is None else self._made(resource, whole, asked)
        if row is None or not self._writer.policy.may(context, resource, "get", row, rows):
            raise Missing(resource.kind, id)
        return row

    def _standing(self, context: Any, resource: Resource, asked: query.Query) -> list[Any]:
        """The rows of a view that is of nothing else; of many, those of the asker's project unless he may see all."""
        assert resource.view is not None
        whose = None if self._writer.policy.sees_all(context, resource) else resource.owner
        wanted = {**asked.wanted, whose: frozenset((context.project_id,))} if whose else asked.wanted
        narrowed = (wanted,) if resource.view.narrow else ()
        return [self._model.make(resource.kind, document) for document in resource.view.by(self._model, *narrowed)]

    def _made(self, resource: Resource, whole: Any, asked: query.Query) -> Any:
        """The row of a view for a row of what it is of, or None."""
        assert resource.view is not None
        document = resource.view.by(self._model, whole, asked.wanted)
        return None if document is None else self._model.make(resource.kind, document)

    def _parent(self, context: Any, route: Route) -> None:
        assert route.resource.parent is not None
        self.find(context, self._model.resources[route.resource.parent], str(route.parent_id))

    def _one(self, context: Any, route: Route, rows: Any = None, asked: query.Query = query.NOTHING) -> Any:
        if route.resource.view is not None and route.resource.view.several:
            return self._part(context, route)
        row = self.find(context, route.resource, str(route.id), rows, asked)
        if route.parent_id is not None and getattr(row, str(route.resource.parent_key)) != route.parent_id:
            raise Missing(route.resource.kind, route.id)
        return row

    def _kept(self, context: Any, route: Route) -> None:
        """That there is one that the asker may see, and that it is there by itself."""
        self._one(context, route)
        inside.check_kept(route)

    def _list(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        resource, shown = route.resource, self._gallery.to(context, route.resource)
        asked = query.read(resource, params, shown.value, hidden=shown.hidden)
        rows = self._rows(context, route, asked)
        if asked.marker is not None and all(row[0] != asked.marker for row in rows):
            rows.append(self.find(context, resource, asked.marker))
        rows, links = query.page(query.ordered(rows, asked, shown.value), asked, resource)
        if asked.fields:
            rendered = [dumps(shown.document(row, asked.fields)) for row in rows]
        else:
            rendered = [shown.render(row) for row in rows]
        text = b'{"%s":[%s]' % (resource.plural.encode(), b",".join(rendered))
        if links:
            text += b',"%s_links":%s' % (resource.plural.encode(), dumps(query.links(request, asked, links)))
        return Answer(200, text + b"}")

    def _rows(self, context: Any, route: Route, asked: query.Query) -> list[Any]:
        """The rows that a list request means, by the narrowest way that leads to them."""
        resource = route.resource
        several = resource.view is not None and resource.view.several
        found = self._parts(context, route) if several else self._candidates(context, resource, asked)
        if route.parent_id is not None and not several:
            place = resource.row.NAMES.index(resource.parent_key)
            found = [row for row in found if row[place] == route.parent_id]
            own = inside.beside(self._model, resource, route.parent_id)
            found += [own] if own is not None and self._writer.policy.may(context, resource, "get", own) else []
        for condition in asked.conditions:
            found = [row for row in found if condition.test(row)]
        return found

    def _parts(self, context: Any, route: Route) -> list[Any]:
        """The rows of a view that are inside one parent, for whoever may see them."""
        resource = route.resource
        assert resource.view is not None and resource.parent is not None
        whole = self.find(context, self._model.resources[resource.parent], str(route.parent_id))
        made = [self._model.make(resource.kind, {**document, str(resource.parent_key): route.parent_id})
                for document in resource.view.by(self._model, whole)]
        return [row for row in made if self._writer.policy.may(context, resource, "get", row)]

    def _part(self, context: Any, route: Route) -> Any:
        for row in self._parts(context, route):
            if row[0] == route.id:
                return row
        raise Missing(route.resource.kind, route.id)

    def _candidates(self, context: Any, resource: Resource, asked: query.Query) -> list[Any]:
        policy = self._writer.policy
        rows = query.candidates(self._model, resource.kind, asked.conditions) if resource.view is None else \
            self._views(context, resource, asked)
        if rows is None:
            return policy.visible(context, resource)
        return policy.seen(context, resource, rows)

    def _views(self, context: Any, resource: Resource, asked: query.Query) -> list[Any]:
        """The rows of a view, for what the asker may see of what it is of."""
        assert resource.view is not None
        if resource.view.of is None:
            return self._standing(context, resource, asked)
        of = self._model.resources[resource.view.of]
        wholes = query.candidates(self._model, of.kind, [one for one in asked.conditions if one.by == query.IDENTITY])
        if wholes is None:
            wholes = self._writer.policy.visible(context, of)
        return [row for whole in wholes if (row := self._made(resource, whole, asked)) is not None]

    def _show(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        shown = self._gallery.to(context, route.resource)
        asked = query.read(route.resource, params, shown.value, hidden=shown.hidden)
        row = self._one(context, route, asked=asked)
        if asked.limit or asked.marker or asked.order or asked.backwards:
            raise bad_request("query: limit, marker, page_reverse and sort_key belong to lists")
        if not all(condition.test(row) for condition in asked.conditions):
            raise Missing(route.resource.kind, route.id)
        if asked.fields:
            return Answer(200, dumps({route.resource.name: shown.document(row, asked.fields)}))
        return Answer(200, _member(route.resource, shown.render(row)))

    def _render(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        """A text made of the object, for whoever may see it."""
        row, wanted = self._one(context, route), route.resource.renderings[str(route.rendering)]
        if wanted.policy and not self._writer.policy.fits(context, route.resource, wanted.policy, row):
            raise Forbidden(f"{route.resource.name} {row[0]}: may be seen, but not its {wanted.name}")
        format, asked = renderings.read(wanted, params, request)
        text = wanted.run(self._model, row, format, asked)
        return Answer(200, text.encode(), (("Vary", "Accept"),), wanted.formats[format])

    # ---- writing

    def _create(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        resource, wait = route.resource, _wait(params)
        whole = body.read(request.body)
        bodies, many = body.several(resource, whole)
        if route.parent_id is not None:
            bodies = [body.in_parent(resource, one, route.parent_id) for one in bodies]
        rows = self._call(self._writer.create, context, resource.kind, bodies)
        headers = self._wait(wait)
        shown = self._gallery.to(context, resource)
        rendered = [shown.render(self._model.get(resource.kind, row[0]) or row) for row in rows]
        if many:
            return Answer(201, b'{"%s":[%s]}' % (resource.plural.encode(), b",".join(rendered)), headers)
        return Answer(201, _member(resource, rendered[0]), headers)

    def _update(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        resource, wait, revision = route.resource, _wait(params), _if_match(request)
        asked = body.inside(resource, body.read(request.body))
        self._kept(context, route)
        row = self._call(self._writer.update, context, resource.kind, route.id, asked, revision=revision)
        headers = self._wait(wait)
        return Answer(200, self._rendered(context, resource, row), headers)

    def _delete(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        wait, revision = _wait(params), _if_match(request)
        self._kept(context, route)
        self._call(self._writer.delete, context, route.resource.kind, route.id, revision=revision)
        return Answer(204, b"", self._wait(wait))

    def _act(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        """Something that an object can do; it answers for itself, or with the object."""
        resource, wait, revision = route.resource, _wait(params), _if_match(request)
        action = resource.actions[str(route.action)]
        whole = body.read(request.body) if request.body or action.body.type.parts else None
        if action.wrapped and whole is not None:
            whole = body.inside(resource, whole)
        self._kept(context, route)
        row, said = self._call(self._writer.act, context, resource.kind, route.id, action.name, {} if whole is None else whole,
                               revision=revision)
        headers = self._wait(wait)
        if said is not None:
            return Answer(200, dumps(said), headers)
        return Answer(200, self._rendered(context, resource, row), headers)

    def _rendered(self, context: Any, resource: Resource, row: Any) -> bytes:
        row = self._model.get(resource.kind, row[0]) or row
        return _member(resource, self._gallery.to(context, resource).render(row))

    def _wait(self, timeout: float | None) -> tuple[tuple[str, str], ...]:
        """Wait for the switches if the request asks for it; the header says whether they have followed."""
        if timeout is None:
            return ()
        done = False
        if self._waiting.acquire(blocking=False):
            try:
                done = self._realized(timeout)
            finally:
                self._waiting.release()
        return (("X-Hadron-Realized", "true" if done else "false"),)

    # ---- tags

    def _list_tags(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        query.none(params)
        return Answer(200, dumps({"tags": self._one(context, route).tags}))

    def _has_tag(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        query.none(params)
        if route.tag not in self._one(context, route).tags:
            raise tags.missing(str(route.tag))
        return Answer(204)

    def _replace_tags(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        row = self._retag(context, route, request, params, "replace", tags.read_list(body.read(request.body)))
        return Answer(200, dumps({"tags": row.tags}))

    def _add_tags(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        row = self._retag(context, route, request, params, "add", tags.read_list(body.read(request.body)))
        return Answer(200, dumps({"tags": row.tags}))

    def _add_tag(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        self._retag(context, route, request, params, "add", tags.checked([route.tag]))
        return Answer(201)

    def _remove_tags(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]]) -> Answer:
        if route.tag is None:
            self._retag(context, route, request, params, "replace", ())
        else:
            self._retag(context, route, request, params, "remove", (route.tag,))
        return Answer(204)

    def _retag(self, context: Any, route: Route, request: Request, params: list[tuple[str, str]], verb: str,
               given: tuple[str, ...]) -> Any:
        query.none(params)
        revision = _if_match(request)

        how = {"POST": "create", "PUT": "update", "DELETE": "delete"}[request.method]

        def work() -> Any:
            row, kind = self._one(context, route, self._writer.latest), route.resource.kind
            self._writer.tag(context, kind, row[0], row.tags, revision=revision, verb=how)      # may they at all?
            return self._writer.tag(context, kind, row[0], tags.change(row.tags, verb, given), verb=how)

        return self._call(work)


def _member(resource: Resource, rendered: bytes) -> bytes:
    return b'{"%s":%s}' % (resource.name.encode(), rendered)


def _wait(params: Sequence[tuple[str, str]]) -> float | None:
    """Seconds to wait for the switches, None for not at all. Refused (400) for any other parameter of a write."""
    waits, seconds = False, PATIENCE
    for key, text in params:
        if key == "wait" and text == "realized":
            waits = True
        elif key == "timeout" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
            seconds = min(float(text), LONGEST_WAIT)
        elif key in ("wait", "timeout"):
            raise bad_request(f"{key}: must be {'realized' if key == 'wait' else 'a number of seconds'}")
        else:
            raise bad_request(f"{key}: is not a parameter of a write; there are wait and timeout")
    if params and not waits:
        raise bad_request("timeout: is how long wait=realized waits; give that too, or leave it out")
    return seconds if waits else None


def _if_match(request: Request) -> int | None:
    """The revision that `If-Match: revision_number=N` insists on; None for `*`, whichever there is (RFC 9110 §13.1.1).
    Refused (400) for any other condition.
    """
    text = request.environ.get("HTTP_IF_MATCH")
    if text is None or text.strip() == "*":
        return None
    found = _IF_MATCH.fullmatch(text.strip())
    if not found:
        raise bad_request("If-Match: must be revision_number=N")
    return int(found[1])
