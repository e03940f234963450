"""Segments of networks and ranges of their numbers, over HTTP and by the openstack command and library."""
import pytest

from tests.kit.openstack import Openstack
from tests.kit.served import served
from tests.rest.test_openstacksdk import connected


@pytest.fixture(scope="module")
def api():
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def client(api):
    return api.client()


@pytest.fixture(scope="module")
def openstack(api):
    return Openstack(api.url, "--os-auth-type", "none")


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


def test_the_library_builds_ranges(api):
    connection = connected(api.url)
    made = connection.network.create_network_segment_range(
        name="r", network_type="vlan", physical_network="physnet9", minimum=5, maximum=9)
    assert connection.network.update_network_segment_range(made, maximum=6).available == [5, 6]
    connection.network.delete_network_segment_range(made, ignore_missing=False)
    assert [one.name for one in connection.network.network_segment_ranges(network_type="vlan")] == []
    connection.close()
