"""Local IPs over REST, by the `openstack` command and by openstacksdk."""
from __future__ import annotations

from contextlib import closing

from tests.kit.openstack import Openstack, connection
from tests.kit.served import TOKENS, Client, Served

SERVED = {"tokens": True}


def test_a_local_ip_stands_for_ports(api: Served, admin: Client) -> None:
    network = admin.create("network", name="red")
    admin.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    ports = [admin.create("port", network_id=network["id"], name=f"serving{host}", binding__host_id=f"host{host}") for host in (1, 2)]
    command = Openstack.by_token(api.url, TOKENS["admin"])
    made = command("local ip create --name resolver --description here --network red")
    assert (made["ip_mode"], made["network_id"], made["local_ip_address"]) == ("translate", network["id"], "10.0.0.4")
    (held,) = admin.get(f"/v2.0/ports?device_owner=network:local_ip&device_id={made['id']}")["ports"]
    assert (held["id"], held["status"], held["project_id"]) == (made["local_port_id"], "N/A", made["project_id"])
    for port in ports:
        shown = command(f"local ip association create resolver {port['name']}")
        assert (shown["fixed_ip"], shown["local_ip_address"]) == (port["fixed_ips"][0]["ip_address"], "10.0.0.4")
    listed = command("local ip association list resolver")
    assert sorted((one["Fixed port ID"], one["Fixed IP"], one["Host"]) for one in listed) == sorted(
        (port["id"], port["fixed_ips"][0]["ip_address"], port["binding:host_id"]) for port in ports)
    command("local ip set --name proxy resolver")
    assert [one["Name"] for one in command("local ip list")] == ["proxy"]
    assert command("local ip show proxy")["description"] == "here"
    kept = admin.ask("DELETE", f"/v2.0/local_ips/{made['id']}")
    assert (kept.status, kept.error["type"]) == (409, "LocalIPInUse")
    command(f"local ip association delete proxy {ports[0]['id']}")
    assert admin.ask("DELETE", f"/v2.0/ports/{ports[1]['id']}").status == 204
    assert admin.get(f"/v2.0/local_ips/{made['id']}/port_associations")["port_associations"] == []
    command("local ip delete proxy")
    assert admin.get("/v2.0/local_ips")["local_ips"] == []
    assert admin.ask("GET", f"/v2.0/ports/{held['id']}").status == 404


def test_openstacksdk_makes_them(api: Served, admin: Client) -> None:
    network = admin.create("network", name="blue")
    admin.create("subnet", network_id=network["id"], ip_version=4, cidr="10.1.0.0/24")
    port, serving = (admin.create("port", network_id=network["id"]) for _ in range(2))
    with closing(connection(api.url, TOKENS["admin"])) as cloud:
        local = cloud.network.create_local_ip(local_port_id=port["id"], ip_mode="passthrough", name="blue")
        assert (local.local_ip_address, local.network_id) == (port["fixed_ips"][0]["ip_address"], network["id"])
        made = cloud.network.create_local_ip_association(local, fixed_port_id=serving["id"])
        assert (made.fixed_ip, made.host) == (serving["fixed_ips"][0]["ip_address"], "")
        assert [one.fixed_port_id for one in cloud.network.local_ip_associations(local)] == [serving["id"]]
        assert cloud.network.get_local_ip_association(serving["id"], local).fixed_port_id == serving["id"]
        cloud.network.delete_local_ip_association(local, serving["id"])
        assert list(cloud.network.local_ip_associations(local)) == []
        cloud.network.delete_local_ip(local)
    assert admin.get(f"/v2.0/ports/{port['id']}")["port"]["device_owner"] == ""


def test_what_is_another_projects_is_not_there(admin: Client, people: dict[str, Client]) -> None:
    ann, bob = people["ann"], people["bob"]
    network = ann.create("network")
    ann.create("subnet", network_id=network["id"], ip_version=4, cidr="10.2.0.0/24")
    local, port = ann.create("local_ip", "local_ips", network_id=network["id"]), ann.create("port", network_id=network["id"])
    path = f"/v2.0/local_ips/{local['id']}"
    assert bob.ask("GET", path).status == 404 and bob.get("/v2.0/local_ips")["local_ips"] == []
    said = {"port_association": {"fixed_port_id": port["id"]}}
    assert bob.ask("POST", f"{path}/port_associations", said).status == 404
    assert ann.ask("POST", f"{path}/port_associations", said).status == 201
    assert bob.ask("GET", f"{path}/port_associations").status == 404
    assert bob.ask("DELETE", f"{path}/port_associations/{port['id']}").status == 404
    assert bob.ask("POST", "/v2.0/local_ips", {"local_ip": {"network_id": network["id"]}}).status == 404
    assert ann.ask("PUT", f"{path}/port_associations/{port['id']}", {"port_association": {"fixed_ip": "10.2.0.9"}}).status in (400, 405)
    assert admin.get(f"{path}/port_associations/{port['id']}")["port_association"]["fixed_port_id"] == port["id"]
