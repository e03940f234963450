"""Who asks: nobody is let in by mistake, and no token is kept, shown or guessed bit by bit."""
import pytest
from webob import Request

from rest.auth import Anybody, Tokens, authenticator
from rest.errors import Answered

SECRET = "s3cret-token"


def asking(**headers: str) -> Request:
    return Request.blank("http://localhost:9696/v2.0/networks", headers={k.replace("_", "-"): v for k, v in headers.items()})


def tokens(**entry) -> Tokens:
    return Tokens([{"token": SECRET, "project_id": "one", "roles": ["member"], "user": "ann", **entry}])


def test_a_known_token_says_project_roles_and_user():
    context = tokens()(asking(X_Auth_Token=SECRET))
    assert (context.project_id, context.roles, context.user, context.is_admin) == ("one", {"member"}, "ann", False)
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
    ({}, "auth.mode"), ({"mode": "keystone"}, "auth.mode"), ({"mode": "tokens"}, "auth.tokens"),
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
