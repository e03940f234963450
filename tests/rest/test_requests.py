"""Codes, bodies and addresses of the Neutron API, case by case."""
import json
import threading

import pytest

from controller.store import StoreError
from controller.store.memory import MemoryStore
from tests.kit.served import served

NOWHERE = "00000000-0000-0000-0000-00000000dead"
MEMBERS = {"networks": "network", "subnets": "subnet", "ports": "port", "security-groups": "security_group",
           "security-group-rules": "security_group_rule"}


SERVED = {"realized": lambda timeout: timeout < 3}


def test_the_root_names_the_version_and_where_it_is(api, client):
    version = client.get("/")["versions"][0]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"] == [{"rel": "self", "href": f"{api.url}/v2.0/"}]


def test_links_never_repeat_a_host_header_that_is_no_host(client):
    answer = client.ask("GET", "/", Host='localhost"></a><script>')
    assert answer.status == 403 or "script" not in json.dumps(answer.body)


@pytest.mark.parametrize("path", ["/v2.0", "/v2.0/", "/v2.0.json"])
def test_the_version_lists_its_collections(client, path):
    answer = client.ask("GET", path)
    if path == "/v2.0.json":
        assert answer.status == 404
        return
    found = {one["collection"]: one for one in answer.body["resources"]}
    assert {"networks", "subnets", "ports", "security_groups", "security_group_rules"} <= set(found)
    assert found["security_groups"]["name"] == "security_group"
    assert found["security_groups"]["links"][0]["href"].endswith("/v2.0/security-groups")


def test_create_is_201_show_and_update_are_200_and_delete_is_204_without_a_body(client):
    made = client.ask("POST", "/v2.0/networks", {"network": {"name": "codes"}})
    path = f"/v2.0/networks/{made.body['network']['id']}"
    shown = client.ask("GET", path)
    changed = client.ask("PUT", path, {"network": {"name": "changed"}})
    gone = client.ask("DELETE", path)
    assert [one.status for one in (made, shown, changed, gone)] == [201, 200, 200, 204]
    assert made.body == shown.body and changed.body["network"]["name"] == "changed" and gone.body is None
    assert client.ask("GET", path).status == client.ask("DELETE", path).status == 404


@pytest.mark.parametrize("collection", MEMBERS)
def test_an_object_that_is_not_there_is_named_not_found(client, collection):
    kind = "".join(word.capitalize() for word in MEMBERS[collection].split("_"))
    for method, body in (("GET", None), ("PUT", {MEMBERS[collection]: {}}), ("DELETE", None)):
        if method == "PUT" and collection == "security-group-rules":
            continue
        answer = client.ask(method, f"/v2.0/{collection}/{NOWHERE}", body)
        assert (answer.status, answer.error["type"]) == (404, f"{kind}NotFound")
        assert NOWHERE in answer.error["message"] and answer.error["detail"] == ""


@pytest.mark.parametrize("path", ["/v3", "/v2.0/nothing", "/v2.0/networks/a/b", "/v2.0/networks/a/tags/b/c", "/V2.0/networks",
                                  "/v2.0/security_groups", "/v2.0/extensions/a/b", "/v2.0/quotas/a/b", "/favicon.ico",
                                  "/v2.0//networks", "/proton/x/1/y"])
def test_an_address_of_nothing_is_404(client, path):
    answer = client.ask("GET", path)
    assert (answer.status, answer.error["type"]) in ((404, "HTTPNotFound"), (404, "ExtensionNotFound"))


@pytest.mark.parametrize("method, path, allowed", [
    ("PATCH", "/v2.0/networks", "GET, POST, HEAD, OPTIONS"), ("PUT", "/v2.0/networks", "GET, POST, HEAD, OPTIONS"),
    ("DELETE", "/v2.0/networks", "GET, POST, HEAD, OPTIONS"), ("POST", "/v2.0/networks/x", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ("POST", "/v2.0/extensions", "GET, HEAD, OPTIONS"), ("POST", "/", "GET, HEAD, OPTIONS"),
    ("PUT", "/v2.0/security-group-rules/x", "GET, DELETE, HEAD, OPTIONS"), ("POST", "/v2.0/hosts", "GET, HEAD, OPTIONS"), ("DELETE", "/v2.0/hosts/x", "GET, HEAD, OPTIONS"),
    ("BREW", "/v2.0/networks/x/tags", "GET, PUT, POST, DELETE, HEAD, OPTIONS")])
def test_a_method_that_is_not_there_is_405_with_those_that_are(client, method, path, allowed):
    answer = client.ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.error["type"] == "HTTPMethodNotAllowed"
    options = client.ask("OPTIONS", path)
    assert (options.status, options.headers["allow"], options.body) == (204, allowed, None)


def test_head_is_get_without_a_body(client):
    network = client.create("network", name="head")
    path = f"/v2.0/networks/{network['id']}"
    head = client.ask("HEAD", path)
    assert head.status == 200 and head.body is None
    assert int(head.headers["content-length"]) > 100
    assert client.ask("HEAD", f"/v2.0/networks/{NOWHERE}").status == 404


def test_the_json_suffix_and_any_content_type_are_taken(client):
    made = client.ask("POST", "/v2.0/networks.json", b'{"network": {"name": "suffix"}}', Content_Type="text/plain",
                      Accept="application/xml")
    id = made.body["network"]["id"]
    assert made.headers["content-type"] == "application/json"
    assert client.get(f"/v2.0/networks/{id}.json")["network"]["name"] == "suffix"
    assert client.get("/v2.0/networks.json?name=suffix")["networks"][0]["id"] == id
    assert client.get("/v2.0/extensions.json") == client.get("/v2.0/extensions/")
    assert client.ask("DELETE", f"/v2.0/networks/{id}.json").status == 204


BODIES = [b"", b"x", b"[]", b"1", b"null", b'"network"', b"{}", b'{"networks": {}}', b'{"network": []}', b'{"network": null}',
          b'{"networks": []}', b'{"networks": null}', b'{"networks": [1]}', b'{"subnet": {}}', b'{"network": {}, "x": 1}',
          b'{"network": {}, "networks": [{}]}', b'{"Network": {}}', b'{"network": {"name": "a", "name": "b"}}',
          b'{"network": {"name": NaN}}', b'{"network": {"name": "a\\u0000b"}}', b'{"network": {"name": "a\\nb"}}',
          b'{"network": {"name": "\\ud800"}}', b'{"network": {"nonsense": 1}}', b'{"network": {"id": "x"}}',
          b'{"network": {"status": "ACTIVE"}}', b'{"network": {"key": 1}}', b"\xff\xfe", b'{"network": ' + b"[" * 5000,
          b'{"network": {"\\u0000": 1}}', b'{"network": {"na\\u001bme": 1}}']


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.decode("latin-1")[:40])
def test_a_wrong_body_is_400_and_creates_nothing(api, client, body):
    before = dict(api.model.rows["network"])
    answer = client.ask("POST", "/v2.0/networks", body)
    assert answer.status == 400, answer
    assert api.model.rows["network"] == before
    assert answer.error["message"].isprintable()


@pytest.mark.parametrize("body", [{}, {"networks": [{"name": "x"}]}, {"network": 1}, [], {"network": {"nonsense": 1}},
                                  {"network": {"name": None}}, {"network": {"mtu": "x"}}, {"port": {"name": "x"}}])
def test_a_wrong_body_is_400_and_changes_nothing(client, body):
    network = client.create("network", name="unchanged")
    path = f"/v2.0/networks/{network['id']}"
    answer = client.ask("PUT", path, body)
    assert answer.status == 400
    assert client.get(path) == {"network": network}


def test_bulk_creates_all_in_order_or_none(api, client):
    made = client.ask("POST", "/v2.0/networks", {"networks": [{"name": f"bulk{n}"} for n in range(30)]})
    assert made.status == 201
    assert [one["name"] for one in made.body["networks"]] == [f"bulk{n}" for n in range(30)]
    before = dict(api.model.rows["network"])
    for bad in ({"mtu": "x"}, {"nonsense": 1}, {"provider:network_type": "vlan"}):
        refused = client.ask("POST", "/v2.0/networks", {"networks": [{"name": "none"}] * 5 + [bad]})
        assert refused.status in (400, 501)
    assert api.model.rows["network"] == before


def test_fields_say_which_attributes_are_shown(client):
    network = client.create("network", name="fields")
    path = f"/v2.0/networks/{network['id']}"
    assert client.get(f"{path}?fields=id&fields=name") == {"network": {"id": network["id"], "name": "fields"}}
    assert client.get(f"/v2.0/networks?id={network['id']}&fields=name&fields=nonsense") == {"networks": [{"name": "fields"}]}
    assert client.get(f"{path}?fields=tenant_id") == {"network": {"tenant_id": "ops"}}
    assert client.get(f"{path}?fields=") == {"network": network}


def test_a_filter_on_one_object_must_fit_it(client):
    network = client.create("network", name="one")
    assert client.ask("GET", f"/v2.0/networks/{network['id']}?name=one").status == 200
    assert client.ask("GET", f"/v2.0/networks/{network['id']}?name=other").status == 404
    assert client.ask("GET", f"/v2.0/networks/{network['id']}?limit=1").status == 400


@pytest.mark.parametrize("method, query, status", [
    ("POST", "nonsense=1", 400), ("POST", "wait=long", 400), ("POST", "wait=realized&timeout=x", 400), ("PUT", "fields=id", 400),
    ("DELETE", "name=x", 400), ("POST", "wait=realized&timeout=-1", 400), ("POST", "wait=realized&timeout=1e9", 400),
    ("POST", "timeout=5", 400)])
def test_a_parameter_that_a_write_does_not_know_is_refused(api, client, method, query, status):
    network = client.create("network", name="params")
    path = "/v2.0/networks" + ("" if method == "POST" else f"/{network['id']}")
    before = dict(api.model.rows["network"])
    assert client.ask(method, f"{path}?{query}", {"network": {"name": "never"}}).status == status
    assert api.model.rows["network"] == before


def test_a_write_that_waits_says_whether_the_switches_have_followed(client):
    made = client.ask("POST", "/v2.0/networks?wait=realized&timeout=2", {"network": {}})
    late = client.ask("PUT", f"/v2.0/networks/{made.body['network']['id']}?wait=realized", {"network": {"name": "a"}})
    gone = client.ask("DELETE", f"/v2.0/networks/{made.body['network']['id']}?timeout=0.5&wait=realized")
    plain = client.ask("POST", "/v2.0/networks", {"network": {}})
    assert [(one.status, one.headers.get("x-hadron-realized")) for one in (made, late, gone, plain)] == \
        [(201, "true"), (200, "false"), (204, "true"), (201, None)]


def test_many_that_wait_leave_threads_for_the_others(monkeypatch):
    waiting, go = threading.Semaphore(0), threading.Event()

    def realized(timeout):
        waiting.release()
        go.wait(20)
        return True

    with served(realized=realized) as api:
        threads = [threading.Thread(target=lambda: api.client().ask("POST", "/v2.0/networks?wait=realized", {"network": {}}))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(8):
            assert waiting.acquire(timeout=10)
        assert api.client().ask("GET", "/v2.0/networks").status == 200
        go.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("path", ["/v2.0/networks/%00", "/v2.0/networks/a%0Ab", "/v2.0/networks/%ff", "/v2.0/networks?name=%00",
                                  "/v2.0/networks?name=%ff", "/v2.0/networks/" + "a" * 1000, "/v2.0/%00"])
def test_control_characters_and_bytes_that_are_no_text_are_400(client, path):
    answer = client.ask("GET", path)
    assert answer.status == 400 and answer.error["message"].isprintable()


def test_what_goes_wrong_inside_is_500_with_a_number_and_no_details(api, client, caplog, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.writer, "create", broken)
    answer = client.ask("POST", "/v2.0/networks", {"network": {}})
    assert answer.status == 500 and "secret" not in json.dumps(answer.body)
    number = answer.error["message"].partition("number ")[2].partition(" ")[0]
    assert number in caplog.text and "secret detail" in caplog.text


def test_a_store_that_cannot_write_is_503_and_what_is_known_can_still_be_read(caplog):
    class Full(MemoryStore):
        broken = False

        def commit(self, writes, expecting={}):  # noqa: B006
            if self.broken:
                raise StoreError("disk full at /secret/place")
            return super().commit(writes, expecting)

    store = Full()
    with served(store=store) as api:
        client = api.client()
        network = client.create("network")
        store.broken = True
        path = f"/v2.0/networks/{network['id']}"
        for method, where, body in (("POST", "/v2.0/networks", {"network": {}}), ("PUT", path, {"network": {"name": "x"}}),
                                    ("DELETE", path, None), ("PUT", f"{path}/tags/x", None),
                                    ("PUT", "/v2.0/quotas/x", {"quota": {"network": 1}})):
            answer = client.ask(method, where, body)
            assert (answer.status, answer.error["type"], answer.headers["retry-after"]) == (503, "ServiceUnavailable", "1")
            assert "secret" not in str(answer)
        assert client.get("/v2.0/networks") == {"networks": [network]}
        store.broken = False
        assert client.ask("DELETE", path).status == 204


def test_every_answer_has_a_request_id_of_its_own(client):
    ids = {client.ask("GET", "/v2.0/networks").headers["x-openstack-request-id"] for _ in range(5)}
    assert len(ids) == 5 and all(one.startswith("req-") for one in ids)


def test_in_use_is_409_and_says_by_what(client):
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    port = client.create("port", network_id=network["id"])
    refused = client.ask("DELETE", f"/v2.0/networks/{network['id']}")
    assert (refused.status, refused.error["type"]) == (409, "NetworkInUse")
    assert port["id"] in refused.error["message"]
    taken = client.ask("POST", "/v2.0/ports", {"port": {"network_id": network["id"], "fixed_ips": port["fixed_ips"]}})
    assert (taken.status, taken.error["type"]) == (409, "IpAddressInUse")
    same = client.ask("POST", "/v2.0/ports", {"port": {"network_id": network["id"], "mac_address": port["mac_address"]}})
    assert (same.status, same.error["type"]) == (409, "MacAddressInUse")
