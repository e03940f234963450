"""For every resource and attribute: a wrong value is refused by name and changes nothing; a right one is kept."""
from __future__ import annotations

import pytest

from controller.errors import Forbidden, Invalid, Missing, Unsupported
from controller.resource import Attribute, Resource
from tests.derived.bodies import BESIDE, MORE, right_body, state
from tests.kit.worlds import ADMIN, World, core

WRITTEN = [one for one in core().values() if not one.fact]
FACTS = [one for one in core().values() if one.fact]
SETTABLE = [(one, attribute) for one in WRITTEN for attribute in one.attributes.values()
            if attribute.settable in ("always", "update") and (attribute.visible != "nobody" or attribute.serves)]


def name_of(value: object) -> str:
    return value.kind if isinstance(value, Resource) else value.name if isinstance(value, Attribute) else str(value)


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_every_wrong_value_at_creation_is_refused_by_name_and_changes_nothing(resource: Resource) -> None:
    world = World()
    right = right_body(world, resource)
    before = state(world)
    tried = 0
    for name, wrong in resource.wrong_bodies(right):
        with pytest.raises((Invalid, Unsupported)) as refused:
            world.writer.create(ADMIN, resource.kind, [wrong])
        assert str(refused.value).startswith(name), (name, wrong.get(name), str(refused.value))
        assert refused.value.status in (400, 501)
        assert state(world) == before, (name, wrong.get(name))
        tried += 1
    assert tried > 3 * len(resource.attributes)
    world.writer.create(ADMIN, resource.kind, [right])


@pytest.mark.parametrize(("resource", "attribute"), SETTABLE, ids=name_of)
def test_every_wrong_value_of_a_change_is_refused_by_name_and_changes_nothing(
        resource: Resource, attribute: Attribute) -> None:
    world = World()
    row = world.writer.create(ADMIN, resource.kind, [right_body(world, resource)])[0]
    before = state(world)
    for wrong in attribute.counterexamples():
        with pytest.raises((Invalid, Unsupported)) as refused:
            world.writer.update(ADMIN, resource.kind, row[0], {attribute.name: wrong})
        assert str(refused.value).startswith(attribute.name), (wrong, str(refused.value))
        assert state(world) == before, wrong


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_what_is_settled_at_creation_cannot_be_changed(resource: Resource) -> None:
    world = World()
    row = world.writer.create(ADMIN, resource.kind, [right_body(world, resource)])[0]
    before = state(world)
    for attribute in resource.attributes.values():
        if attribute.settable in ("never", "create"):
            with pytest.raises(Invalid) as refused:
                world.writer.update(ADMIN, resource.kind, row[0], {attribute.name: getattr(row, attribute.field, None)})
            assert str(refused.value).startswith(attribute.name)
    assert state(world) == before


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_one_wrong_body_among_many_refuses_all(resource: Resource) -> None:
    world = World()
    right = right_body(world, resource)
    before = state(world)
    with pytest.raises(Invalid):
        world.writer.create(ADMIN, resource.kind, [right, {**right, "nonsense": 1}])
    assert state(world) == before


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_an_object_lives_and_leaves_nothing(resource: Resource) -> None:
    world = World()
    right = right_body(world, resource)
    row = world.writer.create(ADMIN, resource.kind, [right])[0]
    shown = world.show(row, ADMIN)
    assert set(shown) == {one.name for one in resource.shown(True)} | set(resource.aliases)
    for attribute in resource.shown(True):
        if attribute.name not in right and attribute.stored and attribute.has_default and not resource.prepare:
            assert shown[attribute.name] == attribute.default
    if "description" in resource.attributes and resource.attributes["description"].settable == "always":
        changed = world.change(row, ADMIN, description="changed")
        assert changed.description == "changed"
        assert "revision_number" not in resource.attributes or changed.revision_number == row.revision_number + 1
        assert world.show(row, ADMIN)["description"] == "changed"
    world.drop(row, ADMIN)
    assert world.now(row) is None
    assert (resource.kind, row[0]) not in {(one.kind, one.id) for one in world.store.load()[1]}
    with pytest.raises(Missing):
        world.writer.update(ADMIN, resource.kind, row[0], {})
    with pytest.raises(Missing):
        world.drop(row, ADMIN)


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_every_harmless_value_is_taken(resource: Resource) -> None:
    world = World(quotas={resource.kind: -1} if resource.quota is not None else {})
    for attribute in resource.attributes.values():
        if attribute.serves is not None and attribute.settable in ("always", "create"):
            for value in attribute.serves:
                right = right_body(World(), resource) if resource.kind == "quota" else right_body(world, resource)
                said = list(value) if isinstance(value, tuple) else value
                beside = BESIDE.get((resource.kind, attribute.name, value), {})
                world.writer.create(ADMIN, resource.kind, [{**right, **beside, attribute.name: said}])


@pytest.mark.parametrize("resource", WRITTEN, ids=name_of)
def test_a_reference_to_nothing_is_missing(resource: Resource) -> None:
    world = World()
    right = right_body(world, resource)
    before = state(world)
    nobody = "deadbeef-0000-4000-8000-000000000000"
    for attribute in resource.attributes.values():
        if attribute.references and attribute.settable in ("always", "create"):
            value = nobody if attribute.refers_to else {index.partition(".")[2]: nobody for index, _ in attribute.references}
            if attribute.type.item:
                value = [nobody] if attribute.type.item.refers_to else [value]
            with pytest.raises(Missing) as refused:
                world.writer.create(ADMIN, resource.kind, [{**right, attribute.name: value}])
            assert refused.value.type.endswith("NotFound") and refused.value.status == 404
    assert state(world) == before


@pytest.mark.parametrize("resource", FACTS, ids=name_of)
def test_facts_are_not_for_clients_to_write(resource: Resource) -> None:
    world = World()
    with pytest.raises(Forbidden):
        world.writer.create(ADMIN, resource.kind, [{"id": "x"}])
    with pytest.raises(Forbidden):
        world.writer.delete(ADMIN, resource.kind, "x")


def test_every_exception_to_the_declarations_is_about_a_resource() -> None:
    assert MORE.keys() <= core().keys()
