"""Whose certificate a host, and its switch, must show: the first that came, or the one that names it."""
from __future__ import annotations

import pytest

from controller.certificates import Certificates
from controller.config import BadConfig, read
from tests.kit.worlds import World

SWITCH, OTHER = "00000000000000aa", "00000000000000bb"


@pytest.fixture
def world() -> World:
    made = World()
    made.writer.learn([("switch", {"id": SWITCH, "host_id": "host1", "bridge": "br-int"}), ("switch", {"id": OTHER})])
    return made


def certificates(world: World, *, named: bool = False) -> Certificates:
    """As they are after a start."""
    made = Certificates(world.model.rows, world.writer.learn, named=named)
    made.load()
    return made


def test_a_host_is_whose_certificate_came_first_and_nobody_elses(world):
    asked = certificates(world)
    assert asked.of_host("host1", "ann") is None and asked.of_host("host1", "ann") is None
    assert asked.of_host("host1", "bob") == "ann", "even before the desk has heard of it"
    assert asked.of_host("host2", "bob") is None


def test_a_restart_remembers_what_was_shown_first(world):
    before = certificates(world)
    before.of_host("host1", "ann")
    assert before.keep_host("host1", "ann") and not before.keep_host("host1", "ann"), "once"
    before.keep_switch(OTHER, "carl")
    after = certificates(world)
    assert after.of_host("host1", "bob") == "ann"
    assert after.of_switch(SWITCH, "bob") == "ann" and after.of_switch(OTHER, "bob") == "carl"


def test_a_switch_is_its_hosts_as_soon_as_that_is_known(world):
    asked = certificates(world)
    assert asked.of_switch(SWITCH, "bob") is None
    asked.keep_switch(SWITCH, "bob")
    assert asked.of_switch(SWITCH, "ann") == "bob"
    asked.of_host("host1", "ann")
    assert asked.of_switch(SWITCH, "bob") == "ann" and asked.of_switch(SWITCH, "ann") is None
    asked.keep_switch(SWITCH, "ann")
    assert world.model.rows["certificate"][f"switch:{SWITCH}"].name == "bob", "what its host shows is not the switch's own"


def test_what_a_stranger_shows_makes_nothing_its_own(world):
    asked = certificates(world)
    assert asked.of_switch("00000000000000cc", "bob") is None
    assert asked.of_switch("00000000000000cc", "ann") is None and not world.model.rows["certificate"]


def test_who_shows_none_is_not_asked_and_owns_nothing(world):
    asked = certificates(world)
    assert asked.of_host("host1", "") is None and not asked.keep_host("host1", "")
    asked.keep_switch(OTHER, "")
    assert asked.of_host("host1", "ann") is None and asked.of_host("host1", "") is None
    assert asked.of_switch(OTHER, "ann") is None and not world.model.rows["certificate"]


def test_what_is_forgotten_is_whose_who_comes_next(world):
    asked = certificates(world)
    for host, name in (("host1", "ann"), ("host2", "bob")):
        asked.of_host(host, name)
        asked.keep_host(host, name)
    asked.keep_switch(OTHER, "carl")
    assert asked.forget("host1", [SWITCH, OTHER]) == 2 and asked.forget("host1", [SWITCH]) == 0
    assert set(world.model.rows["certificate"]) == {"host:host2"}
    assert asked.of_host("host1", "bob") is None and asked.of_host("host1", "ann") == "bob"


def test_a_named_host_is_whom_the_certificate_names_whoever_came_first(world):
    asked = certificates(world, named=True)
    assert asked.of_host("host1", "host2") == "host1" and asked.of_host("host1", "host1") is None
    assert asked.of_switch(SWITCH, "host2") == "host1" and asked.of_switch(SWITCH, "host1") is None
    assert asked.of_switch(OTHER, "host1") == OTHER and asked.of_switch(OTHER, OTHER) is None
    assert asked.of_switch("00000000000000cc", "host1") is None, "a stranger, whom nothing is told"
    assert not asked.keep_host("host1", "host1") and not world.model.rows["certificate"]


def test_the_configuration_says_which_and_nothing_else():
    assert read({}).certificates == "first" and read({"certificates": "named"}).certificates == "named"
    with pytest.raises(BadConfig, match="^certificates: must be first .* or named "):
        read({"certificates": "none"})
