"""The calls that oVirt's engine makes to an external network provider, in its order and its words."""
import pytest


def test_a_network_lives_from_import_to_removal(client):
    assert client.ask("GET", "/v2.0/").status == 200
    network = client.create("network", admin_state_up=True, name="red", mtu=1400, port_security_enabled=True, tenant_id="oVirt")
    assert {"id", "name", "mtu", "port_security_enabled", "status", "subnets", "shared", "router:external",
            "provider:network_type", "provider:physical_network", "provider:segmentation_id"} <= set(network)
    assert network["tenant_id"] == "oVirt"
    subnet = client.create("subnet", cidr="10.0.0.0/24", ip_version=4, name="s", network_id=network["id"], enable_dhcp=True,
                           gateway_ip="10.0.0.1", dns_nameservers=["9.9.9.9"], tenant_id="oVirt")
    assert [one["id"] for one in client.get("/v2.0/subnets")["subnets"]] == [subnet["id"]]
    assert [one["id"] for one in client.get("/v2.0/networks")["networks"]] == [network["id"]]
    assert client.ask("DELETE", f"/v2.0/subnets/{subnet['id']}").status == 204
    assert client.ask("DELETE", f"/v2.0/networks/{network['id']}").status == 204


@pytest.mark.parametrize("groups", ["default", "none"])
def test_a_machine_is_run_moved_and_stopped(client, groups):
    network = client.create("network", name="blue", tenant_id="oVirt")
    client.create("subnet", cidr="10.1.0.0/24", ip_version=4, network_id=network["id"], tenant_id="oVirt")
    nic = f"nic-{groups}"
    assert not [one for one in client.get("/v2.0/ports")["ports"] if one["device_owner"] == "oVirt" and one["device_id"] == nic]
    port = client.create("port", admin_state_up=True, name="nic1", mac_address="00:1a:4a:16:01:51", network_id=network["id"],
                         device_owner="oVirt", device_id=nic, security_groups=None if groups == "default" else [],
                         binding__host_id="host-a", tenant_id="oVirt")
    assert bool(port["security_groups"]) is (groups == "default")
    assert (port["binding:host_id"], port["binding:vif_type"]) == ("host-a", "ovs")
    moved = client.ask("PUT", f"/v2.0/ports/{port['id']}",
                       {"port": {"security_groups": [], "binding:host_id": "host-b", "mac_address": "00:1a:4a:16:01:51"}})
    assert moved.status == 200 and moved.body["port"]["binding:host_id"] == "host-b"
    found = [one for one in client.get("/v2.0/ports")["ports"] if one["device_owner"] == "oVirt" and one["device_id"] == nic]
    assert [one["id"] for one in found] == [port["id"]]
    assert client.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
