"""Switches without OVSDB: adopted if that was asked for, and their ports known from OpenFlow alone."""

from __future__ import annotations

from typing import Any

import pytest

from controller.config import BadConfig, read
from controller.rows import as_dict
from tests.rest.fabric import fabric

PLAIN = "00000000000000c3"


def rows(net: Any, kind: str) -> list[dict]:
    return [as_dict(row) for row in net.hadron.model.find(kind, "all", True)]


def test_a_switch_that_nobody_adopts_is_watched_and_never_written() -> None:
    with fabric() as net:
        switch = net.fakes.add(PLAIN)
        net.until(lambda: PLAIN in net.hadron.control.standing)
        assert not rows(net, "switch") and not switch.held()


def test_an_adopted_switch_is_written_and_its_ports_are_known() -> None:
    with fabric(adopt=["c3"]) as net:
        switch = net.fakes.add(PLAIN)
        switch.port(1, speed=10_000)
        switch.port(2, up=False, name="s1 \x1b[31m")
        net.until(lambda: net.settled() and switch.held())
        net.until(lambda: len(rows(net, "interface")) == 2)
        first, second = rows(net, "interface")
        assert (first["id"], first["switch_id"], first["ofport"], first["link_state"], first["speed"], first["hw_address"]) == (
            f"{PLAIN}:1", PLAIN, 1, "up", 10_000, "02:00:00:c3:00:01")
        assert (second["link_state"], second["name"]) == ("down", "s1??[31m")
        switch.port(1, up=False)
        net.until(lambda: rows(net, "interface")[0]["link_state"] == "down")
        switch.unport(2)
        net.until(lambda: len(rows(net, "interface")) == 1)
        stranger = net.fakes.add("00000000000000c4")
        net.until(lambda: stranger.greeted)
        net.until(lambda: stranger.switch_id in net.hadron.control.standing)
        assert [one["id"] for one in rows(net, "switch")] == [PLAIN]


def test_ports_that_went_while_a_switch_was_away_are_gone() -> None:
    with fabric(adopt=["all"]) as net:
        switch = net.fakes.add(PLAIN)
        for number in (1, 2, 3):
            switch.port(number)
        net.until(lambda: len(rows(net, "interface")) == 3)
        with net.fakes.lock:
            switch.disconnect()
            del switch.ports[2]
        net.until(lambda: [one["ofport"] for one in rows(net, "interface")] == [1, 3])


def test_who_is_adopted_no_more_is_a_stranger_after_a_restart(tmp_path: Any) -> None:
    store = str(tmp_path / "hadron.db")
    with fabric(adopt=["all"], store=store) as net:
        net.fakes.add(PLAIN).port(1)
        net.until(lambda: rows(net, "interface"))
    with fabric(store=store) as net:
        assert not rows(net, "switch") and not rows(net, "interface")


@pytest.mark.parametrize("wrong", ["all", ["x"], ["12345678901234567"], [""]])
def test_adopt_is_a_list_of_datapath_ids(wrong: Any) -> None:
    with pytest.raises(BadConfig, match="adopt: "):
        read({"adopt": wrong})


def test_datapath_ids_are_read_however_people_write_them() -> None:
    assert read({"adopt": [1, "0xA2", "00:00:00:00:00:00:00:c3", "all"]}).adopt == (
        "0000000000000001", "00000000000000a2", "00000000000000c3", "all")
