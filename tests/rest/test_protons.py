"""A user's model file has an API with nothing written for it: addresses, parents, filters, errors, tags, description."""
from pathlib import Path

import pytest

from tests.kit.served import served

MODEL = """
file_version: "1.0"
info: {name: net-garden, version: "1.0", description: Gardens}
imports: base.yaml
objects:
  Garden:
    api: {name: garden, plural_name: gardens}
    extends: Owned
    attributes:
      size: {type: integer, min: 1, max: 100, default: 5, index: true, description: Square metres}
  Plant:
    api: {name: plant, plural_name: plants, parent: Garden, parent_key: garden_id}
    extends: Owned
    attributes:
      garden_id: {type: Garden, required: true, settable: create, on_delete: cascade, description: Where it grows}
      colour: {type: enum, values: [red, green], default: green, description: Of its leaves}
"""
BASE = "/proton/net-garden/1.0"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protons")
    (folder / "garden.yaml").write_text(MODEL)
    (folder / "base.yaml").write_text(Path("apps/base.yaml").read_text())
    with served(tokens=True, protons=[folder]) as running:
        yield running


def ask(client, method, path, body=None):
    answer = client.ask(method, f"{BASE}/{path}", body)
    assert answer.status < 300, answer
    return answer.body


def test_objects_and_their_parts_live_at_addresses_of_their_own(api):
    ann, bob = api.client("ann"), api.client("bob")
    one, other = (ask(ann, "POST", "gardens", {"garden": {"size": size}})["garden"] for size in (7, 9))
    plant = ask(ann, "POST", f"gardens/{one['id']}/plants", {"plant": {"colour": "red"}})["plant"]
    assert plant["garden_id"] == one["id"]
    assert ask(ann, "GET", f"gardens/{one['id']}/plants") == {"plants": [plant]}
    assert ask(ann, "GET", f"gardens/{one['id']}/plants/{plant['id']}.json") == {"plant": plant}
    assert ask(ann, "GET", f"gardens/{other['id']}/plants") == {"plants": []}
    assert ask(ann, "PUT", f"gardens/{one['id']}/plants/{plant['id']}", {"plant": {"colour": "green"}})["plant"]["colour"] == "green"
    for path in (f"gardens/{other['id']}/plants/{plant['id']}", "gardens/none/plants", "plants", f"gardens/{one['id']}/trees",
                 f"gardens/{one['id']}/plants/{plant['id']}/leaves"):
        assert ann.ask("GET", f"{BASE}/{path}").status == 404
    for method, path, body in (("GET", f"gardens/{one['id']}/plants", None), ("POST", f"gardens/{one['id']}/plants", {"plant": {}}),
                               ("DELETE", f"gardens/{one['id']}/plants/{plant['id']}", None)):
        assert bob.ask(method, f"{BASE}/{path}", body).status == 404
    elsewhere = ann.ask("POST", f"{BASE}/gardens/{one['id']}/plants", {"plant": {"garden_id": other["id"]}})
    assert elsewhere.status == 400 and "garden_id" in elsewhere.error["message"]
    ask(ann, "PUT", f"gardens/{one['id']}/plants/{plant['id']}/tags/tall")
    assert ask(ann, "GET", f"gardens/{one['id']}/plants/{plant['id']}/tags") == {"tags": ["tall"]}
    assert ann.ask("GET", f"{BASE}/gardens/{other['id']}/plants/{plant['id']}/tags").status == 404
    ask(ann, "DELETE", f"gardens/{one['id']}")
    assert ann.ask("GET", f"{BASE}/gardens/{one['id']}/plants/{plant['id']}").status == 404


def test_filters_errors_tags_and_description_are_there(api):
    client = api.client("eve")
    made = ask(client, "POST", "gardens", {"gardens": [{"size": size} for size in (1, 2, 2)]})["gardens"]
    assert len(ask(client, "GET", "gardens?size=2")["gardens"]) == 2
    wrong = client.ask("POST", f"{BASE}/gardens", {"garden": {"size": 101}})
    assert (wrong.status, wrong.error["message"][:5]) == (400, "size:")
    missing = client.ask("GET", f"{BASE}/gardens/none")
    assert (missing.status, missing.error["type"]) == (404, "GardenNotFound")
    ask(client, "PUT", f"gardens/{made[0]['id']}/tags/small")
    assert [one["id"] for one in ask(client, "GET", "gardens?tags=small")["gardens"]] == [made[0]["id"]]
    paths = client.get("/openapi.json")["paths"]
    assert {f"{BASE}/gardens", f"{BASE}/gardens/{{garden_id}}/plants/{{id}}"} <= set(paths)
    assert "gardens" not in [one["collection"] for one in client.get("/v2.0/")["resources"]]
