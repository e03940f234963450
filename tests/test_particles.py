"""Model files: Gluon's language as it is, and what is wrong said as `file: Object.attribute: why`."""
from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from controller.errors import Refused
from controller.particles import BadModel, load, load_all
from tests.kit.worlds import ADMIN, ROOT, World

CORE = [ROOT / "apps", ROOT / "topology"]

# In Gluon's language, as its documentation describes it: nothing of what Hadron adds.
BASE = """
    file_version: "1.0"
    objects:
      BaseObject:
        attributes:
          id: {type: uuid, primary: true, description: "UUID of Object"}
          tenant_id: {type: uuid, required: true, description: "UUID of Tenant"}
          name: {type: string, length: 64, description: "Descriptive name of Object"}
        policies:
          create: {role: "rule:admin_or_owner"}
          delete: {role: "rule:admin_or_owner"}
          list: {role: "rule:admin"}
          get: {role: "rule:admin_or_owner"}
          update: {role: "rule:admin_or_owner"}
      BasePort:
        extends: BaseObject
        attributes:
          mac_address: {type: string, length: 18, required: true, format: mac}
          admin_state_up: {type: boolean, required: true}
          status: {type: enum, required: true, values: ['ACTIVE', 'DOWN']}
          mtu: {type: integer, required: true}
          profile: {type: string, length: 128, format: json}
      BaseInterface:
        extends: BaseObject
        attributes:
          port_id: {type: uuid, required: true}
          segmentation_id: {type: integer, required: true}
"""
VPN = """
    file_version: "1.0"
    imports: base/base.yaml
    info:
      name: net-l3vpn
      version: 1.0
      description: "L3VPN API Specification"
      author: {name: "Some Team", url: https://example.com/, email: team@example.com}
    objects:
      Port:
        api: {name: port, plural_name: ports}
        extends: BasePort
      Interface:
        api: {name: interface, plural_name: interfaces, parent: Port, parent_key: port_id}
        extends: BaseInterface
        attributes:
          port_id: {type: Port}
      VpnService:
        api: {name: vpn, plural_name: vpns}
        extends: BaseObject
        attributes:
          route_distinguishers: {type: string, length: 32}
      VpnBinding:
        api: {name: vpnbinding}
        attributes:
          interface_id: {type: Interface, required: true, primary: 'True'}
          service_id: {type: VpnService, required: true, primary: true}
          ipaddress: {type: string, length: 16, format: ipv4}
          subnet_prefix: {type: integer, format: int32, min: 1, max: 31}
      BGPPeering:
        api: {name: bgppeering, plural_name: bgppeerings}
        attributes:
          as_number: {required: true, type: integer, format: int32}
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name, text in (("base/base.yaml", BASE), ("net-l3vpn/api.yaml", VPN)):
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "models"


def test_a_file_in_gluons_language_loads_unchanged(models: Path) -> None:
    found = load(models / "net-l3vpn" / "api.yaml", models, proton=True)
    assert {name: (one.plural, one.key, len(one.attributes)) for name, one in found.items()} == {
        "Port": ("ports", "id", 8), "Interface": ("interfaces", "id", 5), "VpnService": ("vpns", "id", 4),
        "VpnBinding": ("vpnbindings", "interface_id", 4), "BGPPeering": ("bgppeerings", "uuid", 2)}
    assert found["Interface"].parent == "net-l3vpn.port" and found["Interface"].parent_key == "port_id"
    assert found["Interface"].attributes["port_id"].refers_to == "net-l3vpn.port"
    assert found["VpnBinding"].policies == {} and found["Port"].policies["list"] == "rule:admin"
    assert (found["Port"].service, found["Port"].version) == ("net-l3vpn", "1.0")


def test_a_users_file_stands_beside_the_core_and_lives_like_it(models: Path) -> None:
    resources = load_all(CORE, [models])
    assert resources["net-l3vpn.port"].proton and not resources["port"].proton
    world = World(resources=resources)
    tenant = "0" * 31 + "1"
    port = {"tenant_id": tenant, "mac_address": "fa:16:3e:00:00:01", "admin_state_up": True, "status": "DOWN",
            "mtu": 1500}
    made: Any = world.writer.create(ADMIN, "net-l3vpn.port", [port])[0]
    interface = world.make("net-l3vpn.interface", ADMIN, tenant_id=tenant, port_id=made.id, segmentation_id=0)
    peering = world.make("net-l3vpn.bgppeering", ADMIN, as_number=65000)
    assert peering.id == peering.uuid and len(peering.uuid) == 36
    with pytest.raises(Exception, match="interface .* uses it"):
        world.drop(made, ADMIN)
    world.drop(interface, ADMIN)
    world.drop(made, ADMIN)
    again = World(world.store, resources=resources)
    assert again.model.rows["net-l3vpn.bgppeering"] == {peering.id: peering}


def test_every_wrong_value_of_a_gluon_object_is_refused_by_name(models: Path) -> None:
    tried = 0
    for one in load(models / "net-l3vpn" / "api.yaml", models, proton=True).values():
        right = {attribute.name: attribute.examples()[0] for attribute in one.attributes.values() if attribute.required}
        one.read(right)
        for field, wrong in one.wrong_bodies(right):
            with pytest.raises(Exception, match=f"^{field}"):
                one.read(wrong)
            tried += 1
    assert tried > 150


WRONG = [
    ("objects: {A: {api: {name: a}, attributes: {x: {type: nothing}}}}", "A.x: nothing is no type and no object"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: string, colour: red}}}}", "A.x: colour is not a word"),
    ("objects: {A: {api: {name: a}, attributes: {x: {}}}}", "A.x: needs a type"),
    ("objects: {A: {api: {name: a}, attributes: {x: 7}}}", "A.x: must be a mapping"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: enum}}}}", "A.x: an enum needs values"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: string, format: fax}}}}",
     "A.x: fax is no format of a string"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: integer, default: many}}}}",
     "A.x: default 'many' must be a whole number"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: integer, min: few}}}}", "A.x: min must be a whole number"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: string, settable: maybe}}}}",
     "A.x: settable must be one of"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: string, policy: 'rule:kings'}}}}",
     "A.x: rule:kings: kings is nobody"),
    ("objects: {A: {api: {name: a}, extends: B, attributes: {}}}", "A: extends B, which is not there"),
    ("objects: {A: {api: {name: a}, extends: B, attributes: {}}, B: {extends: A}}", "A: extends itself"),
    ("objects: {A: {api: {name: a, parent: B}, attributes: {}}}", "A.api: needs a parent_key"),
    ("objects: {A: {api: {name: a, parent: B, parent_key: x}, attributes: {x: {type: uuid}}}}",
     "A.api: parent B is not there"),
    ("objects: {A: {api: {}, attributes: {}}}", "A.api: needs a name"),
    ("objects: {A: {colour: red}}", "A: colour is not a word"),
    ("objects: {A: 7}", "A: must be a mapping"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: cidr}}, checks: [{inside: [x, x]}]}}",
     "A.checks: inside is no check"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: cidr}}, checks: [{within: [x, y]}]}}",
     "A.checks: within: y is not an attribute"),
    ("objects: {A: {api: {name: a}, attributes: {}, checks: [{call: nowhere.check}]}}",
     "A.checks: nowhere.check: .*is not there"),
    ("objects: {A: {api: {name: a}, attributes: {}, prepare: {paint: x.y}}}", "A.prepare: paint is not a word"),
    ("objects: {A: {api: {name: a}, attributes: {}, actions: {go: x.y}}}", "A.actions.go: an action is a mapping"),
    ("objects: {A: {api: {name: a}, attributes: {}, actions: {go: {call: x.y, verb: GET}}}}",
     "A.actions.go: verb is not a word"),
    ("objects: {A: {api: {name: a}, attributes: {}, actions: {go: {call: x.y, body: {z: {}}}}}}",
     "A.actions.go.z: needs a type"),
    ("objects: {A: {api: {name: a}, attributes: {}, view: {of: B, by: x.y}}}", "A.view: needs by, the Python"),
    ("objects: {A: {api: {name: a}, attributes: {}, policies: {get: 'rule:kings'}}}",
     "A.policies.get: .*kings is nobody"),
    ("objects: {A: {api: {name: a}, attributes: {x: {type: integer, number: {}}}}}", "A.x: number needs a pool"),
    ("objects: {A: {api: {name: a}, attributes: {}, indexes: {i: [y]}}}", "A.indexes.i: y is not an attribute"),
    ("imports: nowhere.yaml\nobjects: {}", "imports: nowhere.yaml is not there"),
    ("colour: red\nobjects: {}", "colour is not a word"), ("objects: []", "needs a mapping named objects"),
    ("[1, 2", "is not YAML"), ("", "needs a mapping named objects")]


@pytest.mark.parametrize(("text", "why"), WRONG, ids=[why[:40] for _, why in WRONG])
def test_what_is_wrong_in_a_model_file_is_said_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(BadModel, match=f"model.yaml: {why}"):
        load_all([tmp_path])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="nowhere.yaml: cannot read"):
        load(tmp_path / "nowhere.yaml")


def test_two_objects_of_one_kind_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("objects: {A: {api: {name: thing}, attributes: {}}}")
    with pytest.raises(BadModel, match="b.yaml: A: .*a.yaml already has a thing"):
        load_all([tmp_path])


def test_a_file_can_be_switched_off() -> None:
    assert "quota" not in load_all(CORE, off=["quotas"])


def test_a_hook_beside_a_users_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text(textwrap.dedent("""
        objects:
          Thing:
            api: {name: thing}
            attributes: {name: {type: string, default: ""}, size: {type: integer, computed: thing.size}}
            checks: [{call: thing.no_elephants}]
    """))
    (tmp_path / "thing.py").write_text(textwrap.dedent("""
        from controller.errors import Invalid

        def size(model, row):
            return len(row.name)

        def no_elephants(write, kind, document, before):
            if document["name"] == "elephant":
                raise Invalid("name", "is too large")
    """))
    world = World(resources=load_all([tmp_path]))
    assert world.show(world.make("thing", ADMIN, name="mouse"))["size"] == 5
    with pytest.raises(Exception, match="name: is too large"):
        world.make("thing", ADMIN, name="elephant")


def test_a_kind_has_actions_and_a_say_in_changes_of_others(tmp_path: Path) -> None:
    (tmp_path / "lamp.yaml").write_text(textwrap.dedent("""
        objects:
          Lamp:
            api: {name: lamp}
            attributes: {lit: {type: boolean, default: false, settable: never}}
            actions: {light: {body: {match: {type: Match, required: true}}, call: lamp.light}}
            prepare_others: {match: {delete: lamp.keep_match}}
          Match:
            api: {name: match}
            attributes: {size: {type: integer, default: 1}}
    """))
    (tmp_path / "lamp.py").write_text(textwrap.dedent("""
        from controller.errors import Forbidden

        def light(write, lamp, asked):
            write.update("lamp", lamp, {"lit": True})
            return {"lit_with": asked["match"]}

        def keep_match(write, document, asked, before):
            if write.count("lamp", "all", True):
                raise Forbidden("a lamp may need it")
    """))
    world = World(resources=load_all([tmp_path]))
    lamp, match = world.make("lamp", ADMIN), world.make("match", ADMIN)
    row, answer = world.writer.act(ADMIN, "lamp", lamp[0], "light", {"match": match[0]})
    assert (row.lit, answer) == (True, {"lit_with": match[0]}) and world.now(lamp) == row
    for body, why in (({}, "match: is required"), ([], "must be a JSON object"), ({"x": 1}, "x: is not known here"),
                      ({"match": lamp[0]}, f"Match {lamp[0]} could not be found")):
        with pytest.raises(Refused, match=why):
            world.writer.act(ADMIN, "lamp", lamp[0], "light", body)
    with pytest.raises(Refused, match="a lamp may need it"):
        world.drop(match, ADMIN)
    world.drop(lamp, ADMIN)
    world.drop(match, ADMIN)


@pytest.mark.parametrize(("say", "why"), [("nothing: {delete: a.keep}", "there is no nothing"),
                                          ("a: {paint: a.keep}", "a cannot paint")])
def test_a_say_in_changes_that_there_are_not_is_refused(tmp_path: Path, say: str, why: str) -> None:
    (tmp_path / "a.yaml").write_text(f"objects: {{A: {{api: {{name: a}}, attributes: {{}}, prepare_others: {{{say}}}}}}}")
    (tmp_path / "a.py").write_text("def keep(write, document, asked, before): pass\n")
    with pytest.raises(BadModel, match=f"a.prepare_others: {why}"):
        load_all([tmp_path])
