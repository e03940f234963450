"""The API as an OpenAPI 3.1 document, derived from the resources: what is served is what is described."""
from collections.abc import Mapping
from typing import Any

from controller.resource import Action, Attribute, Rendering, Resource
from rest.render import dumps
from rest.routes import Routes

_ERROR = {"$ref": "#/components/responses/Error"}
_LISTS = {"fields": "Attribute to show; may be repeated", "sort_key": "Attribute to sort by; may be repeated",
          "sort_dir": "asc or desc, one for each sort_key", "limit": "Objects on a page", "marker": "Last object of the page before",
          "page_reverse": "Whether to go backwards"}
_NO_FILTER = ("record", "json")


def document(resources: Mapping[str, Resource], root: str) -> bytes:
    """The answer to `GET /openapi.json`."""
    paths: dict[str, Any] = {}
    for resource in resources.values():
        if resource.parent is None:
            paths.update(_paths(resource, "/" + "/".join(Routes.prefix(resource))))
    for resource in resources.values():
        if resource.parent is not None:
            above = resources[resource.parent]
            paths.update(_paths(resource, f"/{'/'.join(Routes.prefix(above))}/{{{above.name}_id}}/{resource.path}"))
    schemas = {one.name: _schema(one) for one in resources.values()}
    schemas["NeutronError"] = {"type": "object", "properties": {"NeutronError": {
        "type": "object", "required": ["type", "message", "detail"],
        "properties": {name: {"type": "string"} for name in ("type", "message", "detail")}}}}
    error = {"description": "What is wrong", "content": _json({"$ref": "#/components/schemas/NeutronError"})}
    return dumps({"openapi": "3.1.0", "info": {"title": "Hadron", "version": "2.0"}, "servers": [{"url": root}], "paths": paths,
                  "components": {"schemas": schemas, "responses": {"Error": error}, "securitySchemes": {
                      "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}},
                  "security": [{"token": []}]})


def _schema(resource: Resource) -> dict[str, Any]:
    """An object as it is shown; `readOnly` for what a client cannot set."""
    shown = {name: one for name, one in resource.attributes.items() if one.visible in ("everyone", "admin", "asked")}
    return {**resource.schema(), "properties": {name: _property(one, one.schema()) for name, one in shown.items()}}


def _property(attribute: Attribute, schema: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.1 is JSON Schema, which says null as one of the types."""
    said = {word: value for word, value in schema.items() if word != "nullable"}
    if attribute.nullable and isinstance(said.get("type"), str):
        said["type"] = [said["type"], "null"]
        if "enum" in said:
            said["enum"] = [*said["enum"], None]
    return {**said, "writeOnly": True} if attribute.visible == "asked" else said


def _paths(resource: Resource, path: str) -> dict[str, Any]:
    many = {"get": _operation(resource, "List", f"{resource.plural} that fit", 200, _collection(resource), _filters(resource))}
    one = {"get": _operation(resource, "Show", f"The {resource.name}", 200, _member(resource))}
    if not resource.fact:
        many["post"] = _operation(resource, "Create", "What was created", 201, _member(resource)) | _body(resource)
        if any(each.settable in ("always", "update") for each in resource.attributes.values()):
            one["put"] = _operation(resource, "Update", "What it is now", 200, _member(resource)) | _body(resource)
        one["delete"] = _operation(resource, "Delete", "It is gone", 204, None)
    inside = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for part in path.split("/") if part.startswith("{") for name in (part.strip("{}"),)]
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    actions = {f"{path}/{{id}}/{name}": {"put": _action(resource, each), "parameters": [*inside, id]}
               for name, each in resource.actions.items()}
    renderings = {f"{path}/{{id}}/{name}": {"get": _rendering(resource, each), "parameters": [*inside, id]}
                  for name, each in resource.renderings.items()}
    return {path: {**many, "parameters": inside}, f"{path}/{{id}}": {**one, "parameters": [*inside, id]}, **actions,
            **renderings}


def _rendering(resource: Resource, rendering: Rendering) -> dict[str, Any]:
    """A text made of an object."""
    asked = {"format": {"type": "string", "enum": list(rendering.formats)},
             **{name: one.schema() for name, one in rendering.asked.type.parts.items()}}
    return {"summary": rendering.description, "operationId": f"show_{resource.name}_{rendering.name}",
            "tags": [resource.name],
            "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in asked.items()],
            "responses": {"200": {"description": f"What is known of the {resource.name}", "content": {
                type: {"schema": {"type": "string"}} for type in rendering.formats.values()}}, "default": _ERROR}}


def _action(resource: Resource, action: Action) -> dict[str, Any]:
    """Something that an object can do."""
    body = action.body.schema()
    if action.wrapped:
        body = {"type": "object", "properties": {resource.name: body}}
    answer = _member(resource) if action.wrapped else {"type": "object"}
    return {"summary": action.description, "operationId": action.name, "tags": [resource.name],
            "requestBody": {"required": True, "content": _json(body)},
            "responses": {"200": {"description": "What has been done", "content": _json(answer)}, "default": _ERROR}}


def _operation(resource: Resource, verb: str, answer: str, status: int, schema: Any, parameters: list | None = None) -> dict[str, Any]:
    what = resource.plural if verb == "List" else resource.name
    return {"summary": f"{verb} {what}", "operationId": f"{verb.lower()}_{what}", "tags": [resource.name],
            **({"parameters": parameters} if parameters else {}),
            "responses": {str(status): {"description": answer, **({"content": _json(schema)} if schema else {})},
                          "default": _ERROR}}


def _filters(resource: Resource) -> list[dict[str, Any]]:
    found = {name: one.description for name, one in resource.attributes.items()
             if one.visible not in ("nobody", "asked") and one.type.name not in _NO_FILTER}
    return [{"name": name, "in": "query", "description": text, "schema": {"type": "array", "items": {"type": "string"}}}
            for name, text in {**found, **_LISTS}.items()]


def _body(resource: Resource) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": _json(_member(resource))}}


def _member(resource: Resource) -> dict[str, Any]:
    return {"type": "object", "properties": {resource.name: {"$ref": f"#/components/schemas/{resource.name}"}}}


def _collection(resource: Resource) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{resource.name}"}}
    links = {"type": "array", "items": {"type": "object", "properties": {
        "rel": {"type": "string", "enum": ["next", "previous"]}, "href": {"type": "string", "format": "uri"}}}}
    return {"type": "object", "properties": {resource.plural: items, f"{resource.plural}_links": links}}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
