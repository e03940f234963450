"""The API as a page to read: `/docs`, made of the same document as `/openapi.json`, of nothing but HTML and a style.

It says what the model files of the product declare and nothing of any cloud, so a browser needs no token to see it.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from controller.resource import Resource
from rest.openapi import described

HEADERS = (("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
           ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222;background:#fff}
h1,h2,h3{line-height:1.2}nav a{display:inline-block;margin:0 .8rem .2rem 0}code{font-family:ui-monospace,monospace}
section{border-top:1px solid #ccc;margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eee}
td:first-child{white-space:nowrap}.verb{font-weight:bold;min-width:4.5rem}details{margin:.4rem 0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8bf}td,th{border-color:#333}}"""


def page(resources: Mapping[str, Resource]) -> bytes:
    """The answer to `GET /docs`: every kind that is part of the product."""
    own = [one for one in resources.values() if not one.proton]
    whole = described(own, resources, "")
    sections = [_section(one, whole) for one in sorted(own, key=lambda one: one.name)]
    links = "".join(f'<a href="#{escape(one.name)}">{escape(_words(one.name))}</a>' for one in sorted(own, key=lambda one: one.name))
    text = (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hadron: the API</title>'
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>Hadron: the API</h1>'
            f'<p>Every request carries its token in <code>X-Auth-Token</code>; bodies are JSON. Errors are '
            f'<code>{{"NeutronError": {{"type", "message", "detail"}}}}</code>. For programs: <a href="/openapi.json">'
            f'<code>/openapi.json</code></a>.</p><nav aria-label="Kinds">{links}</nav><main>{"".join(sections)}</main></body></html>')
    return text.encode()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _section(resource: Resource, whole: Mapping[str, Any]) -> str:
    """One kind: what can be done, and what it has."""
    doing = [(verb.upper(), path, said["summary"]) for path, one in whole["paths"].items() for verb, said in one.items()
             if verb != "parameters" and said["tags"] == [resource.name]]
    rows = "".join(f'<tr><td class="verb">{verb}</td><td><code>{escape(path)}</code></td><td>{escape(summary)}</td></tr>'
                   for verb, path, summary in doing)
    name = escape(resource.name)
    return (f'<section id="{name}"><h2>{escape(_words(resource.name))}</h2><p>{escape(resource.description)}</p>'
            f'<table><thead><tr><th>verb</th><th>address</th><th>what</th></tr></thead><tbody>{rows}</tbody></table>'
            f'<details><summary>attributes</summary>{_attributes(resource, whole["components"]["schemas"])}</details></section>')


def _attributes(resource: Resource, schemas: Mapping[str, Any]) -> str:
    shown, created, changed = (schemas.get(resource.name + part, {}) for part in ("", "_create", "_update"))
    needed = created.get("required", ())
    names = dict.fromkeys([*shown["properties"], *created.get("properties", ()), *changed.get("properties", ())])
    rows = []
    for name in names:
        schema = next(one["properties"][name] for one in (shown, created, changed) if name in one.get("properties", ()))
        uses = [word for word, yes in (("shown", name in shown["properties"]), ("required", name in needed),
                                       ("set", name in created.get("properties", ()) and name not in needed),
                                       ("changed", name in changed.get("properties", ()))) if yes]
        rows.append(f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(schema))}</td><td>{', '.join(uses)}</td>"
                    f"<td>{escape(schema.get('description', ''))}</td></tr>")
    return (f"<table><thead><tr><th>attribute</th><th>type</th><th>is</th><th>what</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>")


def _type(schema: Mapping[str, Any]) -> str:
    """A kind of value in a few words."""
    if "enum" in schema:
        return " | ".join("null" if one is None else str(one) for one in schema["enum"])
    said = schema.get("type", "anything")
    kinds: Iterable[str] = [said] if isinstance(said, str) else said
    words = " or ".join(kinds)
    limits = [f"{sign} {schema[word]}" for word, sign in (("minimum", "≥"), ("maximum", "≤")) if word in schema]
    return f"{words} {' '.join(limits)}".strip()
