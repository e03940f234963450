"""The OpenAPI document says what is served: every path answers, every attribute that is shown is described."""
from __future__ import annotations

import http.client
import json
import re
from html.parser import HTMLParser

import jsonschema

from tests.kit.served import Client, served

KINDS = {"network": "networks", "subnet": "subnets", "port": "ports", "router": "routers", "security_group": "security-groups",
         "security_group_rule": "security-group-rules"}


def test_every_path_and_method_of_the_document_is_served_and_no_other_method_is(api):
    client = api.client()
    paths = client.get("/openapi.json")["paths"]
    assert {f"/v2.0/{path}" for path in KINDS.values()} <= set(paths)
    assert "/v2.0/routers/{id}/add_router_interface" in paths
    for path, said in paths.items():
        if "/quotas" in path or "_id}" in path:          # inside an object that is not there
            continue
        allowed = client.ask("OPTIONS", path.replace("{id}", "x")).headers["allow"].split(", ")
        assert {one.upper() for one in said if one != "parameters"} == set(allowed) - {"HEAD", "OPTIONS"}


def test_every_attribute_that_is_shown_is_described(api):
    client = api.client()
    schemas = client.get("/openapi.json")["components"]["schemas"]
    network = client.create("network")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    port = client.create("port", network_id=network["id"])
    router = client.create("router")
    group = client.get("/v2.0/security-groups")["security_groups"][0]
    shown = {"network": network, "subnet": subnet, "port": port, "router": router,
             "security_group": group, "security_group_rule": group["security_group_rules"][0]}
    for kind, one in shown.items():
        described = schemas[kind]["properties"]
        assert set(one) == set(described), kind
        for name, schema in described.items():
            assert schema["description"], (kind, name)


def test_it_is_for_those_who_may_ask():
    with served(tokens=True) as api:
        assert Client(api.port).ask("GET", "/openapi.json").status == 401
        assert api.client("eve").ask("GET", "/openapi.json").status == 200
        assert api.client("eve").ask("POST", "/openapi.json").status == 405


# ---- the page

class Page(HTMLParser):
    """What a page is made of: (element, attributes) each, its text, and whether every element is closed."""

    VOID = ("meta", "link", "br", "img", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def page(api, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    connection.request("GET", "/docs", headers=headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def test_a_page_says_the_same_to_people_without_anything_from_elsewhere(api):
    whole = api.client().get("/openapi.json")
    answer, text = page(api, Accept="text/html", **{"Sec-Fetch-Mode": "navigate"})
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/html; charset=UTF-8")
    assert answer.getheader("Content-Security-Policy").startswith("default-src 'none'")
    read = Page(text)
    assert read.open == [] and not {"script", "img", "iframe", "form"} & {tag for tag, _ in read.elements}
    for _, attributes in read.elements:
        assert (attributes.get("href") or "#").startswith(("#", "/", "data:,")) and "src" not in attributes
    ids = {attributes["id"] for _, attributes in read.elements if attributes.get("id")}
    assert {attributes["href"][1:] for _, attributes in read.elements if (attributes.get("href") or "").startswith("#")} <= ids
    for path, said in whole["paths"].items():
        assert path in read.words
        assert all(one["summary"] in read.words for verb, one in said.items() if verb != "parameters")
    for name in ("port_security_enabled", "allowed_address_pairs", "What its ports get if they do not say"):
        assert name in read.words


def test_the_page_is_for_everybody_and_only_to_be_read():
    with served(tokens=True) as api:
        assert page(api)[0].status == 200
        assert api.client("eve").ask("POST", "/docs").status == 405
        assert Client(api.port).ask("GET", "/docs/else").status == 401


# ---- the document as a document

def test_the_document_is_right_by_openapi_and_by_json_schema(api):
    whole = api.client().get("/openapi.json")
    for schema in whole["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = [one["operationId"] for path in whole["paths"].values() for verb, one in path.items() if verb != "parameters"]
    assert len(set(names)) == len(names) > 150
    for path, said in whole["paths"].items():
        assert {one["name"] for one in said.get("parameters", [])} == set(re.findall(r"{(.+?)}", path))
    assert set(re.findall(r"#/components/schemas/([\w-]+)", json.dumps(whole))) <= set(whole["components"]["schemas"])


def test_what_answers_show_is_as_the_document_says(api):
    client = api.client()
    whole = client.get("/openapi.json")
    network = client.create("network", dns_domain="x.")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    objects = {"network": network, "subnet": subnet, "port": client.create("port", network_id=network["id"]),
               "router": client.create("router"), "security_group": client.get("/v2.0/security-groups")["security_groups"][0],
               "address_group": client.create("address_group", addresses=["10.0.0.0/24"])}
    for name, one in objects.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
        assert [wrong.message for wrong in jsonschema.Draft202012Validator(schema).iter_errors(one)] == [], name
