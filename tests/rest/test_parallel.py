"""Many clients at once: no address, number or name is given twice, no limit is passed, no change is lost."""
from collections import Counter

from tests.kit.served import together
from tests.kit.worlds import core

CLIENTS = 8
NETWORK = core()["network"].flows["own"]


def at_once(api, work, times: int) -> list:
    """What `work(client, thread, turn)` gives in eight threads, each so many times."""
    clients = [api.client() for _ in range(CLIENTS)]
    return together(CLIENTS, lambda number: (work(clients[number], number, turn) for turn in range(times)))


def test_no_two_ports_get_the_same_address_mac_or_number(api):
    client = api.client()
    client.ask("PUT", "/v2.0/quotas/ops", {"quota": {"port": -1, "network": -1}})
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    client.create("subnet", network_id=network["id"], ip_version=6, cidr="fd00::/64")
    made = at_once(api, lambda client, thread, turn: client.ask("POST", "/v2.0/ports", {"port": {"network_id": network["id"]}}), 35)
    ports = [one.body["port"] for one in made if one.status == 201]
    refused = [one for one in made if one.status != 201]
    assert len(ports) == 253 and len(refused) == 27
    assert {(one.status, one.error["type"]) for one in refused} == {(409, "IpAddressGenerationFailure")}
    for what in (lambda port: port["mac_address"], lambda port: port["fixed_ips"][0]["ip_address"],
                 lambda port: port["fixed_ips"][1]["ip_address"]):
        assert max(Counter(map(what, ports)).values()) == 1
    assert max(Counter(row.key for row in api.model.rows["port"].values()).values()) == 1


def test_no_two_networks_get_the_same_tunnel_key(api):
    made = at_once(api, lambda client, thread, turn: client.create("network"), 12)
    keys = [(one["provider:network_type"], one["provider:segmentation_id"]) for one in made]
    assert len(set(keys)) == len(keys) == 96
    assert max(Counter(row.key for row in api.model.rows["network"].values()).values()) == 1


def test_creates_at_once_never_pass_the_quota(api):
    api.client().ask("PUT", "/v2.0/quotas/tight", {"quota": {"network": 20}})
    body = {"network": {"project_id": "tight"}}
    made = at_once(api, lambda client, thread, turn: client.ask("POST", "/v2.0/networks", body).status, 6)
    assert Counter(made) == {201: 20, 409: 28}
    assert api.client().get("/v2.0/quotas/tight/details")["quota"]["network"]["used"] == 20


def test_creates_at_once_never_pass_the_quota_of_flow_entries(api):
    """Nor do they pass that of another kind (CVE-2022-3277: default groups were made without end, past the quota)."""
    client = api.client()
    client.create("network", project_id="costly")
    used = client.get("/v2.0/quotas/costly/details")["quota"]["flow"]["used"]
    client.ask("PUT", "/v2.0/quotas/costly", {"quota": {"flow": used + 10 * NETWORK + NETWORK - 1}})
    body = {"network": {"project_id": "costly"}}
    made = at_once(api, lambda client, thread, turn: client.ask("POST", "/v2.0/networks", body).status, 3)
    assert Counter(made) == {201: 10, 409: 14}
    assert len(client.get("/v2.0/security-groups?project_id=costly")["security_groups"]) == 1


def test_a_project_gets_one_default_group_however_many_ask_at_once(api):
    network = api.client().create("network", shared=True)
    at_once(api, lambda client, thread, turn: client.create("port", network_id=network["id"], project_id="newcomers"), 3)
    groups = api.client().get("/v2.0/security-groups?project_id=newcomers&name=default")["security_groups"]
    assert len(groups) == 1


def test_of_writes_that_insist_on_one_revision_one_wins(api):
    network = api.client().create("network")
    path = f"/v2.0/networks/{network['id']}"
    made = at_once(api, lambda client, thread, turn: client.ask("PUT", path, {"network": {"name": f"{thread}"}},
                                                                If_Match="revision_number=0").status, 1)
    assert Counter(made) == {200: 1, 412: CLIENTS - 1}


def test_tags_added_at_once_are_all_there(api):
    network = api.client().create("network")
    path = f"/v2.0/networks/{network['id']}/tags"
    at_once(api, lambda client, thread, turn: client.ask("PUT", f"{path}/t{thread}-{turn}"), 6)
    assert len(api.client().get(path)["tags"]) == 6 * CLIENTS


def test_lists_read_while_others_write_are_whole(api):
    network = api.client().create("network")

    def work(client, thread, turn):
        if thread % 2:
            port = client.create("port", network_id=network["id"], project_id="readers")
            assert client.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
        else:
            for port in client.get("/v2.0/ports?project_id=readers&sort_key=name")["ports"]:
                assert port["network_id"] == network["id"] and port["mac_address"]

    assert not [one for one in at_once(api, work, 30) if one is not None]
