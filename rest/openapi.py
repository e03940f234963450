"""The API as an OpenAPI 3.1 document, derived from the resources: what is served is what is described.

Each kind has up to three schemas: as it is shown (NAME; every attribute may be missing, for `fields` chooses), and as it
is created (NAME_create) and changed (NAME_update).
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from controller.resource import Action, Attribute, Rendering, Resource
from rest import quotas
from rest.render import dumps
from rest.routes import Routes
from rest.versions import VERSION

_ERROR = {"$ref": "#/components/responses/Error"}
_NO_FILTER = ("record", "json")
_TEXT = {"type": "string"}
_TAGS = {"type": "object", "required": ["tags"], "properties": {"tags": {"type": "array", "items": _TEXT}},
         "additionalProperties": False}


class Part(NamedTuple):
    """What a part of the API that is no kind of object says of itself: a name, what it is for, and its paths."""

    name: str
    description: str
    paths: Mapping[str, Any]


def document(resources: Mapping[str, Resource], root: str, parts: Iterable[Part] = ()) -> bytes:
    """The answer to `GET /openapi.json`."""
    return dumps(described(resources.values(), resources, root, parts))


def described(chosen: Iterable[Resource], resources: Mapping[str, Resource], root: str, parts: Iterable[Part] = ()) -> dict[str, Any]:
    """The document of some resources; `resources` are all, among which their parents are found. `parts` are further ones."""
    tags = {}
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"NeutronError": {"type": "object", "required": ["NeutronError"], "properties": {
        "NeutronError": {"type": "object", "required": ["type", "message", "detail"],
                         "properties": dict.fromkeys(("type", "message", "detail"), _TEXT)}}}}
    for resource in chosen:
        tags[word(resource)] = resource.description
        schemas.update(_schemas(resource))
        paths.update(_quotas(resource) if resource.kind == quotas.KIND else _paths(resource, _place(resource, resources)))
    for part in parts:
        tags[part.name] = part.description
        paths.update(part.paths)
    error = {"description": "What is wrong", "content": _json(_ref("NeutronError"))}
    return {"openapi": "3.1.0", "info": {"title": "Hadron", "version": "2.0"}, "servers": [{"url": root}],
            "tags": [{"name": name, "description": tags[name]} for name in sorted(tags)], "paths": paths,
            "components": {"schemas": schemas, "responses": {"Error": error}, "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}},
            "security": [{"token": []}]}


def operation(tag: str, id: str, summary: str, answers: Mapping[int, tuple[str, Mapping[str, Any]]],
              parameters: Mapping[str, tuple[str, Any]] = {}) -> dict[str, Any]:
    """One of a part. `answers`: status -> (what it means, {media type: schema}); `parameters` of the query: (text, schema)."""
    return {"summary": summary, "operationId": id, "tags": [tag],
            "parameters": [{"name": name, "in": "query", "description": text, "schema": schema}
                           for name, (text, schema) in parameters.items()],
            "responses": {**{str(status): {"description": text, **({"content": {type: {"schema": one} for type, one in content.items()}}
                                                                  if content else {})}
                             for status, (text, content) in answers.items()}, "default": _ERROR}}


def word(resource: Resource) -> str:
    """What a kind is called here: two may have one name in bodies, one of them inside another."""
    return resource.kind.rpartition(".")[2]


def in_path(name: str) -> dict[str, Any]:
    """A parameter of an address."""
    return {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "pattern": "^[^/\\x00-\\x1f\\x7f]+$"}}


def _place(resource: Resource, resources: Mapping[str, Resource]) -> str:
    """The path of a collection, with a parameter for its parent."""
    if resource.parent is None:
        return "/" + "/".join(Routes.prefix(resource))
    above = resources[resource.parent]
    return f"/{'/'.join(Routes.prefix(above))}/{{{above.name}_id}}/{resource.path}"


# -- schemas ----------------------------------------------------------------------------------------------------------

def _schemas(resource: Resource) -> dict[str, Any]:
    shown = {one.name: _property(one) for one in resource.shown(True)}
    found = {word(resource): {"type": "object", "description": resource.description, "properties": {
        **shown, **{alias: shown[name] for alias, name in resource.aliases.items() if name in shown}}}}
    if resource.fact:
        return found
    found[f"{word(resource)}_create"] = _body(resource, ("always", "create"), lambda one: one.required and not one.has_default)
    if any(one.settable in ("always", "update") for one in resource.attributes.values()):
        found[f"{word(resource)}_update"] = _body(resource, ("always", "update"), lambda one: False)
    return found


def _body(resource: Resource, settable: tuple[str, ...], required: Callable[[Attribute], bool]) -> dict[str, Any]:
    """What may be said of an object; nothing else is taken."""
    said = {one.name: one for one in resource.attributes.values() if one.settable in settable
            and (one.visible != "nobody" or one.serves is not None) and one.name != resource.parent_key}
    properties = {name: _property(one) for name, one in said.items()}
    properties.update({alias: properties[name] for alias, name in resource.aliases.items() if name in properties})
    needed = [name for name, one in said.items() if required(one) and name not in resource.aliases.values()]
    return {"type": "object", "description": resource.description, "properties": properties,
            "additionalProperties": False, **({"required": needed} if needed else {})}


def _property(attribute: Attribute) -> dict[str, Any]:
    schema = attribute.schema()
    if attribute.computed is not None:                       # what is worked out may be that there is nothing
        schema["nullable"] = True
    found: dict[str, Any] = _in_json_schema(schema)
    return found


def _in_json_schema(schema: Any) -> Any:
    """OpenAPI 3.1 is JSON Schema, which says null as one of the types."""
    if isinstance(schema, list):
        return [_in_json_schema(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    said = {word: _in_json_schema(value) for word, value in schema.items() if word != "nullable"}
    if schema.get("nullable") is True and isinstance(said.get("type"), str):
        said["type"] = [said["type"], "null"]
        if "enum" in said:
            said["enum"] = [*said["enum"], None]
    return said


# -- paths ------------------------------------------------------------------------------------------------------------

def _paths(resource: Resource, path: str) -> dict[str, Any]:
    many = {"get": _operation(resource, "List", f"{resource.plural} that fit", 200, _collection(resource), _filters(resource))}
    one = {"get": _operation(resource, "Show", f"The {resource.name}", 200, _member(resource))}
    if not resource.fact:
        many["post"] = _operation(resource, "Create", "What was created", 201, _created(resource)) | _asked(_creates(resource))
        if f"{word(resource)}_update" in _schemas(resource):
            one["put"] = _operation(resource, "Update", "What it is now", 200, _member(resource)) | _asked(
                _whole(resource.name, f"{word(resource)}_update"))
        one["delete"] = _operation(resource, "Delete", "It is gone", 204, None)
    inside = [in_path(part.strip("{}")) for part in path.split("/") if part.startswith("{")]
    id = [*inside, in_path("id")]
    below: dict[str, dict[str, Any]] = {name: {"put": _action(resource, each)} for name, each in resource.actions.items()}
    below |= {name: {"get": _rendering(resource, each)} for name, each in resource.renderings.items()}
    if "tags" in resource.attributes:
        below["tags"] = _tags(resource)
        below["tags/{tag}"] = {**_tag(resource), "parameters": [in_path("tag")]}
    return {path: {**many, "parameters": inside}, f"{path}/{{id}}": {**one, "parameters": id},
            **{f"{path}/{{id}}/{name}": {**said, "parameters": [*id, *said.get("parameters", [])]}
               for name, said in below.items()}}


def _operation(resource: Resource, verb: str, answer: str, status: int, schema: Any,
               parameters: list[Any] | None = None, what: str = "") -> dict[str, Any]:
    plural = resource.plural if resource.parent is None else f"{resource.path.replace('-', '_')}_of_{resource.parent}"
    what = what or (plural if verb == "List" else word(resource))
    return {"summary": f"{verb} {what}".replace("_", " "), "operationId": f"{verb.lower().replace(' ', '_')}_{what}",
            "tags": [word(resource)], **({"parameters": parameters} if parameters else {}),
            "responses": {str(status): {"description": answer, **({"content": _json(schema)} if schema else {})},
                          "default": _ERROR}}


def _tags(resource: Resource) -> dict[str, Any]:
    what = f"tags_of_{word(resource)}"
    return {"get": _operation(resource, "List", "Its tags", 200, _TAGS, what=what),
            "put": _operation(resource, "Replace", "Its tags", 200, _TAGS, what=what) | _asked(_TAGS),
            "post": _operation(resource, "Add", "Its tags", 200, _TAGS, what=what) | _asked(_TAGS),
            "delete": _operation(resource, "Delete all", "It has none", 204, None, what=what)}


def _tag(resource: Resource) -> dict[str, Any]:
    what = f"tag_of_{word(resource)}"
    return {"get": _operation(resource, "Check", "It has the tag", 204, None, what=what),
            "put": _operation(resource, "Add", "It has the tag", 201, None, what=what),
            "delete": _operation(resource, "Delete", "It does not have the tag", 204, None, what=what)}


def _rendering(resource: Resource, rendering: Rendering) -> dict[str, Any]:
    """A text made of an object."""
    asked = {"format": {"type": "string", "enum": list(rendering.formats)},
             **{name: _property(one) for name, one in rendering.asked.type.parts.items()}}
    return {"summary": rendering.description, "operationId": f"show_{word(resource)}_{rendering.name}",
            "tags": [word(resource)],
            "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in asked.items()],
            "responses": {"200": {"description": f"What is known of the {resource.name}", "content": {
                type: {"schema": {} if type == "application/json" else _TEXT} for type in rendering.formats.values()}},
                "default": _ERROR}}


def _action(resource: Resource, action: Action) -> dict[str, Any]:
    """Something that an object can do."""
    body = _in_json_schema(action.body.schema())
    if action.wrapped:
        body = _whole(resource.name, body)
    answer = _member(resource) if action.wrapped else {"type": "object"}
    return {"summary": action.description, "operationId": f"{action.name}_of_{word(resource)}", "tags": [word(resource)],
            "requestBody": {"required": True, "content": _json(body)},
            "responses": {"200": {"description": "What has been done", "content": _json(answer)}, "default": _ERROR}}


def _quotas(resource: Resource) -> dict[str, Any]:
    """Quotas have no ids of their own: each project has some."""
    limits = {name: {"type": "integer"} for name in resource.attributes if name != resource.key}
    one: dict[str, Any] = {"type": "object", "properties": limits}
    of = {"type": "object", "properties": {"quota": one}}
    details = {"type": "object", "properties": {"quota": {"type": "object", "additionalProperties": {
        "type": "object", "properties": {name: {"type": "integer"} for name in ("limit", "used", "reserved")}}}}}
    many = {"type": "object", "properties": {"quotas": {"type": "array", "items": one}}}
    project, path = [in_path("project_id")], f"/{VERSION}/{resource.path}"
    asked = _whole("quota", {**one, "additionalProperties": False, "properties": {
        **{name: {"type": ["integer", "null"], "minimum": -1, "maximum": 2**31 - 1} for name in limits},
        "project_id": _TEXT, "tenant_id": _TEXT, "check_limit": {"type": "boolean"}, "force": {"type": "boolean"}}})
    return {path: {"get": _operation(resource, "List", "Those that are not the default", 200, many)},
            f"{path}/{{project_id}}": {
                "get": _operation(resource, "Show", "The limits of a project", 200, of), "parameters": project,
                "put": _operation(resource, "Set", "The limits now", 200, of) | _asked(asked),
                "delete": _operation(resource, "Reset", "It has the default limits", 204, None)},
            f"{path}/{{project_id}}/default": {
                "get": _operation(resource, "Show default", "What a project has at first", 200, of), "parameters": project},
            f"{path}/{{project_id}}/details": {
                "get": _operation(resource, "Show use of", "Limits and what is used", 200, details), "parameters": project}}


# -- parameters and bodies --------------------------------------------------------------------------------------------

def _filters(resource: Resource) -> list[dict[str, Any]]:
    shown = [one for one in resource.attributes.values() if one.visible not in ("nobody", "asked")]
    found = {one.name: (one.description, _filter(one)) for one in shown if _filterable(one)}
    names = {"type": "string", "enum": [one.name for one in shown]}
    found |= {"fields": ("Attribute to show; may be repeated", names),
              "sort_key": ("Attribute to sort by; may be repeated", {**names, "enum": [
                  one.name for one in shown if one.type.name not in (*_NO_FILTER, "list")]}),
              "sort_dir": ("One for each sort_key", {"type": "string", "enum": ["asc", "desc"]})}
    single = {"limit": ("Objects on a page", {"type": "integer", "minimum": 0}),
              "marker": ("Last object of the page before", _TEXT),
              "page_reverse": ("Whether to go backwards", {"type": "boolean"})}
    return [*({"name": name, "in": "query", "description": text, "schema": {"type": "array", "items": schema}}
              for name, (text, schema) in found.items()),
            *({"name": name, "in": "query", "description": text, "schema": schema} for name, (text, schema) in single.items())]


def _filterable(attribute: Attribute) -> bool:
    item = attribute.type.item
    return attribute.type.name not in _NO_FILTER and not (item is not None and item.type.name == "json")


def _filter(attribute: Attribute) -> dict[str, Any]:
    """What a filter may say; text that cannot be a value finds nothing."""
    item = attribute.type.item
    if item is not None and item.type.name == "record":
        return {"type": "string", "pattern": f"^({'|'.join(item.type.parts)})(_substr)?=", "description": "PART=VALUE"}
    kind = (item or attribute).type.name
    return {"type": kind} if kind in ("boolean", "integer", "number") else _TEXT


def _asked(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": _json(schema)}}


def _creates(resource: Resource) -> dict[str, Any]:
    """One object or several at once."""
    schema = f"{word(resource)}_create"
    return {"oneOf": [_whole(resource.name, schema), _whole(resource.plural, {
        "type": "array", "minItems": 1, "items": _ref(schema)})]}


def _whole(name: str, schema: Any) -> dict[str, Any]:
    """A body with one member."""
    return {"type": "object", "required": [name], "additionalProperties": False,
            "properties": {name: _ref(schema) if isinstance(schema, str) else schema}}


def _member(resource: Resource) -> dict[str, Any]:
    return {"type": "object", "required": [resource.name], "properties": {resource.name: _ref(word(resource))}}


def _created(resource: Resource) -> dict[str, Any]:
    return {"type": "object", "properties": {resource.name: _ref(word(resource)), resource.plural: {
        "type": "array", "items": _ref(word(resource))}}}


def _collection(resource: Resource) -> dict[str, Any]:
    items = {"type": "array", "items": _ref(word(resource))}
    links = {"type": "array", "items": {"type": "object", "properties": {
        "rel": {"type": "string", "enum": ["next", "previous"]}, "href": {"type": "string", "format": "uri"}}}}
    return {"type": "object", "required": [resource.plural],
            "properties": {resource.plural: items, f"{resource.plural}_links": links}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
