"""Address groups and the rules that new security groups start with, over HTTP and by the openstack command and library."""


def test_an_address_group_lives_and_dies(client):
    made = client.create("address_group", name="near", addresses=["10.0.0.0/24"])
    path = f"/v2.0/address-groups/{made['id']}"
    added = client.ask("PUT", f"{path}/add_addresses", {"addresses": ["2001:db8::/64"]})
    assert (added.status, added.body["address_group"]["addresses"]) == (200, ["10.0.0.0/24", "2001:db8::/64"])
    left = client.ask("PUT", f"{path}/remove_addresses", {"addresses": ["10.0.0.0/24"]}).body["address_group"]
    assert (left["addresses"], left["revision_number"]) == (["2001:db8::/64"], 2)
    refused = client.ask("PUT", f"{path}/remove_addresses", {"addresses": ["10.0.0.0/24"]})
    assert (refused.status, refused.error["type"]) == (404, "AddressesNotFound")
    for wrong in ({}, {"addresses": "10.0.0.0/8"}, {"addresses": ["x"]}, {"address": []}):
        assert client.ask("PUT", f"{path}/add_addresses", wrong).status == 400
    assert client.ask("PUT", path, {"address_group": {"addresses": []}}).status == 400
    assert client.ask("DELETE", path).status == 204 and client.ask("GET", path).status == 404


def test_a_rule_is_about_an_address_group(client):
    near, group = client.create("address_group", addresses=["10.0.0.0/24"]), client.create("security_group", name="s")
    rule = client.create("security_group_rule", security_group_id=group["id"], direction="ingress",
                         remote_address_group_id=near["id"])
    assert (rule["remote_address_group_id"], rule["remote_group_id"]) == (near["id"], None)
    found = client.get(f"/v2.0/security-group-rules?remote_address_group_id={near['id']}")["security_group_rules"]
    assert [one["id"] for one in found] == [rule["id"]]
    refused = client.ask("DELETE", f"/v2.0/address-groups/{near['id']}")
    assert (refused.status, refused.error["type"]) == (409, "AddressGroupInUse")


def test_the_command_builds_address_groups(openstack):
    made = openstack("address group create --address 10.0.0.7 --description d g")
    assert (made["addresses"], made["description"]) == (["10.0.0.7/32"], "d")
    openstack("address group set --address 10.1.0.0/16 --name h g")
    openstack("address group unset --address 10.0.0.7 h")
    assert openstack("address group show h")["addresses"] == ["10.1.0.0/16"]
    openstack("security group create web")
    rule = openstack("security group rule create --ingress --protocol tcp --dst-port 80 --remote-address-group h web")
    assert rule["remote_address_group_id"] == made["id"]
    assert "1 of 1" in openstack.fails("address group delete h")
    openstack(f"security group rule delete {rule['id']}")
    openstack("address group delete h")
    assert "h" not in [one["Name"] for one in openstack("address group list")]


def test_the_library_builds_address_groups(library):
    network = library
    made = network.create_address_group(name="g", addresses=["10.0.0.0/24"])
    assert network.add_addresses_to_address_group(made, ["10.1.0.0/24"]).addresses == ["10.0.0.0/24", "10.1.0.0/24"]
    assert network.remove_addresses_from_address_group(made, ["10.0.0.0/24"]).addresses == ["10.1.0.0/24"]
    assert network.update_address_group(made, description="d").description == "d"
    network.delete_address_group(network.find_address_group("g"), ignore_missing=False)
