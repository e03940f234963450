"""Bindings of ports over REST, as Nova uses them in a live migration."""
from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from tests.kit.openstack import connection
from tests.kit.served import TOKENS, Client, Served

SERVED = {"tokens": True}


@pytest.fixture(scope="module")
def client(admin: Client) -> Client:
    return admin


@pytest.fixture
def port(client: Client) -> dict[str, Any]:
    network = client.create("network", project_id="one")
    return dict(client.create("port", network_id=network["id"], project_id="one", binding__host_id="one"))


def test_a_port_has_bindings_on_two_hosts_and_one_is_activated(client: Client, port: dict[str, Any]) -> None:
    path = f"/v2.0/ports/{port['id']}/bindings"
    assert client.get(path)["bindings"] == [{"host": "one", "vif_type": "ovs", "vif_details": port["binding:vif_details"],
                                             "vnic_type": "normal", "profile": {}, "status": "ACTIVE"}]
    made = client.ask("POST", path, {"binding": {"host": "two", "profile": {"of": "two"}}})
    assert made.status == 201 and made.body["binding"] == {
        "host": "two", "vif_type": "ovs", "vif_details": port["binding:vif_details"], "vnic_type": "normal",
        "profile": {"of": "two"}, "status": "INACTIVE"}
    assert client.get(f"{path}/two")["binding"] == made.body["binding"]
    changed = client.ask("PUT", f"{path}/two", {"binding": {"profile": {"of": "three"}}})
    assert changed.body["binding"]["profile"] == {"of": "three"}
    activated = client.ask("PUT", f"{path}/two/activate")
    assert activated.status == 200 and activated.body["binding"]["status"] == "ACTIVE"
    now = client.get(f"/v2.0/ports/{port['id']}")["port"]
    assert (now["binding:host_id"], now["binding:profile"]) == ("two", {"of": "three"})
    assert now["revision_number"] > port["revision_number"]
    assert {one["host"]: one["status"] for one in client.get(path)["bindings"]} == {"one": "INACTIVE", "two": "ACTIVE"}
    assert [one["host"] for one in client.get(f"{path}?status=INACTIVE")["bindings"]] == ["one"]
    assert client.ask("DELETE", f"{path}/one").status == 204
    assert [one["host"] for one in client.get(path)["bindings"]] == ["two"]


def test_what_does_not_go_is_said_in_neutrons_words(client: Client, port: dict[str, Any]) -> None:
    path = f"/v2.0/ports/{port['id']}/bindings"

    def refused(method: str, place: str, body: Any = None) -> tuple[int, str]:
        answer = client.ask(method, place, body)
        return answer.status, answer.error["type"]

    assert refused("POST", path, {"binding": {"host": "one"}}) == (409, "PortBindingAlreadyExists")
    assert refused("PUT", f"{path}/one/activate") == (409, "PortBindingAlreadyActive")
    assert refused("DELETE", f"{path}/one") == (409, "PortBindingAlreadyActive")
    assert refused("PUT", f"{path}/one", {"binding": {"profile": {}}}) == (409, "PortBindingAlreadyActive")
    for method, place in (("GET", "two"), ("DELETE", "two"), ("PUT", "two/activate")):
        assert refused(method, f"{path}/{place}") == (404, "PortBindingNotFound")
    assert refused("POST", path, {"binding": {}})[0] == 400
    assert refused("POST", path, {"binding": {"host": ""}})[0] == 400
    assert refused("POST", path, {"binding": {"host": "two", "vnic_type": "direct"}})[0] == 501
    assert refused("PUT", f"{path}/one/activate", {"nonsense": {}})[0] == 400
    assert client.get(path)["bindings"] == [{**client.get(f"{path}/one")["binding"]}]


def test_bindings_are_for_administrators_and_services(api: Served, client: Client, port: dict[str, Any]) -> None:
    ann, path = api.client("ann"), f"/v2.0/ports/{port['id']}/bindings"
    client.ask("POST", path, {"binding": {"host": "two"}})
    assert ann.get(path)["bindings"] == []
    assert ann.ask("GET", f"{path}/one").status == ann.ask("DELETE", f"{path}/two").status == 404
    assert ann.ask("POST", path, {"binding": {"host": "three"}}).status == 403
    for host in ("one", "two"):
        assert ann.ask("PUT", f"{path}/{host}/activate").status == 404
    assert api.client("bob").ask("GET", path).status == 404


def test_openstacksdk_binds_activates_and_unbinds(api: Served, port: dict[str, Any]) -> None:
    with closing(connection(api.url, TOKENS["admin"])) as cloud:
        network = cloud.network
        made = network.create_port_binding(port["id"], host="two")
        assert (made.host, made.status) == ("two", "INACTIVE")
        network.activate_port_binding(port["id"], "two")
        assert {one.host: one.status for one in network.port_bindings(port["id"])} == {"one": "INACTIVE", "two": "ACTIVE"}
        network.delete_port_binding(port["id"], "one")
        assert [one.host for one in network.port_bindings(port["id"])] == ["two"]
