"""Segments of networks and ranges of their numbers, over HTTP and by the openstack command and library."""
from tests.kit.served import served

WIRED = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}


def wired(client, vlan, **more):
    return client.create("network", **WIRED, **{"provider:segmentation_id": vlan}, **more)


def segments(client, network):
    return client.get(f"/v2.0/segments?network_id={network['id']}")["segments"]


def test_a_network_is_made_of_several_segments(client):
    both = [{**WIRED, "provider:segmentation_id": 11}, {**WIRED, "provider:physical_network": "physnet2",
                                                        "provider:segmentation_id": 12}]
    made = client.create("network", segments=both)
    assert made["segments"] == both and client.create("network")["segments"] is None
    refused = client.ask("POST", "/v2.0/networks", {"network": {"segments": both, **WIRED}})
    assert (refused.status, refused.error["type"]) == (400, "SegmentsSetInConjunctionWithProviders")
    assert client.ask("PUT", f"/v2.0/networks/{made['id']}", {"network": {"segments": both}}).status == 400


def test_a_segment_lives_and_dies(client):
    network = wired(client, 21)
    (first,) = segments(client, network)
    assert (first["network_type"], first["physical_network"], first["segmentation_id"]) == ("vlan", "physnet1", 21)
    made = client.create("segment", network_id=network["id"], network_type="vlan", physical_network="physnet2",
                         segmentation_id=22, name="rack 2", description="d")
    path = f"/v2.0/segments/{made['id']}"
    assert (made["description"], made["revision_number"]) == ("d", 0) and made["created_at"]
    changed = client.ask("PUT", path, {"segment": {"name": "rack 3"}}).body["segment"]
    assert (changed["name"], changed["revision_number"]) == ("rack 3", 1)
    assert client.ask("DELETE", path).status == 204
    refused = client.ask("DELETE", f"/v2.0/segments/{first['id']}")
    assert (refused.status, refused.error["type"]) == (409, "SegmentInUse")


def test_a_subnet_is_put_on_a_segment():
    with served(tokens=True) as api:
        admin, ann = api.client("admin"), api.client("ann")
        network = wired(admin, 31, project_id="one")
        (first,) = segments(admin, network)
        made = ann.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
        assert made["segment_id"] is None and ann.get(f"/v2.0/networks/{network['id']}")["network"]["l2_adjacency"] is True
        body = {"subnet": {"segment_id": first["id"]}}
        assert ann.ask("PUT", f"/v2.0/subnets/{made['id']}", body).status in (403, 404)
        assert admin.ask("PUT", f"/v2.0/subnets/{made['id']}", body).body["subnet"]["segment_id"] == first["id"]
        assert ann.get(f"/v2.0/networks/{network['id']}")["network"]["l2_adjacency"] is False
        assert [one["id"] for one in ann.get(f"/v2.0/subnets?segment_id={first['id']}")["subnets"]] == [made["id"]]
        assert ann.ask("GET", f"/v2.0/segments/{first['id']}").status == 404 and ann.get("/v2.0/segments")["segments"] == []


def test_subnets_on_segments_have_routes_to_each_other(client):
    network = client.create("network", provider__network_type="vlan", provider__physical_network="physnet1",
                            provider__segmentation_id=71)
    (first,) = client.get(f"/v2.0/segments?network_id={network['id']}")["segments"]
    second = client.create("segment", network_id=network["id"], network_type="vlan", physical_network="physnet2", segmentation_id=72)
    own = {"destination": "10.99.0.0/16", "nexthop": "10.71.0.9"}
    one, other = (client.create("subnet", network_id=network["id"], ip_version=4, cidr=f"10.{number}.0.0/24", segment_id=segment["id"],
                                host_routes=[own] if number == 71 else []) for number, segment in ((71, first), (72, second)))
    path = f"/v2.0/subnets/{one['id']}"
    there, back = {"destination": "10.72.0.0/24", "nexthop": "10.71.0.1"}, {"destination": "10.71.0.0/24", "nexthop": "10.72.0.1"}
    assert client.get(path)["subnet"]["host_routes"] == [own, there] and other["host_routes"] == [back]
    for said, shown in (([own, there], [own, there]), ([there], [there]), ([own], [own, there])):      # as clients say it again
        assert client.ask("PUT", path, {"subnet": {"host_routes": said}}).body["subnet"]["host_routes"] == shown
    pool = {"start": "10.71.0.2", "end": "10.71.0.9"}
    gateway = client.ask("PUT", path, {"subnet": {"gateway_ip": "10.71.0.254", "allocation_pools": [pool]}}).body["subnet"]
    assert gateway["host_routes"] == [own, {**there, "nexthop": "10.71.0.254"}]
    assert client.ask("DELETE", f"/v2.0/subnets/{other['id']}").status == 204
    assert client.get(path)["subnet"]["host_routes"] == [own]


def test_a_port_waits_for_its_host(api, client):
    network = wired(client, 41)
    (first,) = segments(client, network)
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.41.0.0/24", segment_id=first["id"])
    api.desk.call(api.writer.learn, [("host", {"id": "h1", "hostname": "node1"}), ("uplink", {
        "id": "h1/physnet1", "host_id": "h1", "switch_id": "0" * 16, "physical_network": "physnet1", "ofport": 65100})])
    port = client.create("port", network_id=network["id"])
    assert (port["ip_allocation"], port["fixed_ips"]) == ("deferred", [])
    refused = client.ask("PUT", f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "node2"}})
    assert (refused.status, refused.error["type"]) == (409, "HostNotConnectedToAnySegment")
    bound = client.ask("PUT", f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "node1"}}).body["port"]
    assert (bound["ip_allocation"], bound["fixed_ips"][0]["ip_address"]) == ("immediate", "10.41.0.2")
    assert client.create("port", network_id=network["id"], fixed_ips=[])["ip_allocation"] == "none"


def test_a_subnet_is_for_certain_owners(client):
    network = client.create("network")
    for cidr, types in (("10.1.0.0/24", ["compute:nova"]), ("10.2.0.0/24", [])):
        made = client.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr, service_types=types)
        assert made["service_types"] == types
    ports = [client.create("port", network_id=network["id"], device_owner=owner)["fixed_ips"][0]["ip_address"]
             for owner in ("compute:nova", "")]
    assert ports == ["10.1.0.2", "10.2.0.2"]


def test_the_command_builds_segments(openstack, client):
    openstack("network create --provider-network-type vlan --provider-physical-network physnet1 --provider-segment 51 routed")
    made = openstack("network segment create --network routed --network-type vlan --physical-network physnet2 --segment 52 "
                     "--description second rack2")
    assert (made["segmentation_id"], made["description"]) == (52, "second")
    openstack("network segment set --name rack-2 rack2")
    assert openstack("network segment show rack-2")["id"] == made["id"]
    listed = openstack("network segment list --network routed --long")
    assert sorted((one["Physical Network"], one["Segment"]) for one in listed) == [("physnet1", 51), ("physnet2", 52)]
    subnet = openstack("subnet create --network routed --network-segment rack-2 --subnet-range 10.52.0.0/24 "
                       "--service-type compute:nova s")
    assert (subnet["segment_id"], subnet["service_types"]) == (made["id"], ["compute:nova"])
    assert "still associated with subnet" in openstack.fails("network segment delete rack-2")
    openstack("subnet unset --service-type compute:nova s")
    openstack("subnet delete s")
    openstack("network segment delete rack-2")
    openstack("network delete routed")


def test_the_library_builds_segments(library):
    network = library
    net = network.create_network(name="n", provider_network_type="vlan", provider_physical_network="physnet1",
                                 provider_segmentation_id=61)
    segment = network.create_segment(network_id=net.id, network_type="vlan", physical_network="physnet2", segmentation_id=62,
                                     name="s")
    assert network.find_segment("s").segmentation_id == network.get_segment(segment.id).segmentation_id == 62
    assert segment.id in [each.id for each in network.segments(network_id=net.id)]
    subnet = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.62.0.0/24", segment_id=segment.id)
    assert subnet.segment_id == segment.id
    assert network.update_segment(segment, description="d").description == "d"
    network.delete_subnet(subnet)
    network.delete_segment(segment, ignore_missing=False)
    network.delete_network(net)


def test_networks_of_a_project_get_numbers_of_its_ranges(client):
    body = {"network_type": "gre", "minimum": 700, "maximum": 701, "shared": False, "project_id": "lab"}
    made = client.create("network_segment_range", path="network_segment_ranges", **body)
    numbers = [client.create("network", project_id=project, provider__network_type="gre")["provider:segmentation_id"]
               for project in ("lab", "other", "lab")]
    assert numbers == [700, 1, 701]
    shown = client.get(f"/v2.0/network_segment_ranges/{made['id']}")["network_segment_range"]
    assert (shown["used"], shown["available"]) == ({"700": "lab", "701": "lab"}, [])
    refused = client.ask("DELETE", f"/v2.0/network_segment_ranges/{made['id']}")
    assert (refused.status, refused.error["type"]) == (409, "NetworkSegmentRangeReferencedByProject")


def test_the_command_builds_ranges(openstack):
    made = openstack("network segment range create --private --project lab --network-type geneve --minimum 10 --maximum 14 r")
    assert (made["available"], made["project_id"], made["shared"]) == (["10-14"], "lab", False)
    openstack("network segment range set --minimum 10 --maximum 12 --name s r")
    assert openstack("network segment range show s")["available"] == ["10-12"]
    assert "s" in [one["Name"] for one in openstack("network segment range list --long")]
    openstack("network segment range delete s")


def test_the_library_builds_ranges(library):
    made = library.create_network_segment_range(
        name="r", network_type="vlan", physical_network="physnet9", minimum=5, maximum=9)
    assert library.update_network_segment_range(made, maximum=6).available == [5, 6]
    library.delete_network_segment_range(made, ignore_missing=False)
    assert [one.name for one in library.network_segment_ranges(network_type="vlan")] == []
