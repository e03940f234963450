"""Names of ports over REST: dns_name, dns_domain, dns_assignment, as Neutron has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.openstack import Openstack
from tests.kit.served import Client


def network(client: Client, **more: Any) -> dict[str, Any]:
    made = client.create("network", **more)
    client.create("subnet", network_id=made["id"], ip_version=4, cidr="10.0.0.0/24")
    return dict(made)


def test_a_port_has_a_name_in_the_domain_of_its_network(client: Client) -> None:
    on = network(client, dns_domain="Red.example.")
    assert on["dns_domain"] == "red.example."
    port = client.create("port", network_id=on["id"], dns_name="Web")
    ip = port["fixed_ips"][0]["ip_address"]
    assert port["dns_name"] == "web"
    assert port["dns_assignment"] == [{"ip_address": ip, "hostname": "web", "fqdn": "web.red.example."}]
    path = f"/v2.0/ports/{port['id']}"
    changed = client.ask("PUT", path, {"port": {"dns_name": ""}}).body["port"]
    default = f"host-{ip.replace('.', '-')}"
    assert changed["dns_assignment"] == [{"ip_address": ip, "hostname": default, "fqdn": f"{default}.red.example."}]
    client.ask("PUT", f"/v2.0/networks/{on['id']}", {"network": {"dns_domain": ""}})
    assert client.get(path)["port"]["dns_assignment"][0]["fqdn"] == f"{default}.openstacklocal."
    assert client.get("/v2.0/ports?dns_name=web")["ports"] == []


def test_a_port_may_have_a_domain_of_its_own(client: Client) -> None:
    on = network(client, dns_domain="red.example.")
    port = client.create("port", network_id=on["id"], dns_name="web", dns_domain="blue.example.")
    assert (port["dns_domain"], port["dns_assignment"][0]["fqdn"]) == ("blue.example.", "web.blue.example.")
    whole = client.create("port", network_id=on["id"], dns_name="db.red.example.")
    assert whole["dns_assignment"][0]["fqdn"] == "db.red.example."


def test_a_name_is_one_ports_in_a_network_or_one_machines(client: Client) -> None:
    one, other = network(client), network(client)
    client.create("port", network_id=one["id"], dns_name="web", device_id="vm1")
    client.create("port", network_id=other["id"], dns_name="web")
    client.create("port", network_id=one["id"], dns_name="web", device_id="vm1")
    for body in ({"dns_name": "web"}, {"dns_name": "WEB", "device_id": "vm2"}):
        refused = client.ask("POST", "/v2.0/ports", {"port": {"network_id": one["id"], **body}})
        assert (refused.status, refused.error["type"]) == (409, "DuplicateRecordSet")
        assert "web is duplicated" in refused.error["message"]
    third = client.create("port", network_id=one["id"])
    assert client.ask("PUT", f"/v2.0/ports/{third['id']}", {"port": {"dns_name": "web"}}).status == 409
    assert client.get(f"/v2.0/ports/{third['id']}")["port"]["dns_name"] == ""


@pytest.mark.parametrize(("body", "field"), [
    ({"dns_name": "-web"}, "dns_name"), ({"dns_name": "web.other."}, "dns_name"), ({"dns_domain": "example.org"}, "dns_domain"),
    ({"dns_name": "x." * 100 + "x", "dns_domain": "y." * 100}, "dns_name"), ({"dns_assignment": []}, "dns_assignment"),
    ({"dns_name": None}, "dns_name")])
def test_what_is_no_name_is_refused(client: Client, body: dict[str, Any], field: str) -> None:
    on = network(client)
    refused = client.ask("POST", "/v2.0/ports", {"port": {"network_id": on["id"], **body}})
    assert refused.status == 400 and refused.error["message"].startswith(f"{field}: ")


def test_names_that_only_a_dns_outside_could_have_are_refused_by_name(client: Client) -> None:
    refused = client.ask("POST", "/v2.0/floatingips", {"floatingip": {
        "floating_network_id": network(client)["id"], "dns_name": "web"}})
    assert refused.status == 501 and refused.error["message"].startswith("dns_name: ")
    refused = client.ask("POST", "/v2.0/subnets", {"subnet": {
        "network_id": network(client)["id"], "ip_version": 4, "cidr": "10.1.0.0/24", "dns_publish_fixed_ip": True}})
    assert refused.status == 501 and refused.error["message"].startswith("dns_publish_fixed_ip: ")


def test_the_openstack_command_names_ports(openstack: Openstack) -> None:
    openstack("network create named --dns-domain green.example.")
    openstack("subnet create named --network named --subnet-range 10.0.0.0/24")
    port = openstack("port create named --network named --dns-name web")
    assert port["dns_assignment"][0]["fqdn"] == "web.green.example." and port["dns_name"] == "web"
    openstack("port set named --dns-name www --dns-domain blue.example.")
    assert openstack("port show named")["dns_assignment"][0]["fqdn"] == "www.blue.example."
