"""Hadron's own identity endpoint: who may have which token, what it says, and how it ends."""
import contextlib
import json
import socket
import ssl
import stat
import time

import pytest

from controller.config import read
from controller.main import Hadron
from rest.directory import Directory
from rest.signed import Signed, read_key
from tests.kit.certificates import certificate
from tests.kit.people import PASSWORD, town, users
from tests.kit.served import Client


@pytest.fixture(scope="module")
def place():
    with town() as running:
        yield running


def test_clients_find_the_versions_and_need_no_token_for_that(place):
    client = place.client()
    answer = client.ask("GET", "/")
    assert answer.status == 300 and [one["id"] for one in answer.body["versions"]["values"]] == ["v3.14", "v2.0"]
    for name, id in (("v3", "v3.14"), ("v2.0", "v2.0")):
        shown = client.get(f"/{name}/")["version"]
        assert shown["id"] == id and shown["links"] == [{"rel": "self", "href": f"{place.url}/{name}/"}]
    assert client.ask("POST", "/").status == client.ask("DELETE", "/v3").status == 405
    assert client.ask("GET", "/v4").status == 404


def test_a_token_says_who_for_which_project_with_which_roles_and_where_to_go(place):
    answer = place.log_in("mia", "red")
    assert answer.status == 201 and answer.headers["cache-control"] == "no-store"
    token = answer.body["token"]
    assert token["user"] == {"id": "mia", "name": "mia", "domain": {"id": "default", "name": "Default"},
                             "password_expires_at": None}
    assert token["project"]["name"] == "red" and token["methods"] == ["password"]
    assert [role["name"] for role in token["roles"]] == ["manager", "member", "reader"]
    network = next(one for one in token["catalog"] if one["type"] == "network")
    assert {one["url"] for one in network["endpoints"]} == {f"http://127.0.0.1:{place.rest_port}"}
    assert {one["interface"] for one in network["endpoints"]} == {"public", "internal", "admin"}
    assert token["issued_at"] < token["expires_at"]


def test_scopes_are_project_system_and_none(place):
    assert "project" not in place.log_in("ann", "unscoped").body["token"]
    assert place.log_in("ann").body["token"]["project"]["name"] == "red"
    assert place.log_in("ann", "blue").body["token"]["roles"] == [{"id": "reader", "name": "reader"}]
    system = place.log_in("auditor", {"system": {"all": True}}).body["token"]
    assert system["system"] == {"all": True} and "project" not in system
    for name, scope in (("bob", "red"), ("ann", "nowhere"), ("ann", {"system": {"all": True}}), ("root", "red"),
                        ("ann", {"project": {"name": "red", "domain": {"id": "other"}}}),
                        ("ann", {"domain": {"id": "default"}})):
        refused = place.log_in(name, scope)
        assert refused.status == 401 and refused.body["error"]["code"] == 401, (name, scope)
        assert "x-subject-token" not in refused.headers


@pytest.mark.parametrize("wrong", [
    {}, {"auth": {}}, {"auth": {"identity": {"methods": []}}}, {"auth": {"identity": {"methods": ["oauth"]}}},
    {"auth": {"identity": {"methods": ["password"]}}}, {"auth": {"identity": {"methods": ["password"], "password": {"user": {}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 5, "password": "x"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "ann", "password": None}}}}},
    {"auth": {"identity": {"methods": ["token"], "token": {}}}}, [], "auth", None])
def test_what_is_no_request_for_a_token_is_400_and_quotes_nothing(place, wrong):
    answer = place.client().ask("POST", "/v3/auth/tokens", wrong if wrong is not None else b"{not json secret")
    assert answer.status == 400 and set(answer.body["error"]) == {"code", "title", "message"}
    assert "secret" not in json.dumps(answer.body)


def test_wrong_passwords_and_unknown_names_get_the_same_answer(place):
    seen = {json.dumps(place.log_in(name, password=password).body)
            for name, password in (("ann", "wrong"), ("nobody", "wrong"), ("ann", ""), ("", "x"), ("ann", "x" * 5000),
                                   ("ann", PASSWORD.format("bob")))}
    assert len(seen) == 1 and "Unauthorized" in seen.pop()


def test_a_token_is_seen_by_its_owner_and_by_administrators_and_services_only(place):
    anns, bobs = place.token("ann"), place.token("bob")
    for who in (anns, place.token("root"), place.token("nova")):
        seen = place.client(who).ask("GET", "/v3/auth/tokens", X_Subject_Token=anns)
        assert seen.status == 200 and seen.body["token"]["user"]["name"] == "ann" and seen.headers["x-subject-token"] == anns
        assert place.client(who).ask("HEAD", "/v3/auth/tokens", X_Subject_Token=anns).status == 200
    for method in ("GET", "DELETE"):
        assert place.client(bobs).ask(method, "/v3/auth/tokens", X_Subject_Token=anns).status == 403
        assert place.client().ask(method, "/v3/auth/tokens", X_Subject_Token=anns).status == 401
    assert place.client(place.token("root")).ask("GET", "/v3/auth/tokens", X_Subject_Token="x.y").status == 404
    assert "catalog" not in place.client(anns).ask("GET", "/v3/auth/tokens?nocatalog", X_Subject_Token=anns).body["token"]


def test_a_revoked_token_ends_with_those_made_of_it_and_no_other(place):
    first, other = place.token("ann"), place.token("ann")
    again = place.client().ask("POST", "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["token"], "token": {"id": first}},
        "scope": {"project": {"id": "blue"}}}})
    child = again.headers["x-subject-token"]
    assert again.body["token"]["methods"] == ["password", "token"] and len(again.body["token"]["audit_ids"]) == 2
    assert Client(place.rest_port, child).ask("GET", "/v2.0/networks").status == 200
    assert place.client(first).ask("DELETE", "/v3/auth/tokens", X_Subject_Token=first).status == 204
    for token in (first, child):
        assert Client(place.rest_port, token).ask("GET", "/v2.0/networks").status == 401
        assert place.client(token).ask("GET", "/v3/auth/projects").status == 401
    assert Client(place.rest_port, other).ask("GET", "/v2.0/networks").status == 200


def test_every_changed_character_makes_a_token_worthless(place):
    token = place.token("ann")
    for at in range(0, len(token), 7):
        forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
        assert place.hadron.access.signed.read(forged) is None, at
    for forged in ("", ".", token[:-1], token + "A", token.partition(".")[0], "é" * 50, "A" * 5000, f"{token}.{token}"):
        assert place.hadron.access.signed.read(forged) is None


def directory(**more):
    return Directory([{**one, **(more if one["name"] == "ann" else {})} for one in users()])


def test_a_token_ends_in_time_and_with_its_password_user_role_or_key():
    moment, people = [1000.0], directory()
    made = Signed(b"k" * 32, people, seconds=60, now=lambda: moment[0])
    text, token = made.issue(people.users["ann"], "red")
    assert made.read(text) == token and token.expires == 1060
    rescoped, _ = made.issue(people.users["ann"], "blue", by=token)
    moment[0] = 1060.0
    assert made.read(text) is None and made.read(rescoped) is None

    def elsewhere(people, key=b"k" * 32):
        return Signed(key, people, now=lambda: 1001.0).read(text)
    same = Directory([{"name": one.name, "password": one.password, "projects": {p: list(r) for p, r in one.projects.items()},
                       "system": list(one.system)} for one in people.users.values()])
    assert elsewhere(same) == token
    assert elsewhere(same, b"K" * 32) is None
    assert elsewhere(directory()) is None                              # the same password, hashed anew
    for change in ({"projects": {"blue": ["member"]}}, {"name": "anna"}):
        entries = [{"name": one.name, "password": one.password, "projects": {p: list(r) for p, r in one.projects.items()},
                    "system": list(one.system), **(change if one.name == "ann" else {})} for one in people.users.values()]
        assert elsewhere(Directory(entries)) is None


def test_revocation_and_key_survive_a_restart_and_the_key_is_for_its_owner_only(tmp_path):
    store, entries = str(tmp_path / "hadron.db"), users()
    with town(store, users=entries) as first:
        kept, revoked = first.token("ann"), first.token("ann")
        assert first.client(kept).ask("DELETE", "/v3/auth/tokens", X_Subject_Token=revoked).status == 204
    key = tmp_path / "hadron.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with town(store, users=entries) as second:
        assert Client(second.rest_port, kept).ask("GET", "/v2.0/networks").status == 200
        assert Client(second.rest_port, revoked).ask("GET", "/v2.0/networks").status == 401
    key.chmod(0o640)
    with pytest.raises(ValueError, match="may be read by others; chmod 600"):
        read_key(None, None, str(key))
    key.chmod(0o600)
    key.write_text("short")
    with pytest.raises(ValueError, match="at least 32 characters"):
        read_key(None, str(key), "")
    link = tmp_path / "link"
    link.symlink_to(key)
    for path in (link, tmp_path / "missing"):
        with pytest.raises(ValueError, match="auth.key_file"):
            read_key(None, str(path), "")
    with pytest.raises(ValueError, match="auth.key: "):
        read_key("short", None, "")


def test_whoever_guesses_waits_and_others_do_not(place):
    statuses = [place.log_in("rob", password=f"guess {n}").status for n in range(8)]
    assert statuses[:6] == [401] * 6 and statuses[-1] == 429
    refused = place.log_in("rob")
    assert refused.status == 429 and int(refused.headers["retry-after"]) >= 1
    assert place.log_in("bob").status == 201
    deadline = time.monotonic() + 30
    while place.log_in("rob").status != 201:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_no_token_or_password_is_in_a_log_an_answer_or_an_error(place, caplog):
    with caplog.at_level("DEBUG"):
        token = place.token("ann", "red")
        ann = Client(place.rest_port, token)
        answers = [ann.ask("GET", "/v2.0/networks"), ann.ask("GET", f"/v2.0/networks/{token}"),
                   ann.ask("POST", "/v2.0/networks", {"network": {"nonsense": 1}}), ann.ask("GET", "/inspect/ports"),
                   place.log_in("ann", "red", "the wrong one"), place.client("forged.token").ask("GET", "/v3/users"),
                   place.client(token).ask("GET", "/v3/users/ann"), place.client(token).ask("GET", "/v3/auth/catalog")]
    said = caplog.text + "".join(json.dumps(one.body) for one in answers if token not in json.dumps(one.body))
    hashes = [one.password for one in place.hadron.access.directory.users.values()]
    for secret in (PASSWORD.format("ann"), "the wrong one", "forged.token", *hashes):
        assert secret not in said
    for about in (place.hadron.config, place.hadron.access.directory.users):
        assert not any(secret in repr(about) for secret in hashes)


def test_v2_clients_take_the_way_by_tenants(place):
    first = place.client().ask("POST", "/v2.0/tokens", {"auth": {"passwordCredentials": {
        "username": "ann", "password": PASSWORD.format("ann")}}})
    assert first.status == 200 and set(first.body) == {"access"}
    token = first.body["access"]["token"]["id"]
    assert [one["name"] for one in place.client(token).get("/v2.0/tenants")["tenants"]] == ["red", "blue"]
    scoped = place.client().ask("POST", "/v2.0/tokens", {"auth": {"token": {"id": token}, "tenantName": "blue"}})
    access = scoped.body["access"]
    assert set(access) == {"token", "user", "serviceCatalog", "metadata"}
    assert set(access["token"]) == {"id", "issued_at", "expires", "tenant"} and access["token"]["tenant"]["name"] == "blue"
    assert access["user"]["roles"] == [{"id": "reader", "name": "reader"}]
    network = next(one for one in access["serviceCatalog"] if one["type"] == "network")
    assert set(network) == {"type", "name", "endpoints", "endpoints_links"}
    assert network["endpoints"][0]["publicURL"] == f"http://127.0.0.1:{place.rest_port}"
    assert Client(place.rest_port, access["token"]["id"]).ask("GET", "/v2.0/networks").status == 200
    for wrong in ({"passwordCredentials": {"username": "ann", "password": "x"}}, {"token": {"id": "forged"}},
                  {"token": {"id": token}, "tenantName": "nowhere"}, {"token": {"id": token}, "tenantId": "service"}):
        assert place.client().ask("POST", "/v2.0/tokens", {"auth": wrong}).status == 401
    for wrong in ({}, {"passwordCredentials": {}}, {"token": {}}):
        assert place.client().ask("POST", "/v2.0/tokens", {"auth": wrong}).status == 400
    assert place.client().ask("GET", "/v2.0/tenants").status == 401


def test_a_project_sees_its_own_and_the_system_sees_all(place):
    def names(name, scope, what):
        return {one["name"] for one in place.client(place.token(name, scope)).get(f"/v3/{what}")[what]}
    own = place.client(place.token("ann", "unscoped"))
    for path in ("/v3/auth/projects", "/v3/users/ann/projects"):
        assert {one["name"] for one in own.get(path)["projects"]} == {"red", "blue"}
    assert own.get("/v3/users/ann")["user"]["name"] == "ann" and own.get("/v3/projects/blue")["project"]["id"] == "blue"
    for path in ("/v3/users", "/v3/projects", "/v3/projects?name=red"):
        assert own.ask("GET", path).status == 403
    everything = {"red", "blue", "admin", "service", "empty"}
    assert names("root", "admin", "projects") == names("auditor", {"system": {"all": True}}, "projects") == everything
    assert names("root", "admin", "roles") == {"admin", "manager", "member", "reader", "service"}
    root = place.client(place.token("root"))
    assert [one["id"] for one in root.get("/v3/projects?name=red")["projects"]] == ["red"]
    assert root.get("/v3/projects/red")["project"]["enabled"] is True
    assert {one["service_id"] for one in root.get("/v3/endpoints")["endpoints"]} == {"network", "identity"}
    for path in ("/v3/projects/service", "/v3/projects/nowhere", "/v3/users/bob"):
        assert place.client(place.token("ann")).ask("GET", path).status == 403
    assert root.ask("GET", "/v3/projects/nowhere").status == 404
    for path in ("/v3/nothing", "/v3/users/ann/roles", "/v3/auth/nothing"):
        assert root.ask("GET", path).status == 404
    for method, path in (("POST", "/v3/projects"), ("PATCH", "/v3/users/ann"), ("DELETE", "/v3/projects/red")):
        assert root.ask(method, path, {}).status == 405
    assert place.client().ask("GET", "/v3/projects").status == 401


def test_the_network_api_knows_the_project_and_roles_of_a_token(place):
    ann, blue, bob = place.network("ann"), place.network("ann", "blue"), place.network("bob")
    network = ann.create("network", name="anns")
    assert network["project_id"] == "red"
    assert [one["id"] for one in place.network("rob").get("/v2.0/networks")["networks"]] == [network["id"]]
    assert bob.get("/v2.0/networks")["networks"] == blue.get("/v2.0/networks")["networks"] == []
    assert blue.ask("POST", "/v2.0/networks", {"network": {}}).status == 403
    assert place.network("rob").ask("DELETE", f"/v2.0/networks/{network['id']}").status == 403
    assert place.network("ann", "unscoped").ask("POST", "/v2.0/networks", {"network": {}}).status == 403
    assert place.network("root", {"system": {"all": True}}).ask("DELETE", f"/v2.0/networks/{network['id']}").status == 204


def test_identity_speaks_tls_and_the_catalog_says_so(tmp_path):
    files = certificate(tmp_path, "localhost")
    tls = {"certificate": files.certificate, "key": files.key}
    config = read({"store": "memory", "openflow": "127.0.0.1:0", "ovsdb": "127.0.0.1:0",
                   "rest": {"listen": "127.0.0.1:0", "tls": tls}, "identity": {"listen": "127.0.0.1:0", "tls": tls},
                   "auth": {"mode": "identity", "users": users()}})
    with contextlib.closing(Hadron(config).start()) as hadron:
        context = ssl.create_default_context(cafile=files.authority)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", hadron.identity.port)), server_hostname="localhost") as one:
            said = json.dumps({"auth": {"passwordCredentials": {"username": "ann", "password": PASSWORD.format("ann")}}})
            one.sendall(f"POST /v2.0/tokens HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n"
                        f"Content-Length: {len(said)}\r\n\r\n{said}".encode())
            heard = b"".join(iter(lambda: one.recv(65536), b""))
        catalog = json.loads(heard.partition(b"\r\n\r\n")[2])["access"]["serviceCatalog"]
        assert {one["endpoints"][0]["publicURL"] for one in catalog} == {
            f"https://localhost:{hadron.rest.port}", "https://localhost:1/v2.0"}


@pytest.mark.parametrize("change, text", [
    ({"users": []}, "auth.users"), ({"users": [{"name": "x"}]}, r"auth.users\[0\].password"),
    ({"users": [{"name": "x", "password": "plain text"}]}, r"auth.users\[0\].password: must be a hash"),
    ({"users": [{"name": "x", "password": "scrypt:31:8:1:" + "A" * 22 + ":" + "A" * 43}]}, "costs too little or too much"),
    ({"users": [{**users()[0], "projects": {"a": ["king"]}}]}, r"auth.users\[0\].projects.a"),
    ({"users": [{**users()[0], "projects": {}, "system": []}]}, r"auth.users\[0\].projects"),
    ({"users": [users()[0]] * 2}, r"auth.users\[1\].name"), ({"users": [{**users()[0], "rolls": 1}]}, "rolls"),
    ({"projects": ["a", "a"]}, r"auth.projects\[1\]"), ({"key": "short"}, "auth.key"), ({"token_seconds": 1}, "token_seconds"),
    ({"token_seconds": True}, "token_seconds"), ({"nonsense": 1}, "auth.nonsense")])
def test_a_wrong_configuration_is_named_and_shows_no_secret(change, text):
    with pytest.raises(ValueError, match=text) as wrong, town(**change):
        raise AssertionError("started")
    assert "plain text" not in str(wrong.value)
