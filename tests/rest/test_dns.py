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


def external(client: Client) -> dict[str, Any]:
    made = client.create("network", provider__network_type="flat", provider__physical_network="wan", router__external=True)
    client.create("subnet", network_id=made["id"], ip_version=4, cidr="203.0.113.0/24")
    return dict(made)


def test_a_floating_ip_has_a_name(client: Client) -> None:
    outside = external(client)["id"]
    made = client.create("floatingip", floating_network_id=outside, dns_name="WWW", dns_domain="acme.example.")
    assert (made["dns_name"], made["dns_domain"]) == ("www", "acme.example.")
    assert [one["id"] for one in client.get("/v2.0/floatingips?dns_name=www")["floatingips"]] == [made["id"]]
    for body, status, words in (({"dns_name": "www", "dns_domain": "acme.example."}, 409, "dns_name: name www is duplicated"),
                                ({"dns_domain": "acme.example."}, 400, "dns_domain: is the domain of a name"),
                                ({"dns_name": "_"}, 400, "dns_name: ")):
        refused = client.ask("POST", "/v2.0/floatingips", {"floatingip": {"floating_network_id": outside, **body}})
        assert refused.status == status and refused.error["message"].startswith(words)
    assert client.ask("PUT", f"/v2.0/floatingips/{made['id']}", {"floatingip": {"dns_name": "web"}}).status == 400


def test_names_on_a_subnet_may_be_known_everywhere(client: Client) -> None:
    on = network(client)
    made = client.create("subnet", network_id=on["id"], ip_version=4, cidr="10.1.0.0/24", dns_publish_fixed_ip=True)
    assert made["dns_publish_fixed_ip"] is True
    (other,) = client.get(f"/v2.0/subnets?network_id={on['id']}&dns_publish_fixed_ip=false")["subnets"]
    path = f"/v2.0/subnets/{other['id']}"
    assert client.ask("PUT", path, {"subnet": {"dns_publish_fixed_ip": True}}).body["subnet"]["dns_publish_fixed_ip"] is True


def test_the_openstack_command_names_ports_and_floating_ips(openstack: Openstack) -> None:
    openstack("network create named --dns-domain green.example.")
    openstack("subnet create named --network named --subnet-range 10.0.0.0/24")
    port = openstack("port create named --network named --dns-name web")
    assert port["dns_assignment"][0]["fqdn"] == "web.green.example." and port["dns_name"] == "web"
    openstack("port set named --dns-name www --dns-domain blue.example.")
    assert openstack("port show named")["dns_assignment"][0]["fqdn"] == "www.blue.example."
    openstack("network create named-outside --external --provider-network-type flat --provider-physical-network named")
    openstack("subnet create named-outside --network named-outside --subnet-range 198.51.100.0/24 --dns-publish-fixed-ip")
    assert openstack("subnet show named-outside")["dns_publish_fixed_ip"] is True
    made = openstack("floating ip create named-outside --dns-name www --dns-domain blue.example.")
    assert (made["dns_name"], made["dns_domain"]) == ("www", "blue.example.")
