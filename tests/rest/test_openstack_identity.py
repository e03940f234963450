"""The real `openstack` command and openstacksdk log in with a password at Hadron's own identity endpoint."""
import openstack
import pytest
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v2

from tests.kit.openstack import Openstack
from tests.kit.people import PASSWORD, town


@pytest.fixture(scope="module")
def place():
    with town() as running:
        yield running


def command(place, name, project=None, *more, url="", password=""):
    return Openstack.by_password(url or f"{place.url}/v3", name, password or PASSWORD.format(name), project, *more)


@pytest.mark.parametrize("version", ["", "/v3"])
def test_the_command_logs_in_and_manages_networks(place, version):
    run = command(place, "ann", "red", url=place.url + version)
    made = run("network create mine")
    assert made["project_id"] == "red"
    assert [one["Name"] for one in run("network list")] == ["mine"]
    assert command(place, "rob", "red")("network show mine")["id"] == made["id"]
    assert command(place, "bob", "blue")("network list") == []
    assert "1 of 1 networks failed to delete" in command(place, "rob", "red").fails("network delete mine")
    run("network delete mine")


def test_the_command_shows_tokens_projects_users_and_the_catalog(place):
    run = command(place, "root", "admin")
    issued = run("token issue")
    assert (issued["project_id"], issued["user_id"]) == ("admin", "root")
    assert {"red", "blue", "admin"} <= {one["Name"] for one in run("project list")}
    assert run("project show red")["id"] == "red" and run("user show ann")["name"] == "ann"
    assert {one["Type"] for one in run("catalog list")} == {"network", "identity"}
    assert {one["Name"] for one in run("role list")} >= {"admin", "member"}
    network = run("network create --project red given")
    assert network["project_id"] == "red"
    run("network delete given")
    run(f"token revoke {issued['id']}")


def test_the_command_takes_the_system_for_scope(place):
    everything = command(place, "auditor", None, "--os-system-scope", "all")
    assert isinstance(everything("network list"), list)


def test_the_command_says_when_the_password_is_wrong(place):
    assert "401" in command(place, "mia", "red", password="wrong").fails("network list")
    assert "401" in command(place, "mia", "blue").fails("network list")


def test_the_sdk_finds_the_network_in_the_catalog(place):
    cloud = openstack.connect(auth_type="password", load_envvars=False, load_yaml_config=False, auth={
        "auth_url": place.url, "username": "ann", "password": PASSWORD.format("ann"), "project_name": "red",
        "user_domain_id": "default", "project_domain_id": "default"})
    network = cloud.network.create_network(name="sdk")
    assert network.project_id == cloud.current_project_id == "red"
    assert [one.name for one in cloud.identity.user_projects("ann")] == ["red", "blue"]
    cloud.network.delete_network(network)
    cloud.close()


def test_a_client_of_v2_gets_its_token(place):
    auth = v2.Password(f"{place.url}/v2.0", username="ann", password=PASSWORD.format("ann"), tenant_name="red")
    asking = session.Session(auth=auth)
    assert asking.get("/v2.0/networks", endpoint_filter={"service_type": "network"}).status_code == 200
    with pytest.raises(exceptions.Unauthorized):
        session.Session(auth=v2.Password(f"{place.url}/v2.0", "ann", "wrong")).get_token()
