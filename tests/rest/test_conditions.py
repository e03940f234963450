"""Conditions of writes and tags, as clients put them on the wire: `If-Match`, and tags of any characters."""
from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.kit.served import Client


@pytest.fixture
def network(client: Client) -> dict[str, Any]:
    return client.create("network", name="red")


def where(network: dict[str, Any], more: str = "") -> str:
    return f"/v2.0/networks/{network['id']}{more}"


@pytest.mark.parametrize("form", ["revision_number={}", '"revision_number={}"', " revision_number={} ", "*"])
def test_a_change_of_the_revision_that_is_meant_is_made(client: Client, network: dict[str, Any], form: str) -> None:
    now = form.format(network["revision_number"])
    assert client.ask("PUT", where(network), {"network": {"name": "blue"}}, If_Match=now).body["network"]["name"] == "blue"


VERBS = {"update": ("PUT", "", {"network": {"name": "blue"}}), "delete": ("DELETE", "", None), "tag": ("PUT", "/tags/new", None),
         "tags": ("PUT", "/tags", {"tags": ["new"]}), "untag": ("DELETE", "/tags", None)}


@pytest.mark.parametrize("verb", VERBS)
def test_a_change_of_another_revision_is_412_and_changes_nothing(client: Client, network: dict[str, Any], verb: str) -> None:
    method, more, body = VERBS[verb]
    client.ask("PUT", where(network, "/tags/old"))
    before = client.get(where(network))
    for other in (before["network"]["revision_number"] + 1, 10**17):
        answer = client.ask(method, where(network, more), body, If_Match=f"revision_number={other}")
        assert (answer.status, answer.body["NeutronError"]["type"]) == (412, "RevisionNumberConstraintFailed")
    assert client.get(where(network)) == before
    now = f"revision_number={before['network']['revision_number']}"
    assert client.ask(method, where(network, more), body, If_Match=now).status in (200, 201, 204)


@pytest.mark.parametrize("text", ["", "1", "revision_number=", "revision_number=-1", "revision_number=1.0", "revision_number=x",
                                  "revision_number=1, revision_number=2", 'W/"revision_number=0"', "revision_number=" + "9" * 40,
                                  "revision_number=\u0661".encode().decode("latin-1")])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_no_condition_is_400_and_changes_nothing(client: Client, network: dict[str, Any], method: str, text: str) -> None:
    before = client.get(where(network))
    answer = client.ask(method, where(network), {"network": {"name": "blue"}} if method == "PUT" else None, If_Match=text)
    assert answer.status == 400 and "If-Match" in answer.body["NeutronError"]["message"]
    assert client.get(where(network)) == before


def test_revisions_count_changes_and_those_of_what_an_object_consists_of(client: Client, network: dict[str, Any]) -> None:
    def revision() -> int:
        return int(client.get(where(network))["network"]["revision_number"])

    first = revision()
    client.ask("PUT", where(network), {"network": {"name": "red"}})             # what it is called already
    assert revision() == first
    client.ask("PUT", where(network), {"network": {"name": "blue"}})
    assert revision() == first + 1
    subnet = client.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    assert revision() == first + 2
    client.ask("DELETE", f"/v2.0/subnets/{subnet['id']}")
    assert revision() == first + 3


TAGS = ["a b", "a/b", "a?b", "a#b", "a%b", "a+b", "a&b=c", "..", ".", "tags", "a.json", "é", "日本", "\U0001f600", '"', "<b>", "x" * 255]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_may_hold_any_characters_but_commas_and_control_characters(client: Client, network: dict[str, Any], tag: str) -> None:
    path = where(network, f"/tags/{quote(tag, safe='')}")
    assert client.ask("PUT", path).status == 201 and client.ask("PUT", path).status == 201
    assert client.get(where(network, "/tags")) == {"tags": [tag]}
    assert client.ask("GET", path).status == 204
    found = client.get(f"/v2.0/networks?tags={quote(tag, safe='')}&id={network['id']}")["networks"]
    assert [one["tags"] for one in found] == [[tag]]
    assert client.ask("DELETE", path).status == 204 and client.ask("DELETE", path).status == 404


@pytest.mark.parametrize("tag", ["a,b", ",", "a\nb", "a\0b", "\x7f", "x" * 256])
def test_other_tags_are_400_and_change_nothing(client: Client, network: dict[str, Any], tag: str) -> None:
    assert client.ask("PUT", where(network, f"/tags/{quote(tag, safe='')}")).status == 400
    for method in ("PUT", "POST"):
        assert client.ask(method, where(network, "/tags"), {"tags": ["fine", tag]}).status == 400
    assert client.get(where(network, "/tags")) == {"tags": []}


def test_project_id_and_tenant_id_in_a_query_must_both_hold(client: Client, network: dict[str, Any]) -> None:
    own = network["project_id"]
    for query, count in ((f"project_id={own}&tenant_id={own}", 1), (f"project_id={own}&tenant_id=other", 0),
                         (f"project_id={own}&project_id=other", 1)):
        assert len(client.get(f"/v2.0/networks?id={network['id']}&{query}")["networks"]) == count
