"""What of Neutron's API is not served says so where it would be, with the reason."""
from __future__ import annotations

import pytest

from rest.unserved import ADDRESSES
from tests.kit.openstack import Openstack
from tests.kit.served import Client, Served


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_an_address_that_is_not_served_answers_501_and_says_why(client: Client, name: str) -> None:
    some = "12345678-0000-4000-8000-000000000000"
    for path in (f"/v2.0/{name}", f"/v2.0/{name}.json", f"/v2.0/{name}/{some}", f"/v2.0/qos/policies/{some}/{name}"):
        for method in ("GET", "POST", "DELETE"):
            answer = client.ask(method, path, {} if method == "POST" else None)
            if path.count("/") > 4 and "rules" not in name:
                continue
            assert (answer.status, answer.error["type"]) == (501, "NotImplemented"), (method, path, answer)
            assert ADDRESSES[name] in answer.error["message"]


def test_other_addresses_are_not_there(client: Client) -> None:
    for path in ("/v2.0/nonsense", "/v2.0/networks/x/nonsense", "/v1.0/flavors", "/flavors"):
        assert client.ask("GET", path).status == 404


def test_the_command_hears_why_something_is_not_served(api: Served) -> None:
    command = Openstack.by_token(api.url)
    command("network qos policy create gold")
    said = command.fails("network qos rule create --type minimum-packet-rate --min-kpps 1000 --egress gold")
    assert "packets are not promised" in said
