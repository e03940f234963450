"""Objects inside another that are addressed by what they are called there, and one that is not kept but shown beside them.

    named_by    `/v2.0/ports/ID/bindings/HOST`: the one of this parent with that name
    besides     what the parent says of itself in the same words: it has the parent's id, and is changed there
"""
from __future__ import annotations

from typing import Any

from controller.errors import Conflict
from controller.resource import Resource
from rest.routes import Route


def resolved(model: Any, route: Route) -> Route:
    """The route to the one that is named, by its id; as it is if there is none of that name."""
    name = route.resource.named_by
    if name is None or route.id is None:
        return route
    kept = model.find(route.resource.kind, route.resource.parent_key, route.parent_id)
    named = [row[0] for row in (*kept, beside(model, route.resource, route.parent_id))
             if row is not None and getattr(row, name) == route.id]
    return route._replace(id=named[0]) if named else route


def beside(model: Any, resource: Resource, parent_id: str | None) -> Any:
    """The row that is made of the parent, or None."""
    parent = model.get(resource.parent, parent_id) if resource.besides is not None and parent_id is not None else None
    document = resource.besides.by(model, parent) if parent is not None and resource.besides is not None else None
    return None if document is None else model.make(resource.kind, document)


def check_kept(route: Route) -> None:
    """Conflict if what is to be changed is made of the parent."""
    resource = route.resource
    if resource.besides is not None and route.id == route.parent_id:
        raise Conflict(resource.besides.error, f"The {resource.name} {resource.besides.text}.")
