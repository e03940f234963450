"""`GET /v2.0/ports/ID/network-config`: formats by name and by Accept, for whoever may see the port."""

from __future__ import annotations

import http.client
import json
from typing import NamedTuple

import pytest
import yaml

from tests.kit.served import TOKENS, Served

SERVED = {"tokens": True}


class Text(NamedTuple):
    status: int
    type: str
    text: str


@pytest.fixture(scope="module")
def port(api: Served) -> str:
    ann = api.client("ann")
    network = ann.create("network")["id"]
    ann.create("subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24", dns_nameservers=["192.0.2.1"])
    return str(ann.create("port", network_id=network)["id"])


def get(api: Served, port: str, query: str = "", *, who: str = "ann", verb: str = "GET", accept: str = "") -> Text:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    headers = {"X-Auth-Token": TOKENS[who], **({"Accept": accept} if accept else {})}
    connection.request(verb, f"/v2.0/ports/{port}/network-config{query}", headers=headers)
    answer = connection.getresponse()
    return Text(answer.status, answer.headers.get_content_type(), answer.read().decode())


def test_each_format_is_given_by_name_with_its_type(api: Served, port: str) -> None:
    one = get(api, port, "?format=cloud-init")
    assert (one.status, one.type) == (200, "application/yaml") and yaml.safe_load(one.text)["version"] == 2
    assert get(api, port) == one
    assert yaml.safe_load(get(api, port, "?format=netplan").text)["network"]["version"] == 2
    data = get(api, port, "?format=network-data")
    assert (data.status, data.type) == (200, "application/json")
    assert json.loads(data.text)["links"][0]["vif_id"] == port
    debian = get(api, port, "?format=interfaces&device=ens3")
    assert (debian.status, debian.type) == (200, "text/plain") and "\niface ens3 inet static\n" in debian.text


@pytest.mark.parametrize(("accept", "format"), [
    ("application/json", "network-data"), ("text/plain", "interfaces"), ("text/plain;q=0.5, application/yaml", "cloud-init"),
    ("*/*", "cloud-init"), ("text/*;q=0.9, image/png", "interfaces"), ("application/*", "cloud-init")])
def test_a_format_is_given_by_what_is_accepted(api: Served, port: str, accept: str, format: str) -> None:
    assert get(api, port, accept=accept) == get(api, port, f"?format={format}")


def test_what_nobody_accepts_is_not_acceptable(api: Served, port: str) -> None:
    refused = get(api, port, accept="image/png")
    assert refused.status == 406 and "application/yaml" in refused.text


@pytest.mark.parametrize("query", ["?format=toml", "?device=", "?device=eth0%0aup%20reboot", "?device=../../x", "?colour=red",
                                   "?format=netplan&format=netplan", "?fields=id", "?device=a-very-long-name"])
def test_a_wrong_parameter_is_refused_with_its_name(api: Served, port: str, query: str) -> None:
    refused = get(api, port, query)
    assert refused.status == 400
    message = json.loads(refused.text)["NeutronError"]["message"]
    assert message.partition(":")[0] in (query[1:].partition("=")[0], "query")


def test_it_is_for_whoever_may_see_the_port(api: Served, port: str) -> None:
    assert {who: get(api, port, who=who).status for who in ("ann", "rob", "admin", "bob", "eve")} == {
        "ann": 200, "rob": 200, "admin": 200, "bob": 404, "eve": 404}
    assert get(api, "00000000-0000-4000-8000-000000000000").status == 404


def test_it_can_only_be_read(api: Served, port: str) -> None:
    for verb in ("PUT", "POST", "DELETE"):
        assert get(api, port, verb=verb).status == 405
    assert get(api, port, verb="HEAD") == Text(200, "application/yaml", "")
    assert get(api, port, verb="OPTIONS").status == 204


def test_it_is_described(api: Served) -> None:
    described = api.client("ann").get("/openapi.json")["paths"]["/v2.0/ports/{id}/network-config"]["get"]
    assert [one["name"] for one in described["parameters"]] == ["format", "device"]
