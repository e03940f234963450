"""Views: objects made when they are asked for. The one there is counts the addresses of networks."""
from tests.kit.openstack import Openstack
from tests.kit.served import served

PATH = "/v2.0/network-ip-availabilities"
SERVED = {"tokens": True}


def network(client, *cidrs, **more):
    one = client.create("network", **more)
    for cidr in cidrs:
        client.create("subnet", network_id=one["id"], ip_version=6 if ":" in cidr else 4, cidr=cidr, name=f"of {cidr}")
    return one


def test_addresses_of_networks_are_counted(ann):
    one = network(ann, "10.0.0.0/24", "10.0.1.0/28", name="counted")
    asked = {"network_id": one["id"]}
    before = ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]
    assert (before["total_ips"], before["used_ips"]) == (253 + 13, 0)
    subnets = {each["cidr"]: each["subnet_id"] for each in before["subnet_ip_availability"]}
    first = ann.create("port", fixed_ips=[{"subnet_id": subnets["10.0.0.0/24"]}], **asked)
    both = [{"subnet_id": id} for id in subnets.values()] + [{"ip_address": "10.0.0.1"}]
    ann.create("port", fixed_ips=both, **asked)
    after = ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]
    assert after == {
        "network_id": one["id"], "network_name": "counted", "project_id": "one", "tenant_id": "one",
        "total_ips": 266, "used_ips": 4, "subnet_ip_availability": after["subnet_ip_availability"],
        "ip_availability_details": after["ip_availability_details"]}
    assert {each["cidr"]: (each["subnet_name"], each["ip_version"], each["total_ips"], each["used_ips"])
            for each in after["subnet_ip_availability"]} == {
                "10.0.0.0/24": ("of 10.0.0.0/24", 4, 253, 3), "10.0.1.0/28": ("of 10.0.1.0/28", 4, 13, 1)}
    assert ann.ask("DELETE", f"/v2.0/ports/{first['id']}").status == 204
    assert ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]["used_ips"] == 3


def test_addresses_are_counted_in_subnets_and_in_their_pools(ann):
    one = network(ann, "10.0.0.0/24", "fd00::/64", name="detailed")
    pool = {"start": "10.0.1.10", "end": "10.0.1.19"}
    ann.create("subnet", network_id=one["id"], ip_version=4, cidr="10.0.1.0/24", allocation_pools=[pool])
    for ip in ("10.0.0.1", "10.0.0.5", "10.0.1.10", "10.0.1.5", "fd00::7"):
        ann.create("port", network_id=one["id"], fixed_ips=[{"ip_address": ip}])
    found = ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]
    names = ("total_ips_in_subnet", "total_ips_in_allocation_pool", "used_ips_in_subnet", "used_ips_in_allocation_pool")
    each = {subnet["cidr"]: tuple(subnet["ip_availability_details"][name] for name in names)
            for subnet in found["subnet_ip_availability"]}
    assert each == {"10.0.0.0/24": (254, 253, 2, 1), "10.0.1.0/24": (254, 10, 2, 1), "fd00::/64": (2**64, 2**64 - 2, 1, 1)}
    assert found["ip_availability_details"] == {name: sum(counted[at] for counted in each.values())
                                                for at, name in enumerate(names)}


def test_subnets_of_one_version_are_counted_alone(ann):
    one = network(ann, "10.0.0.0/24", "fd00::/64", name="both")
    for version, total in ((4, 253), (6, 2**64 - 2)):
        found = ann.get(f"{PATH}?ip_version={version}&network_id={one['id']}")["network_ip_availabilities"]
        assert [(each["total_ips"], len(each["subnet_ip_availability"])) for each in found] == [(total, 1)]
    assert ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]["total_ips"] == 253 + 2**64 - 2
    four = network(ann, "10.0.0.0/24")
    assert ann.ask("GET", f"{PATH}/{four['id']}?ip_version=6").status == 404
    assert four["id"] not in [each["network_id"] for each in ann.get(f"{PATH}?ip_version=6")["network_ip_availabilities"]]
    assert ann.ask("GET", f"{PATH}?ip_version=x").status == 400


def test_a_subnet_without_pools_has_all_its_addresses(ann):
    one = ann.create("network")
    ann.create("subnet", network_id=one["id"], ip_version=4, cidr="10.0.0.0/29", allocation_pools=[])
    assert ann.get(f"{PATH}/{one['id']}")["network_ip_availability"]["total_ips"] == 8


def test_a_view_is_listed_filtered_sorted_and_paged_like_anything(ann):
    made = [network(ann, f"10.0.0.0/{length}", name=f"page{length}") for length in (28, 26, 27)]
    names = "&".join(f"network_name={one['name']}" for one in made)
    found = ann.get(f"{PATH}?{names}&sort_key=total_ips&sort_dir=desc&fields=network_name")["network_ip_availabilities"]
    assert found == [{"network_name": f"page{length}"} for length in (26, 27, 28)]
    page = ann.get(f"{PATH}?{names}&limit=2")
    more = ann.get(f"{PATH}?{names}&limit=2&marker={page['network_ip_availabilities'][-1]['network_id']}")
    seen = page["network_ip_availabilities"] + more["network_ip_availabilities"]
    assert {each["network_id"] for each in seen} == {one["id"] for one in made}
    for wrong in ("colour=red", "sort_key=subnet_ip_availability", "total_ips=many"):
        assert ann.ask("GET", f"{PATH}?{wrong}").status == 400


def test_a_view_is_read_only_and_for_the_owner(api, ann):
    one = network(ann, "10.0.0.0/24")
    shared = api.client("admin").create("network", shared=True)
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/{one['id']}"), ("DELETE", f"{PATH}/{one['id']}")):
        assert ann.ask(method, path, {}).status == 405
    assert api.client("bob").ask("GET", f"{PATH}/{one['id']}").status == 404
    assert api.client("bob").get(PATH)["network_ip_availabilities"] == []
    assert ann.ask("GET", f"{PATH}/{shared['id']}").status == 404
    everything = api.client("admin").get(PATH)["network_ip_availabilities"]
    assert {one["id"], shared["id"]} <= {each["network_id"] for each in everything}


def test_the_command_shows_what_is_left():
    with served() as api:
        openstack = Openstack.by_token(api.url)
        network(api.client(), "10.0.0.0/24", "fd00::/64", name="net")
        assert [(one["Network Name"], one["Total IPs"], one["Used IPs"]) for one in openstack("ip availability list")] == [
            ("net", 253, 0)]
        assert openstack("ip availability list --ip-version 6 --project ops")[0]["Total IPs"] == 2**64 - 2
        assert openstack("ip availability list --project nobody") == []
        assert openstack("ip availability show net")["total_ips"] == 253 + 2**64 - 2
