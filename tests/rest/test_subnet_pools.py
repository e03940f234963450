"""Subnet pools and address scopes over HTTP and by the openstack command and library."""
from tests.kit.openstack import Openstack
from tests.kit.served import served


def pool(client, *prefixes, **more):
    return client.create("subnetpool", name="pool", prefixes=list(prefixes), **more)


def act(client, one, name, **asked):
    return client.ask("PUT", f"/v2.0/subnetpools/{one['id']}/{name}", asked)


def test_a_subnet_is_cut_from_a_pool(client):
    one = pool(client, "10.0.0.0/16", default_prefixlen=24, default_quota=1024)
    assert (one["ip_version"], one["min_prefixlen"], one["max_prefixlen"], one["tenant_id"]) == (4, 8, 32, "ops")
    network = client.create("network")
    first = client.create("subnet", network_id=network["id"], ip_version=4, subnetpool_id=one["id"])
    second = client.create("subnet", network_id=network["id"], ip_version=4, subnetpool_id=one["id"], prefixlen=26)
    assert [(each["cidr"], each["subnetpool_id"]) for each in (first, second)] == [
        ("10.0.0.0/24", one["id"]), ("10.0.1.0/26", one["id"])]
    assert "prefixlen" not in first and "use_default_subnetpool" not in first
    found = client.get(f"/v2.0/subnets?subnetpool_id={one['id']}&fields=cidr")["subnets"]
    assert sorted(each["cidr"] for each in found) == ["10.0.0.0/24", "10.0.1.0/26"]
    assert client.ask("GET", "/v2.0/subnets?prefixlen=26").status == 400
    refused = client.ask("DELETE", f"/v2.0/subnetpools/{one['id']}")
    assert (refused.status, refused.error["type"]) == (400, "SubnetPoolDeleteError")
    refused = client.ask("POST", "/v2.0/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4,
                                                              "subnetpool_id": one["id"], "prefixlen": 21}})
    assert (refused.status, refused.error["type"]) == (409, "SubnetPoolQuotaExceeded")
    for each in (first, second):
        assert client.ask("DELETE", f"/v2.0/subnets/{each['id']}").status == 204
    assert client.ask("DELETE", f"/v2.0/subnetpools/{one['id']}").status == 204


def test_a_subnet_is_cut_from_the_default_pool(client):
    one = pool(client, "10.0.0.0/16", default_prefixlen=24, is_default=True)
    network = client.create("network")
    made = client.create("subnet", network_id=network["id"], ip_version=4, use_default_subnetpool=True)
    assert (made["cidr"], made["subnetpool_id"]) == ("10.0.0.0/24", one["id"])
    body = {"network_id": network["id"], "ip_version": 6, "use_default_subnetpool": True}
    assert client.ask("POST", "/v2.0/subnets", {"subnet": body}).status == 400
    assert client.ask("PUT", f"/v2.0/subnetpools/{one['id']}", {"subnetpool": {"is_default": False}}).status == 200


def test_blocks_of_a_pool_are_added_and_removed(client):
    one = pool(client, "10.0.0.0/16")
    assert act(client, one, "add_prefixes", prefixes=["10.1.0.0/16"]).body == {"prefixes": ["10.0.0.0/15"]}
    assert act(client, one, "remove_prefixes", prefixes=["10.0.0.0/16"]).body == {"prefixes": ["10.1.0.0/16"]}
    for wrong in ({}, {"prefixes": "10.0.0.0/8"}, {"prefixes": ["x"]}, {"prefixes": ["10.9.0.0/16"]}):
        assert act(client, one, "remove_prefixes", **wrong).status == 400
    assert client.get(f"/v2.0/subnetpools/{one['id']}")["subnetpool"]["prefixes"] == ["10.1.0.0/16"]


def test_a_networks_subnets_are_taken_into_a_pool(client):
    one, network = pool(client, "10.0.0.0/16"), client.create("network")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.7.0.0/24")
    taken = act(client, one, "onboard_network_subnets", network_id=network["id"])
    assert (taken.status, taken.body) == (200, [{"id": subnet["id"], "cidr": "10.7.0.0/24"}])
    assert client.get(f"/v2.0/subnets/{subnet['id']}")["subnet"]["subnetpool_id"] == one["id"]
    again = act(client, one, "onboard_network_subnets", network_id=network["id"])
    assert (again.status, again.error["type"]) == (400, "IllegalSubnetPoolUpdate")


def test_an_address_scope_keeps_pools_apart(client):
    scope = client.create("address_scope", name="scope", ip_version=4)
    one = pool(client, "10.0.0.0/16", address_scope_id=scope["id"], default_prefixlen=24)
    body = {"name": "other", "prefixes": ["10.0.9.0/24"], "address_scope_id": scope["id"]}
    refused = client.ask("POST", "/v2.0/subnetpools", {"subnetpool": body})
    assert (refused.status, refused.error["type"]) == (409, "AddressScopePrefixConflict")
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, subnetpool_id=one["id"])
    assert client.get(f"/v2.0/networks/{network['id']}")["network"]["ipv4_address_scope"] == scope["id"]
    refused = client.ask("DELETE", f"/v2.0/address-scopes/{scope['id']}")
    assert (refused.status, refused.error["type"]) == (409, "AddressScopeInUse")
    found = client.get(f"/v2.0/subnetpools?address_scope_id={scope['id']}")["subnetpools"]
    assert [each["id"] for each in found] == [one["id"]]


def test_the_command_manages_pools_and_scopes():
    with served() as api:
        openstack = Openstack.by_token(api.url)
        openstack("address scope create --ip-version 4 apart")
        openstack("address scope set --name scope apart")
        assert openstack("address scope show scope")["ip_version"] == 4
        made = openstack("subnet pool create --pool-prefix 10.0.0.0/16 --pool-prefix 10.1.0.0/16 --default-prefix-length 24 "
                         "--min-prefix-length 20 --max-prefix-length 28 --default-quota 4096 --address-scope scope --default "
                         "--description first --tag red p")
        assert (made["prefixes"], made["default_prefixlen"], made["is_default"]) == (["10.0.0.0/15"], 24, True)
        openstack("network create net")
        assert openstack("subnet create --network net --subnet-pool p one")["cidr"] == "10.0.0.0/24"
        assert openstack("subnet create --network net --subnet-pool p --prefix-length 28 two")["cidr"] == "10.0.1.0/28"
        assert openstack("subnet create --network net --use-default-subnet-pool three")["cidr"] == "10.0.2.0/24"
        assert openstack("subnet create --network net --subnet-pool p --subnet-range 10.1.0.0/24 four")["cidr"] == "10.1.0.0/24"
        assert "minimum allowed prefix is 20" in openstack.fails(
            "subnet create --network net --subnet-pool p --prefix-length 19 five")
        openstack("subnet pool set --name q --pool-prefix 10.2.0.0/16 --no-default --default-prefix-length 26 --no-address-scope p")
        openstack("subnet pool unset --tag red q")
        shown = openstack("subnet pool show q")
        assert (shown["prefixes"], shown["is_default"], shown["tags"]) == (["10.0.0.0/15", "10.2.0.0/16"], False, [])
        assert [one["Name"] for one in openstack("subnet pool list --long --no-default")] == ["q"]
        assert len(openstack("subnet list --subnet-pool q")) == 4
        openstack("network create old")
        openstack("subnet create --network old --subnet-range 10.3.0.0/24 fifth")
        openstack("subnet pool add network old q")
        assert openstack("subnet show fifth")["subnetpool_id"] == shown["id"]
        assert "existing allocations" in openstack.fails("subnet pool delete q")
        openstack("subnet delete one two three four fifth")
        openstack("subnet pool delete q")
        openstack("address scope delete scope")
        assert openstack("address scope list") == openstack("subnet pool list") == []


def test_the_library_manages_pools_and_scopes(library):
    network = library
    scope = network.create_address_scope(name="scope", ip_version=6)
    one = network.create_subnet_pool(name="pool", prefixes=["fd00::/48"], address_scope_id=scope.id, default_quota=2)
    assert (one.ip_version, one.default_prefix_length, one.minimum_prefix_length) == (6, 64, 64)
    net = network.create_network(name="net")
    made = network.create_subnet(network_id=net.id, ip_version=6, subnet_pool_id=one.id, prefix_length=64)
    assert (made.cidr, made.subnet_pool_id) == ("fd00::/64", one.id)
    assert network.get_network(net.id).ipv6_address_scope_id == scope.id
    assert network.update_subnet_pool(one, prefixes=["fd00::/47"]).prefixes == ["fd00::/47"]
    assert network.update_address_scope(scope, name="renamed").name == network.get_address_scope(scope.id).name == "renamed"
    assert network.find_address_scope("renamed").id == scope.id and scope.id in [each.id for each in network.address_scopes()]
    assert network.find_subnet_pool(one.id).id == network.get_subnet_pool(one.id).id == one.id
    assert [each.id for each in network.subnet_pools(address_scope_id=scope.id)] == [one.id]
    assert network.get_network_ip_availability(net.id).total_ips == 2**64 - 2
    for delete, each in ((network.delete_subnet, made), (network.delete_subnet_pool, one),
                         (network.delete_address_scope, scope)):
        delete(each, ignore_missing=False)
