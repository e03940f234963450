"""Who asks: nobody is let in by mistake, and no token is kept, shown or guessed bit by bit."""
import base64

import pytest
from webob import Request

from rest.auth import Anybody, Slowed, Tokens, authenticator
from rest.errors import Answered
from tests.kit.people import PASSWORD, users

SECRET = "s3cret-token"


def asking(**headers: str) -> Request:
    return Request.blank("http://localhost:9696/v2.0/networks", headers={k.replace("_", "-"): v for k, v in headers.items()})


def tokens(**entry) -> Tokens:
    return Tokens([{"token": SECRET, "project_id": "one", "roles": ["member"], "user": "ann", **entry}])


def test_a_known_token_says_project_roles_and_user():
    context = tokens()(asking(X_Auth_Token=SECRET))
    assert (context.project_id, context.roles, context.user, context.is_admin) == ("one", {"member", "reader"}, "ann", False)
    assert tokens(roles=["admin"])(asking(X_Auth_Token=SECRET)).is_admin


@pytest.mark.parametrize("headers", [{}, {"X_Auth_Token": ""}, {"X_Auth_Token": SECRET + "x"}, {"X_Auth_Token": SECRET[:-1]},
                                     {"X_Auth_Token": "\xff" * 20}, {"Authorization": f"Bearer {SECRET}"},
                                     {"X_Project_Id": "one", "X_Roles": "admin"}])
def test_no_token_or_a_wrong_one_is_401(headers):
    with pytest.raises(Answered) as refused:
        tokens()(asking(**headers))
    assert refused.value.status == 401
    assert SECRET not in str(refused.value)


def test_identity_headers_of_a_middleware_change_nothing():
    context = tokens()(asking(X_Auth_Token=SECRET, X_Roles="admin", X_Project_Id="two", X_Is_Admin="true"))
    assert context.project_id == "one" and not context.is_admin


def test_a_token_is_nowhere_to_be_found_once_read():
    made = tokens()
    assert SECRET not in repr(vars(made))


@pytest.mark.parametrize("entry, field", [
    ({"token": "short"}, "token"), ({"token": None}, "token"), ({"token": "töken-with-umlaut"}, "token"),
    ({"token": "with newline\n"}, "token"), ({"project_id": ""}, "project_id"), ({"project_id": None}, "project_id"),
    ({"roles": []}, "roles"), ({"roles": ["emperor"]}, "roles"), ({"roles": "admin"}, "roles"), ({"rolls": []}, "rolls")])
def test_a_wrong_entry_of_the_configuration_is_named(entry, field):
    with pytest.raises(ValueError, match=rf"auth\.tokens\[0\]\.{field}: ") as wrong:
        tokens(**entry)
    assert SECRET not in str(wrong.value)


def test_the_same_token_twice_is_refused():
    with pytest.raises(ValueError, match=r"auth\.tokens\[1\]\.token"):
        Tokens([{"token": SECRET, "project_id": "a", "roles": ["admin"]}] * 2)


@pytest.mark.parametrize("config, text", [
    ({}, "auth.mode"), ({"mode": "kerberos"}, "auth.mode"), ({"mode": "tokens"}, "auth.tokens"),
    ({"mode": "tokens", "tokens": []}, "auth.tokens"), ({"mode": "none", "nonsense": 1}, "auth.nonsense")])
def test_a_configuration_that_says_nothing_lets_nobody_in(config, text):
    with pytest.raises(ValueError, match=text):
        authenticator(config, address="127.0.0.1")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "hadron.example"])
def test_no_authentication_off_loopback_must_be_asked_for(address):
    with pytest.raises(ValueError, match="everybody"):
        authenticator({"mode": "none"}, address=address)
    assert authenticator({"mode": "none"}, address=address, allow_remote=True)(asking()).is_admin


def test_without_authentication_everybody_is_administrator_of_one_project():
    context = authenticator({"mode": "none", "project_id": "lab"}, address="127.0.0.1")(asking())
    assert context.is_admin and context.project_id == "lab"


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example:9696"},
                                     {"Host": "[2001:db8::1]:9696"}])
def test_without_authentication_a_web_page_is_not_served(headers):
    with pytest.raises(Answered) as refused:
        Anybody()(asking(**headers))
    assert refused.value.status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9696", "127.0.0.1:9696", "[::1]:9696", "[::1]", "127.1.2.3"])
def test_every_name_of_loopback_is_served(host):
    assert Anybody()(asking(Host=host)).is_admin


def basic(name, password, scheme="Basic"):
    return asking(Authorization=f"{scheme} " + base64.b64encode(f"{name}:{password}".encode()).decode())


def test_a_name_and_password_say_the_first_project_of_a_user():
    let_in = authenticator({"mode": "http_basic", "users": users()}, address="192.0.2.1")
    for _ in range(3):
        context = let_in(basic("ann", PASSWORD.format("ann")))
        assert (context.project_id, context.user, context.roles) == ("red", "ann", {"member", "reader"})
    assert let_in(basic("root", PASSWORD.format("root"), "bAsIc")).is_admin
    everything = let_in(basic("auditor", PASSWORD.format("auditor")))
    assert everything.system and everything.project_id is None and everything.roles == {"reader"}
    assert PASSWORD.format("ann") not in repr(vars(let_in))


@pytest.mark.parametrize("request_", [asking(), asking(Authorization="Basic"), asking(Authorization="Basic ???"),
                                      asking(Authorization="Basic " + base64.b64encode(b"\xff:x").decode()),
                                      asking(Authorization="Basic " + base64.b64encode(b"ann").decode()),
                                      basic("ann", "wrong"), basic("", ""), basic("ann", PASSWORD.format("ann"), "Bearer")])
def test_a_wrong_password_is_401_and_asks_for_one(request_):
    with pytest.raises(Answered) as refused:
        authenticator({"mode": "http_basic", "users": users()}, address="127.0.0.1")(request_)
    assert refused.value.status == 401 and dict(refused.value.headers)["WWW-Authenticate"].startswith("Basic ")


def test_a_web_page_cannot_use_the_password_that_a_browser_keeps():
    request = basic("ann", PASSWORD.format("ann"))
    request.environ["HTTP_ORIGIN"] = "http://evil.example"
    with pytest.raises(Answered) as refused:
        authenticator({"mode": "http_basic", "users": users()}, address="127.0.0.1")(request)
    assert refused.value.status == 403


def test_whoever_guesses_tokens_waits_but_not_those_who_were_let_in_before():
    let_in = Slowed(tokens())

    def status(token, address="192.0.2.7"):
        request = asking(X_Auth_Token=token)
        request.environ["REMOTE_ADDR"] = address
        try:
            let_in(request)
        except Answered as wrong:
            return wrong.status
        return 200

    assert status(SECRET) == 200
    assert [status(f"guess-{number}") for number in range(25)][-4:] == [429] * 4
    assert status(SECRET) == 200 and status(SECRET, "192.0.2.8") == 200 and status("guess", "192.0.2.9") == 401
    late = Slowed(tokens())
    for number in range(22):
        with pytest.raises(Answered):
            late(asking(X_Auth_Token=f"guess-{number}"))
    with pytest.raises(Answered) as refused:
        late(asking(X_Auth_Token=SECRET))
    assert refused.value.status == 429 and int(dict(refused.value.headers)["Retry-After"]) >= 1
