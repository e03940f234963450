"""A real Keystone says who may do what: scopes, roles, expiry, revocation, and what happens when it is gone."""
import contextlib
import json
import subprocess

import pytest
from webob import Request

from controller.config import read
from controller.main import Hadron
from controller.policy import Context
from rest.auth import authenticator
from rest.errors import Answered
from rest.keystone import Memory, context_of
from tests.kit import keystone
from tests.kit.openstack import Openstack
from tests.kit.served import Client

needs_keystone = pytest.mark.skipif(not keystone.there(), reason="`make test` installs a Keystone; it is not there")
ROLES = ("admin", "manager", "member", "reader")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A Keystone with a user for each role in project red, and one for the system; Hadron believes it."""
    with keystone.keystone(tmp_path_factory.mktemp("keystone")) as real:
        real.user("hadron", "service", real.project("services"))
        red = real.project("red")
        for role in ROLES:
            real.user(f"red-{role}", role, red)                # a service's own role is Hadron's own user's
        real.user("bluebob", "member", real.project("blue"))
        real.user("auditor", "reader")
        config = read({"store": "memory", "rest": "127.0.0.1:0", "openflow": "127.0.0.1:0", "ovsdb": "127.0.0.1:0",
                       "auth": {"mode": "keystone", "keystone": keystone.options(real.url), "cache_seconds": 0}})
        with contextlib.closing(Hadron(config).start()) as hadron:
            yield real, hadron


def network(place, name, scope="red"):
    real, hadron = place
    return Client(hadron.rest.port, real.token(name, real.ids.get(scope, scope) if isinstance(scope, str) else scope))


@needs_keystone
def test_each_role_may_do_in_its_project_what_it_may(place):
    red = place[0].ids["red"]
    made = network(place, "red-member").create("network", name="mine")
    path = f"/v2.0/networks/{made['id']}"
    assert made["project_id"] == red
    for role, sees, writes in (("admin", True, True), ("manager", True, True), ("member", True, True),
                               ("reader", True, False)):
        client = network(place, f"red-{role}")
        assert client.ask("GET", path).status == (200 if sees else 404), role
        status = client.ask("PUT", path, {"network": {"description": role}}).status
        assert status == (200 if writes else 403 if sees else 404), role
    assert network(place, "bluebob", "blue").ask("GET", path).status == 404
    assert network(place, "auditor", {"system": {"all": True}}).ask("DELETE", path).status in (403, 404)
    assert network(place, "red-member").ask("DELETE", path).status == 204


@needs_keystone
def test_a_token_without_scope_sees_nothing_of_anybodys(place):
    made = network(place, "red-member").create("network")
    nowhere = network(place, "red-member", None)
    assert nowhere.ask("GET", f"/v2.0/networks/{made['id']}").status == 404
    assert nowhere.ask("POST", "/v2.0/networks", {"network": {}}).status == 403


@needs_keystone
def test_what_keystone_does_not_know_is_nobodys(place):
    real, hadron = place
    token = real.token("red-member", real.ids["red"])
    for wrong in (token[:-2], token + "A", "forged", "é"):
        assert Client(hadron.rest.port, wrong).ask("GET", "/v2.0/networks").status == 401
    forged = Client(hadron.rest.port).ask("GET", "/v2.0/networks", X_Roles="admin", X_Project_Id=real.ids["red"],
                                          X_Identity_Status="Confirmed", X_User_Id="x")
    assert forged.status == 401
    as_admin = Client(hadron.rest.port, token).ask("PUT", "/v2.0/quotas/x", {"quota": {"port": 1}}, X_Roles="admin")
    assert as_admin.status == 403


@needs_keystone
def test_a_revoked_token_a_lost_role_and_a_disabled_user_are_out_at_once(place):
    real, hadron = place

    def status(token):
        return Client(hadron.rest.port, token).ask("GET", "/v2.0/networks").status

    revoked, kept = (real.token("red-member", real.ids["red"]) for _ in range(2))
    assert status(revoked) == 200
    real.ask("DELETE", "/auth/tokens", **{"X-Subject-Token": revoked})
    assert (status(revoked), status(kept)) == (401, 200)
    leaving = real.user("leaving", "member", real.ids["red"])
    token = real.token("leaving", real.ids["red"])
    assert status(token) == 200
    real.ask("DELETE", f"/projects/{real.ids['red']}/users/{leaving}/roles/{real.roles['member']}")
    assert status(token) == 401
    real.user("leaving", "member", real.ids["blue"])
    token = real.token("leaving", real.ids["blue"])
    assert status(token) == 200
    real.ask("PATCH", f"/users/{leaving}", {"user": {"enabled": False}})
    assert status(token) == 401


@needs_keystone
def test_an_expired_token_is_out_even_if_it_was_remembered(place, tmp_path):
    """A token that Keystone gave an hour ago, as its database would have it: made with its own key, in the past."""
    real, hadron = place
    config = {"mode": "keystone", "keystone": keystone.options(real.url), "cache_seconds": 300}
    remembering = authenticator(config, address="127.0.0.1")
    token = real.token("red-member", real.ids["red"])

    def ask():
        return remembering(Request.blank("/v2.0/networks", headers={"X-Auth-Token": token}))

    assert ask().project_id == real.ids["red"]
    real.ask("DELETE", "/auth/tokens", **{"X-Subject-Token": token})
    assert ask().project_id == real.ids["red"]                      # believed for as long as it was told to
    memory = remembering._inner._memory
    for key, (until, value) in list(memory._kept.items()):
        data = json.loads(value)
        whole = data[0] if isinstance(data, list) else data
        whole["token"]["expires_at"] = "2020-01-01T00:00:00.000000Z"
        memory._kept[key] = until, json.dumps(data)
    with pytest.raises(Answered) as refused:
        ask()
    assert refused.value.status == 401


@needs_keystone
def test_the_command_finds_hadron_in_keystones_catalog(place):
    real, hadron = place
    real.network(f"http://127.0.0.1:{hadron.rest.port}")
    run = Openstack.by_password(f"{real.url}/v3", "red-manager", keystone.PASSWORD.format("red-manager"), "red")
    made = run("network create by-command")
    assert made["project_id"] == real.ids["red"]
    assert "by-command" in [one["Name"] for one in run("network list")]
    run("network delete by-command")


def test_a_keystone_that_is_gone_is_503_and_not_an_open_door():
    gone = authenticator({"mode": "keystone", "keystone": keystone.options("http://127.0.0.1:1")}, address="127.0.0.1")
    with pytest.raises(Answered) as refused:
        gone(Request.blank("/v2.0/networks", headers={"X-Auth-Token": "anything"}))
    assert refused.value.status == 503
    with pytest.raises(Answered) as refused:
        gone(Request.blank("/v2.0/networks", headers={"X-Roles": "admin", "X-Identity-Status": "Confirmed"}))
    assert refused.value.status == 401


@pytest.mark.parametrize("config, text", [
    ({}, "auth.keystone"), ({"keystone": {}}, "auth.keystone"), ({"keystone": "http://x"}, "auth.keystone"),
    ({"keystone": keystone.options("http://x"), "cache_seconds": 3600}, "cache_seconds"), ({"users": []}, "auth.users")])
def test_a_wrong_configuration_is_named(config, text):
    with pytest.raises(ValueError, match=text) as wrong:
        authenticator({"mode": "keystone", **config}, address="127.0.0.1")
    assert keystone.PASSWORD.format("hadron") not in str(wrong.value)


def test_headers_of_the_middleware_become_a_context():
    red = {"HTTP_X_PROJECT_ID": "p", "HTTP_X_USER_ID": "u", "HTTP_X_USER_NAME": "ann", "HTTP_X_ROLES": "member, other"}
    assert context_of(red) == Context(project_id="p", roles=frozenset({"member", "reader", "other"}), user="ann", user_id="u")
    system = context_of({"HTTP_OPENSTACK_SYSTEM_SCOPE": "all", "HTTP_X_ROLES": "admin", "HTTP_X_USER_ID": "u"})
    assert system.is_admin and system.system and system.project_id is None and system.user == "u"
    assert context_of({}).roles == frozenset()


def test_what_is_remembered_ends_in_time_and_is_not_without_limit():
    moment = [0.0]
    memory = Memory(lambda: moment[0])
    memory.set("a", b"1", time=10)
    assert memory.get("a") == b"1" and memory.get("b") is None
    moment[0] = 10.0
    assert memory.get("a") is None
    for number in range(memory.MOST + 5):
        memory.set(str(number), b"", time=10)
    assert memory.get("0") is None and memory.get(str(memory.MOST)) == b""


def test_nobody_needs_the_middleware_who_does_not_use_it():
    said = subprocess.run(["python3", "-c", "import sys, rest.auth; print('keystonemiddleware' in sys.modules)"],
                          capture_output=True, text=True)
    assert "True" not in said.stdout
