"""What a match and an action may say, and how a wrong one is refused before any switch sees it."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.openflow import (
    FIELDS,
    IN_PORT,
    Flow,
    Group,
    Meter,
    Nat,
    Pipeline,
    Register,
    Table,
    Why,
    conjunction,
    controller,
    ct,
    decode,
    drop,
    encap,
    group,
    match,
    merge,
    meter,
    move,
    output,
    resubmit,
    set_field,
)
from controller.openflow.fields import Field, number, value_and_mask
from controller.openflow.flow import checksum, resource_number
from controller.openflow.match import shape
from tests.wire.corpus import FIRST, LAST, NETWORK, SECOND, with_needs

SIMPLE = [field for field in FIELDS.values() if field.name not in ("packet_type",
                                                                   "ct_state") and "xxreg" not in field.name]


@st.composite
def asked(draw: st.DrawFn) -> tuple[Field, tuple[int, int]]:
    field = draw(st.sampled_from([each for each in SIMPLE if each.maskable]))
    mask = draw(st.integers(1, field.full))
    return field, (draw(st.integers(0, field.full)) & mask, mask)


@given(asked())
def test_what_a_match_asks_is_read_back(wanted: tuple[Field, tuple[int, int]]) -> None:
    field, value = wanted
    if field.name == "vlan_vid" or any(needed == field.name for needed, _ in field.needs):
        return
    assert decode.read_match(match(with_needs(field, value)))[field.name] == value


@given(st.lists(st.sampled_from(SIMPLE), max_size=6), st.randoms())
def test_the_order_of_asking_does_not_matter(fields: list[Field], dice: Any) -> None:
    wanted: dict[str, Any] = {}
    for field in fields:
        wanted.update({name: value for name, value in with_needs(field, 1).items() if name not in wanted})
    try:
        whole = match(wanted)
    except ValueError:
        return          # two fields that need different values of a third
    mixed = list(wanted.items())
    dice.shuffle(mixed)
    assert match(dict(mixed)) == whole


@pytest.mark.parametrize(("wanted", "words"), [
    ({"tcp_dst": 80}, "tcp_dst needs"), ({"eth_type": 0x800, "ip_proto": 17, "tcp_dst": 80},
                                         "tcp_dst needs ip_proto to be 0x6"),
    ({"eth_type": 0x86DD, "ipv4_src": "10.0.0.1"}, "ipv4_src needs eth_type"),
    ({"ipv4_src": "10.0.0.1"}, "ipv4_src needs"),
    ({"vlan_pcp": 3}, "needs vlan_vid"), ({"vlan_vid": 0, "vlan_pcp": 3}, "needs vlan_vid to be a tag"),
    ({"eth_type": 0x800, "ct_nw_src": 1}, "ct_nw_src needs ct_state"), ({"nonsense": 1}, "nonsense is not a field"),
    ({"eth_type": 0x800, "ct_state": (0x20, 0x20), "ct_nw_src": 1}, "needs ct_state to be a valid connection"),
    ({"eth_type": 0x10000}, "does not fit"), ({"reg0": -1}, "does not fit"),
    ({"eth_type": (0x800, 0xFF00)}, "takes no mask"),
    ({"eth_type": 0x800, "ipv4_src": "10.0.0.0/33"}, "longer than the address"),
    ({"eth_src": "fa:16:3e:00:00"}, "not a MAC"),
    ({"eth_type": 0x800, "ipv4_src": "fe80::1"}, "not an IP address"), ({"reg0": None}, "neither a number nor a text"),
    ({"eth_type": 0x800, "ip_proto": (0, 0), "tcp_dst": 1}, "needs ip_proto"),
    ({"xxreg0": 1, "reg2": 1}, "reg2 is part of xxreg0"),
])
def test_a_match_that_a_switch_would_refuse_or_widen_is_refused(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        match(wanted)


def test_a_zero_mask_asks_nothing_and_a_full_mask_is_no_mask() -> None:
    assert match(reg0=(5, 0)) == match()
    assert match(reg0=(5, 0xFFFFFFFF)) == match(reg0=5)
    assert match({NETWORK: 5}) == match(reg6=5) == match({NETWORK: 5}, reg5=(0, 0))


def test_host_bits_of_a_prefix_do_not_matter() -> None:
    assert match(eth_type=0x800, ipv4_src="10.0.0.77/24") == match(eth_type=0x800, ipv4_src="10.0.0.0/255.255.255.0")


def test_values_are_read_as_people_write_them() -> None:
    assert number(FIELDS["eth_src"], "fa:16:3e:00:00:01") == 0xFA163E000001
    assert value_and_mask(FIELDS["ipv6_src"], "fe80::/10") == (0xFE80 << 112, 0x3FF << 118)
    assert value_and_mask(FIELDS["tcp_dst"], "0x10/0xf0") == (0x10, 0xF0)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: set_field(), "name a field"), (lambda: set_field(nonsense=1), "not a field"),
    (lambda: set_field(ct_state=1), "cannot be set"), (lambda: set_field(ct_mark=1), "cannot be set"),
    (lambda: set_field(in_port=1), "cannot be set"), (lambda: set_field(vlan_vid=5), "VLAN_PRESENT"),
    (lambda: set_field(reg0=(1, 0)), "writes nothing"), (lambda: set_field(nw_ttl=256), "does not fit"),
    (lambda: output(0), "not a port"), (lambda: controller(0x10000), "max_len"), (lambda: group(-1), "group's number"),
    (lambda: meter(0), "meter's number"), (lambda: drop(""), "say why"),
    (lambda: conjunction(1, 3, 2), "clause 3 of 2"),
    (lambda: conjunction(1, 1, 1), "clause"), (lambda: conjunction(0, 1, 2), "id 0"),
    (lambda: ct(0x10000), "zones are"),
    (lambda: ct(1, mark=5), "need commit"), (lambda: ct(1, commit=True, nat=Nat("src")), "with an address"),
    (lambda: ct(1, commit=True, nat=Nat("src", "10.0.0.1", ports=(0, 5))), "ports"),
    (lambda: move(("reg0", 0, 15), ("reg1", 0, 7)), "do not fit"), (lambda: move(("reg0", 0, 32), "reg1"), "no bits"),
    (lambda: move("reg0", "ct_state"), "cannot be set"), (lambda: move("nonsense", "reg0"), "not a field"),
    (lambda: Meter(1), "either pps or kbps"), (lambda: Meter(1, pps=1, kbps=1), "either pps or kbps"),
    (lambda: Meter(0, pps=1), "number"),
    (lambda: Meter(1, pps=0), "rate"), (lambda: Meter(1, pps=5, burst=-1), "burst"),
    (lambda: Group(1, "any", []), "type is one of"), (lambda: Group(1, "indirect", []), "one bucket"),
    (lambda: Group(1, "select", [(None, None, ())]), "weight"), (lambda: Group(1, "all", [(1, None, ())]), "weight"),
    (lambda: Group(1, "ff", [(None, None, ())]), "watches"), (lambda: Group(1, "all", [(None, 1, ())]), "watch"),
    (lambda: Group(1, "all", [(None, None, (output(1), output(2)))]), "one way only"),
    (lambda: Group(1, "all", [(None, None, (output(1), set_field(reg0=1)))]), "comes last"),
    (lambda: Group(1, "all", [(None, None, (set_field(reg0=1),))]), "no effect"),
    (lambda: Flow(FIRST, 1, match(), ()), "say drop"), (lambda: Flow(FIRST, 1, match(), (drop("x"), output(1))),
                                                        "cannot stand"),
    (lambda: Flow(FIRST, 1, match(), (SECOND, output(1))), "cannot stand"),
    (lambda: Flow(SECOND, 1, match(), (FIRST,)), "go back"),
    (lambda: Flow(FIRST, 65536, match(), (IN_PORT,)), "priority"),
    (lambda: Flow(FIRST, 1, match(), (7,)), "cannot stand"),
])
def test_what_would_have_no_effect_or_be_refused_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_cookie_says_app_resource_and_checksum() -> None:
    uuid = "9f0e1d2c-3b4a-5968-7786-95a4b3c2d1e0"
    flow = Flow(FIRST, 5, match(), (output(3),), Why(7, uuid, "rule"))
    assert flow.cookie == 7 << 56 | 0x9F0E1D2C << 24 | checksum(flow.body)
    assert resource_number("not a uuid") == resource_number("not a uuid") != resource_number("not a uuid either")
    assert Flow(FIRST, 5, match(), (drop("why not"),), Why(7, uuid, "rule")).why == Why(7, uuid, "rule", "why not")


def test_flows_are_equal_if_they_do_the_same_whoever_asked() -> None:
    one, other = (Flow(FIRST, 5, match(), (output(3),), Why(app, "r", "")) for app in (1, 2))
    assert one == other
    assert len({one, other}) == 1
    assert one != Flow(FIRST, 5, match(), (output(4),)) != Group(1, "all", [])


def test_conjunctions_of_one_key_merge_into_one_flow_whatever_their_order() -> None:
    parts = [Flow(FIRST, 5, match(), (conjunction(n, 1, 2),), Why(1, f"group {n}", "")) for n in (9, 3, 5)]
    parts.append(Flow(FIRST, 5, match(), (conjunction(5, 1, 2), conjunction(5, 2, 2)), Why(2, "b", "")))
    whole = merge(parts)
    assert whole.conjunctions == (conjunction(3, 1, 2), conjunction(5, 1, 2), conjunction(9, 1, 2),
                                  conjunction(5, 2, 2))
    assert (merge(reversed(parts)).body, merge(reversed(parts)).cookie) == (whole.body, whole.cookie)
    assert Flow(FIRST, 5, match(), (conjunction(5, 1, 2), LAST)).conjunctions == ()
    with pytest.raises(ValueError, match="nothing but conjunctions"):
        merge([*parts, Flow(FIRST, 5, match(), (output(3),))])
    with pytest.raises(ValueError, match="of one key"):
        merge([*parts, Flow(FIRST, 6, match(), (conjunction(5, 1, 2),))])


def test_a_pipeline_refuses_disorder() -> None:
    made = Pipeline()
    near, far = made.register(1, "near"), Register("reg2", "of nobody")
    made.table(5, "five", "?", writes=(near,))
    for number_, name, more in ((5, "x", {}), (4, "x", {}), (6, "five", {}), (254, "x", {}),
                                (6, "x", {"levels": {"a": 0}}),
                                (6, "x", {"reads": (made.register(3, "unwritten"),)}), (6, "x", {"writes": (far,)}),
                                (6, "x", {"levels": {str(n): n + 1 for n in range(6)}})):
        with pytest.raises(ValueError):
            made.table(number_, name, "?", **more)
    with pytest.raises(ValueError, match="taken"):
        made.register(1, "again")
    with pytest.raises(ValueError, match="0..15"):
        made.register(16, "too far")
    table = made.table(6, "six", "?", reads=(near,), levels={"high": 9})
    assert (table.levels["high"], made.table_name(6), made.table_name(7), list(made)) == (9, "six", "7",
        [made.tables[5], table])
    assert isinstance(table, Table)
    assert repr(table) == "six(6)"


def test_registers_take_the_names_of_the_variables_that_hold_them() -> None:
    made = Pipeline()
    held = {"WIDE": made.register(1, "wide"), "GIVEN": made.register(2, "given", name="OWN"), "OTHER": 5}
    made.name_registers(held)
    assert [each.name for each in made.registers.values()] == ["WIDE", "OWN"]


def test_many_different_values_do_not_grow_the_caches_without_end() -> None:
    from controller.openflow import match as module_word
    for n in range(70000):
        module_word(reg1=n)
    from controller.openflow.match import _parts
    assert len(_parts["reg1"]) <= 65536


def test_resubmit_and_encap_name_what_they_mean() -> None:
    assert decode.read_actions(resubmit(SECOND) + encap(0x18847), 0, 32) == (decode.Resubmit(10), decode.Encap(0x18847))


@pytest.mark.parametrize("fixed", [{}, {"eth_type": 0x800}, {"eth_type": 0x86DD, "ipv6_src": "fe80::/64"},
                                   {"eth_type": 0x800, "ip_proto": 6, "tcp_dst": (0x1F90, 0xFFF0)}])
def test_matches_of_a_shape_are_those_that_match_itself_makes(fixed: dict) -> None:
    made = shape("reg5", "eth_src", **fixed)
    for key, mac in ((0, "fa:16:3e:00:00:01"), ((0, 0), "fa:16:3e:00:00:01"), (77, ("02:00:00:00:00:00", "02:00:00:00:00:00")),
                     (0xFFFFFFFF, (0, 0))):
        assert made(key, mac) == match(reg5=key, eth_src=mac, **fixed)


@pytest.mark.parametrize(("free", "fixed"), [
    (["reg5", "ip_proto"], {"eth_type": 0x800, "tcp_dst": 80}), (["reg5"], {"tcp_dst": 80}), (["nothing"], {}),
    (["reg5"], {"eth_type": 0x86DD, "ipv4_src": "10.0.0.1"}), (["packet_type"], {}), (["xxreg0"], {})])
def test_a_shape_is_refused_that_cannot_be_right_for_every_value(free: list[str], fixed: dict) -> None:
    with pytest.raises(ValueError):
        shape(*free, **fixed)


def test_a_value_that_does_not_fit_into_a_shape_is_refused() -> None:
    made = shape("reg5", "eth_src")
    for wrong in ((1,), (1, "fa:16:3e:00:00:01", 2), (1 << 32, "fa:16:3e:00:00:01"), (1, "10.0.0.1")):
        with pytest.raises(ValueError):
            made(*wrong)
