"""What Neutron's schedulers would be asked: on which hosts networks and routers are. It is told; nothing is scheduled."""
from __future__ import annotations

from tests.kit.openstack import Openstack
from tests.kit.served import Client, Served
from tests.rest.test_availability_zones import learn


def test_where_networks_and_routers_are_is_told_and_not_decided(api: Served, client: Client) -> None:
    network, router = client.create("network", name="here"), client.create("router", name="leading")
    port = client.create("port", network_id=network["id"])
    for number in (1, 2):
        learn(api, ("host", {"id": f"h{number}", "hostname": f"h{number}"}),
              ("switch", {"id": f"{number:016x}", "host_id": f"h{number}", "bridge": "br-int"}))
    learn(api, ("interface", {"id": "h1/tap", "host_id": "h1", "switch_id": f"{1:016x}", "port_id": port["id"], "ofport": 1}))
    api.model.live["router.switch"] = lambda row: f"{2:016x}" if row.id == router["id"] else None
    by_host = {one["host"]: one for one in client.get("/v2.0/agents")["agents"]}
    (dhcp,) = client.get(f"/v2.0/networks/{network['id']}/dhcp-agents")["agents"]
    assert (dhcp["id"], dhcp["host"]) == (by_host["h1"]["id"], "h1")
    (leading,) = client.get(f"/v2.0/routers/{router['id']}/l3-agents")["agents"]
    assert (leading["id"], leading["ha_state"]) == (by_host["h2"]["id"], "active")
    hosted = client.get(f"/v2.0/agents/{by_host['h1']['id']}/dhcp-networks")["networks"]
    assert [(one["id"], one["name"]) for one in hosted] == [(network["id"], "here")]
    assert client.get(f"/v2.0/agents/{by_host['h2']['id']}/dhcp-networks")["networks"] == []
    assert [one["name"] for one in client.get(f"/v2.0/agents/{by_host['h2']['id']}/l3-routers")["routers"]] == ["leading"]
    for path in (f"agents/{dhcp['id']}/dhcp-networks", f"agents/{dhcp['id']}/l3-routers"):
        assert client.ask("POST", f"/v2.0/{path}", {"network_id": network["id"]}).status == 405
        assert client.ask("DELETE", f"/v2.0/{path}/{network['id']}").status in (404, 405)
    assert client.ask("GET", f"/v2.0/agents/{network['id']}/l3-routers").status == 404
    command = Openstack.by_token(api.url)
    assert [one["Host"] for one in command("network agent list --network here")] == ["h1"]
    assert [one["Host"] for one in command("network agent list --router leading")] == ["h2"]
    assert [one["Name"] for one in command(f"router list --agent {by_host['h2']['id']}")] == ["leading"]
    assert [one["Name"] for one in command(f"network list --agent {by_host['h1']['id']}")] == ["here"]
