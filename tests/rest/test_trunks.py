"""Trunks and networks that carry tags, over HTTP and by the openstack command and library."""
from tests.kit.served import served
from tests.rest.fabric import fabric, two_tenants


def port(client, **more):
    return client.create("port", network_id=client.create("network")["id"], **more)["id"]


def sub_port(id, tag):
    return {"port_id": id, "segmentation_type": "vlan", "segmentation_id": tag}


def test_a_trunk_and_its_sub_ports_live_and_die(client):
    parent, one, other = (port(client) for _ in range(3))
    made = client.create("trunk", port_id=parent, sub_ports=[sub_port(one, 100)], name="t")
    path = f"/v2.0/trunks/{made['id']}"
    assert (made["status"], made["admin_state_up"], made["sub_ports"]) == ("DOWN", True, [sub_port(one, 100)])
    added = client.ask("PUT", f"{path}/add_subports", {"sub_ports": [sub_port(other, 200)]})
    assert (added.status, added.body["sub_ports"]) == (200, [sub_port(one, 100), sub_port(other, 200)])
    assert client.get(f"{path}/get_subports") == {"sub_ports": added.body["sub_ports"]}
    refused = client.ask("PUT", f"{path}/get_subports", {})
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.ask("GET", f"{path}/add_subports").status == 405
    assert client.ask("GET", "/v2.0/trunks/nonsense/get_subports").status == 404
    removed = client.ask("PUT", f"{path}/remove_subports", {"sub_ports": [{"port_id": one}]})
    assert (removed.status, removed.body["sub_ports"], removed.body["revision_number"]) == (200, [sub_port(other, 200)], 2)
    for wrong in ({}, {"sub_ports": {}}, {"sub_ports": [1]}, {"sub_ports": [{}]}, {"sub_ports": [{"port_id": "x"}]}):
        assert client.ask("PUT", f"{path}/remove_subports", wrong).status == 400
    used = client.ask("DELETE", f"/v2.0/ports/{other}")
    assert (used.status, used.error["type"]) == (409, "PortInUseAsSubPort")
    assert client.get(f"/v2.0/trunks?port_id={parent}")["trunks"][0]["name"] == "t"
    assert client.ask("DELETE", path).status == 204 and client.ask("GET", path).status == 404
    assert client.get(f"/v2.0/ports/{other}")["port"]["device_owner"] == ""


def test_a_parent_says_what_it_carries(client):
    parent, one = port(client), port(client)
    made = client.create("trunk", port_id=parent, sub_ports=[sub_port(one, 100)])
    mac = client.get(f"/v2.0/ports/{one}")["port"]["mac_address"]
    assert client.get(f"/v2.0/ports/{parent}?fields=trunk_details")["port"]["trunk_details"] == {
        "trunk_id": made["id"], "sub_ports": [{**sub_port(one, 100), "mac_address": mac}]}


def test_the_status_and_the_place_of_sub_ports_are_their_parents():
    with fabric() as running:
        made = two_tenants(running)
        acme, ops = running.as_acme, running.as_ops
        sub = acme.create("port", network_id=acme.create("network")["id"], name="sub")
        trunk = acme.create("trunk", port_id=made["web"]["id"], sub_ports=[sub_port(sub["id"], 100)])

        def status(kind, one):
            return acme.get(f"/v2.0/{kind}s/{one['id']}")[kind]["status"]

        running.until(lambda: status("trunk", trunk) == status("port", sub) == "ACTIVE")
        places = {one["name"]: (one["host"], one["interface"], one["ofport"]) for one in ops.get("/inspect/ports")["ports"]}
        assert places["sub"] == places["web"] == ("host1", "tap1", 1)
        running.learn("host1", removes=(("interface", "host1-id/tap1"),))
        running.until(lambda: status("trunk", trunk) == status("port", sub) == "DOWN")


def test_a_network_carries_tags_if_asked_to(client):
    plain, carrying = client.create("network"), client.create("network", vlan_transparent=True)
    assert (plain["vlan_transparent"], carrying["vlan_transparent"], carrying["mtu"]) == (False, True, 1446)
    found = client.get("/v2.0/networks?vlan_transparent=true")["networks"]
    assert [one["id"] for one in found] == [carrying["id"]]
    body = {"provider:network_type": "flat", "provider:physical_network": "physnet1", "vlan_transparent": True}
    refused = client.ask("POST", "/v2.0/networks", {"network": body})
    assert (refused.status, refused.error["message"].partition(":")[0]) == (501, "vlan_transparent")


def test_other_projects_see_nothing_of_a_trunk():
    with served(tokens=True) as api:
        ann, rob, bob = (api.client(name) for name in ("ann", "rob", "bob"))
        made = ann.create("trunk", port_id=port(ann), sub_ports=[sub_port(port(ann), 5)])
        path = f"/v2.0/trunks/{made['id']}"
        assert bob.ask("GET", f"{path}/get_subports").status == bob.ask("DELETE", path).status == 404
        assert len(rob.get(f"{path}/get_subports")["sub_ports"]) == 1
        assert rob.ask("PUT", f"{path}/remove_subports", {"sub_ports": []}).status == 403


def test_the_command_builds_trunks(client, openstack):
    ids = {name: port(client, name=name) for name in ("parent", "one", "two")}
    made = openstack("network trunk create --parent-port parent --subport port=one,segmentation-type=vlan,"
                     "segmentation-id=10 --description first t1")
    assert (made["status"], made["description"], made["port_id"]) == ("DOWN", "first", ids["parent"])
    openstack("network trunk set --name t2 --subport port=two,segmentation-type=vlan,segmentation-id=20 t1")
    listed = openstack("network subport list --trunk t2")
    assert {(one["Port"], one["Segmentation ID"]) for one in listed} == {(ids["one"], 10), (ids["two"], 20)}
    openstack("network trunk unset --subport one t2")
    assert [one["port_id"] for one in openstack("network trunk show t2")["sub_ports"]] == [ids["two"]]
    openstack("network trunk subport add --segmentation-type vlan --segmentation-id 30 t2 one")
    assert {one["Segmentation ID"] for one in openstack("network trunk subport list t2")} == {20, 30}
    openstack("network trunk subport remove t2 one")
    openstack("network trunk set --disable t2")
    assert "disabled" in openstack.fails("network trunk unset --subport two t2")
    openstack("network trunk set --enable t2")
    assert "t2" in [one["Name"] for one in openstack("network trunk list --long")]
    openstack("network trunk delete t2")
    assert openstack("port show two")["device_owner"] == ""


def test_the_library_builds_trunks(client, library):
    network = library
    ids = [port(client) for _ in range(3)]
    trunk = network.create_trunk(port_id=ids[0], sub_ports=[sub_port(ids[1], 10)], name="by library")
    network.add_trunk_subports(trunk, [sub_port(ids[2], 20)])
    assert network.get_trunk_subports(trunk)["sub_ports"] == [sub_port(ids[1], 10), sub_port(ids[2], 20)]
    network.delete_trunk_subports(trunk, [{"port_id": ids[1]}])
    assert network.find_trunk("by library").sub_ports == network.get_trunk(trunk.id).sub_ports == [sub_port(ids[2], 20)]
    assert trunk.id in [one.id for one in network.trunks()]
    assert network.get_port(ids[0]).trunk_details["trunk_id"] == trunk.id
    assert network.update_trunk(trunk, is_admin_state_up=False).is_admin_state_up is False
    network.update_trunk(trunk, is_admin_state_up=True)
    network.delete_trunk(trunk, ignore_missing=False)
