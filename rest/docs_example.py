"""A command for each operation of an OpenAPI document, to be copied: curl with as small a body as makes sense."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BY_FORMAT = {"cidr": "10.0.0.0/24", "ip": "10.0.0.5", "mac": "fa:16:3e:00:00:05", "date-time": "2030-01-01T00:00:00Z"}
_BY_TYPE: dict[str, Any] = {"boolean": True, "array": [], "object": {}, "null": None}


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema says, wherever it is said; of several, the first."""
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif "oneOf" in schema:
            schema = schema["oneOf"][0]
        else:
            return schema


def command(verb: str, path: str, body: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> str:
    """What a shell takes: variables stand for where Hadron is, for the token, and for the ids of objects."""
    where = re.sub(r"{(\w+)}", lambda name: f"${name[1].upper()}", path)
    said = "" if verb == "get" else f"-X {verb.upper()} "
    curl = f'curl -sS {said}"$HADRON_URL{where}" -H "X-Auth-Token: $HADRON_TOKEN"'
    if body is None:
        return curl
    return f'{curl} \\\n  -H "Content-Type: application/json" -d @- <<END\n{json.dumps(_value("", body, schemas))}\nEND'


def _value(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A right value, as far as the schema says what is right."""
    schema = resolved(schema, schemas)
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object" and "properties" in schema:
        return {each: _value(each, schema["properties"][each], schemas) for each in _said(schema)}
    if kind == "array" and "items" in schema:
        return [_value(name.removesuffix("s"), schema["items"], schemas)]
    if kind in ("integer", "number"):
        return schema.get("default", schema.get("minimum", 1))
    if kind in _BY_TYPE:
        return schema.get("default", _BY_TYPE[kind])
    if schema.get("format") == "uuid" or name.endswith("_id"):
        return f"${name.upper()}"
    return schema.get("default") or _BY_FORMAT.get(schema.get("format", ""), "example")


def _said(schema: Mapping[str, Any]) -> list[str]:
    """What an example says: what must be said, a name, and of what there are addresses of the first of them."""
    properties, needed = schema["properties"], list(schema.get("required", ()))
    found = [name for name in properties if name in needed or name == "name"]
    blocks = [name for name, said in properties.items() if said.get("format") == "cidr"]
    return [*found, *(name for name in blocks[:1] if name not in found)] or list(properties)[:1]
