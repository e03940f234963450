"""The API as a page to read: `/docs`, made of the same document as `/openapi.json`, of nothing but HTML and a style.

It says what the model files of the product declare and nothing of any cloud, so a browser needs no token to see it. There
is no script in it: what opens is HTML's own, and what can be tried is a command to be copied.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from rest.docs_example import command, resolved

HEADERS = (("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"),
           ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_STYLE = """:root{color-scheme:light dark;--ink:#222;--faint:#575757;--paper:#fff;--line:#d0d0d0;--box:#f3f4f6;--link:#0b4fb3;
--get:#0b5a94;--post:#1b6b2f;--put:#7d4a00;--delete:#a3212b}
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--faint:#a8a8a8;--paper:#181818;--line:#3c3c3c;--box:#242628;--link:#8bf;
--get:#7cc0f5;--post:#7fd096;--put:#f0b45f;--delete:#ff9aa0}}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:var(--ink);background:var(--paper)}
a{color:var(--link)}h1,h2,h3{line-height:1.2}nav a{display:inline-block;margin:0 .8rem .2rem 0}nav h2{font-size:1rem;margin:1rem 0 .2rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
pre{background:var(--box);padding:.6rem .8rem;overflow-x:auto;white-space:pre-wrap}.faint{color:var(--faint)}
section{border-top:1px solid var(--line);margin-top:2rem;scroll-margin-top:.5rem}section:target h2,details:target>summary{background:var(--box)}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line)}
details{margin:.2rem 0}details[open]{border-left:3px solid var(--line);padding-left:.8rem}
summary{cursor:pointer;padding:.15rem .3rem}summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.verb{display:inline-block;min-width:4.2rem;font:bold .9em ui-monospace,monospace}
.get{color:var(--get)}.post{color:var(--post)}.put{color:var(--put)}.delete{color:var(--delete)}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}"""
_BEGINNING = """<p>Neutron's Networking API v2.0, and beside it what Hadron has of its own. Bodies are JSON. Every request carries a
token in <code>X-Auth-Token</code>: one of Keystone's, one that Hadron gave (<code>POST /v3/auth/tokens</code> on port 35357), or
one of the configuration's, as <code>auth</code> there says. What is refused is answered
<code>{"NeutronError": {"type", "message", "detail"}}</code>, where the message names what is wrong and what to do.</p>
<p>Each operation below opens, and has a command that does it. The commands take from the environment where Hadron is, on whose
behalf they ask, and the objects that they name:</p>
<pre>export HADRON_URL=http://127.0.0.1:9696 HADRON_TOKEN=…</pre>
<p>For programs: <a href="/openapi.json"><code>/openapi.json</code></a> (OpenAPI 3.1).</p>"""
_CHAPTERS = ("What can be asked for", "What belongs to another object", "What is told and cannot be written")


class Operation(NamedTuple):
    """Something that can be done: which verb at which address, and what the document says of it; `within` are the
    parameters of the address."""

    verb: str
    path: str
    said: Mapping[str, Any]
    within: tuple[Mapping[str, Any], ...]


def page(document: Mapping[str, Any]) -> bytes:
    """The answer to `GET /docs`: all that an OpenAPI document says."""
    doing = _operations(document)
    sections = [_section(tag, doing[tag["name"]], document["components"]["schemas"]) for tag in document["tags"]]
    text = (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hadron: the API</title>'
            f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
            f'<a class="skip" href="#begin">To the first operation</a><h1>Hadron: the API</h1>{_BEGINNING}'
            f'<nav aria-label="Kinds">{_contents(doing)}</nav><main id="begin">{"".join(sections)}</main></body></html>')
    return text.encode()


def _operations(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """By tag, in the order of the tags."""
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, one in document["paths"].items():
        for verb, said in one.items():
            if verb != "parameters":
                found[said["tags"][0]].append(Operation(verb, path, said, tuple(one.get("parameters", ()))))
    return found


def _contents(doing: Mapping[str, list[Operation]]) -> str:
    chapters: dict[str, list[str]] = {name: [] for name in _CHAPTERS}
    for tag, operations in doing.items():
        written = any(one.verb != "get" for one in operations)
        inside = any("{" in one.path.partition("/{id}")[0] for one in operations) and all(one.path.count("{") for one in operations)
        chapters[_CHAPTERS[1 if inside and written else 0 if written else 2]].append(
            f'<a href="#{escape(tag)}">{escape(_words(tag))}</a>')
    return "".join(f"<h2>{name}</h2>{''.join(links)}" for name, links in chapters.items() if links)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _section(tag: Mapping[str, str], doing: Iterable[Operation], schemas: Mapping[str, Any]) -> str:
    """One kind: what can be done, and what it has."""
    name = escape(tag["name"])
    shown = f"<details><summary>What one has</summary>{_attributes(tag['name'], schemas)}</details>" if tag["name"] in schemas else ""
    return (f'<section id="{name}"><h2>{escape(_words(tag["name"]))}</h2><p>{escape(tag.get("description", ""))}</p>'
            f'{"".join(_operation(one, schemas) for one in doing)}{shown}</section>')


def _operation(one: Operation, schemas: Mapping[str, Any]) -> str:
    """One operation, which opens: what it takes, what it answers, and a command that does it."""
    body = one.said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    its = schemas.get(one.said["tags"][0], {}).get("properties", {})
    asked = [*one.within, *one.said.get("parameters", ())]
    filters = [each["name"] for each in asked if each["in"] == "query" and each["name"] in its]
    asked = [each for each in asked if each["name"] not in filters or each["in"] == "path"]
    parts = [f"<pre>{escape(command(one.verb, one.path, body, schemas))}</pre>"]
    if body is not None:
        parts.append(_table(("in the body", "type", "", "what"), _body(body, schemas)))
    if asked:
        parts.append(_table(("in the address", "type", "", "what"), (
            (each["name"], _asked(each["schema"].get("items", each["schema"]), its), "required" if each.get("required") else "",
             each.get("description", "")) for each in asked)))
    if filters:
        parts.append(f"<p>Filters: {', '.join(f'<code>{escape(name)}</code>' for name in filters)}.</p>")
    answers = ", ".join(f"<code>{status}</code> {escape(said['description'])}"
                        for status, said in one.said["responses"].items() if status != "default")
    return (f'<details id="{escape(one.said["operationId"])}"><summary><span class="verb {one.verb}">{one.verb.upper()}</span> '
            f'<code>{escape(one.path)}</code> <span class="faint">{escape(one.said["summary"])}</span></summary>'
            f'<p>Answers {answers}; or else an error.</p>{"".join(parts)}</details>')


def _body(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The rows of a body's table: what is inside of the one object that it has, or else all of it."""
    whole = resolved(schema, schemas)
    inner = [resolved(one, schemas) for one in whole.get("properties", {}).values()]
    if len(inner) == 1 and "properties" in inner[0]:
        whole = inner[0]
    for name, said in whole.get("properties", {}).items():
        yield name, _type(said), "required" if name in whole.get("required", ()) else "", said.get("description", "")


def _attributes(name: str, schemas: Mapping[str, Any]) -> str:
    """What an object has, and which of it can be set."""
    shown, created, changed = (schemas.get(name + part, {}).get("properties", {}) for part in ("", "_create", "_update"))
    needed = schemas.get(f"{name}_create", {}).get("required", ())
    rows = []
    for each, said in {**changed, **created, **shown}.items():
        uses = [word for word, yes in (("shown", each in shown), ("required", each in needed),
                                       ("set", each in created and each not in needed), ("changed", each in changed)) if yes]
        rows.append((each, _type(said), ", ".join(uses), said.get("description", "")))
    return _table(("attribute", "type", "is", "what"), rows)


def _table(heads: Iterable[str], rows: Iterable[tuple[str, str, str, str]]) -> str:
    lines = "".join(f"<tr><td><code>{escape(name)}</code></td>{''.join(f'<td>{escape(one)}</td>' for one in more)}</tr>"
                    for name, *more in rows)
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>' if lines else ""


def _asked(schema: Mapping[str, Any], its: Mapping[str, Any]) -> str:
    """What a parameter says: a kind of value, or which attribute is meant."""
    return "an attribute" if len(schema.get("enum", ())) > 1 and its.keys() >= set(schema["enum"]) else _type(schema)


def _type(schema: Mapping[str, Any]) -> str:
    """A kind of value in a few words."""
    if "enum" in schema:
        return " | ".join("null" if one is None else str(one) for one in schema["enum"])
    said = schema.get("type", "anything")
    kinds: Iterable[str] = [said] if isinstance(said, str) else said
    words = " or ".join(schema.get("format", one) if one == "string" else one for one in kinds)
    limits = [f"{sign} {schema[word]}" for word, sign in (("minimum", "≥"), ("maximum", "≤")) if word in schema]
    return f"{words} {' '.join(limits)}".strip()
