"""What a tenant may read of a flow: what is not listed is hidden."""
from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pipeline import DELIVER, FORWARD, NETWORK, PIPELINE, RECEIVER, SENDER
from controller.openflow import Flow, Group, Meter, ct, match, output, resubmit, set_field
from controller.openflow.actions import IN_PORT, conjunction, controller, move
from controller.openflow.decode import Malformed
from rest.inspect_text import names_in, shortened, whole

MINE = {("SENDER", 0x11), ("NETWORK", 3), ("conj_id", 5)}


def knows(name: str, value: int) -> bool:
    return (name, value) in MINE


def told(wanted: bytes, *do: Any) -> str:
    flow = Flow(FORWARD, 100, wanted, do)
    assert "hidden" not in whole(flow.key, flow.cookie, flow.body, PIPELINE)
    return shortened(flow.key, flow.body, PIPELINE, knows).removeprefix("table=forward, priority=100")


@pytest.mark.parametrize("wanted,said", [
    (match({SENDER: 0x11, "eth_type": 0x800, "ip_proto": 6, "tcp_dst": 80}), ",tcp,tp_dst=80,SENDER=0x11"),
    (match({RECEIVER: 0x12}), ",RECEIVER=hidden"), (match(in_port=7), ",in_port=hidden"),
    (match({NETWORK: 3, "tunnel_id": 77}), ",NETWORK=0x3,tunnel_id=hidden"), (match(tun_dst="192.0.2.1"), ",tun_dst=hidden"),
    (match(tun_src="192.0.2.1"), ",tun_src=hidden"), (match(metadata=5), ",metadata=hidden"), (match(conj_id=5), ",conj_id=5"),
    (match(conj_id=6), ",conj_id=hidden"), (match(pkt_mark=6), ",pkt_mark=hidden")])
def test_matches_show_the_packet_and_keys_that_are_known(wanted: bytes, said: str) -> None:
    assert told(wanted, DELIVER) == f"{said} actions=goto_table:deliver"


@pytest.mark.parametrize("do,said", [
    ((output(5),), "output:hidden"), ((IN_PORT,), "IN_PORT"), ((controller(),), "CONTROLLER:65535"),
    ((set_field({RECEIVER: 0x12}),), "set_field:hidden->RECEIVER"), ((set_field({NETWORK: 3}),), "set_field:0x3->NETWORK"),
    ((set_field(tunnel_id=9),), "set_field:hidden->tunnel_id"), ((set_field(tun_dst="192.0.2.1"),), "set_field:hidden->tun_dst"),
    ((move("tun_src", "reg0"),), "move:hidden"), ((move("eth_src", "eth_dst"),), "move:eth_src[]->eth_dst[]"),
    ((conjunction(5, 1, 2),), "conjunction(5,1/2)"), ((conjunction(6, 1, 2),), "conjunction(hidden,1/2)"),
    ((ct(NETWORK, commit=True, mark=1),), "ct(commit,zone=NETWORK[0..15],exec(set_field:0x1->ct_mark))")])
def test_actions_show_what_is_done_to_the_packet(do: tuple, said: str) -> None:
    assert told(match(), *do) == f" actions={said}"


def test_how_many_hosts_a_network_has_is_not_to_be_counted() -> None:
    def peers(count: int) -> str:
        return told(match(), *(action for host in range(count) for action in
                               (set_field(tun_dst=f"192.0.2.{host + 1}"), resubmit(DELIVER))))
    assert peers(1) == peers(20) == " actions=set_field:hidden->tun_dst,resubmit(,deliver)"


def test_groups_and_meters_are_hidden_and_what_we_never_write_is_not_shown() -> None:
    group, meter = Group(4, "all", [(None, None, (output(3),))]), Meter(16, pps=20)
    assert shortened(group.key, group.body, PIPELINE, knows) == "group=hidden"
    assert shortened(meter.key, meter.body, PIPELINE, knows) == "meter=hidden"
    strange = b"\0\4\0\x18\0\0\0\0" + b"\0\x63\0\x10" + b"secret-stuff"
    assert shortened((40, 1, match()), strange, PIPELINE, knows) == "table=forward, priority=1 actions=hidden"
    with pytest.raises(Malformed):
        shortened((40, 1, match()), b"\0\4\0\xff", PIPELINE, knows)


def test_the_numbers_in_a_flow_that_stand_for_objects_are_found() -> None:
    flow = Flow(FORWARD, 100, match({NETWORK: 3}), (set_field({RECEIVER: 0x12}), conjunction(5, 1, 2)))
    assert list(names_in(flow.key, flow.body, PIPELINE)) == [("NETWORK", 3), ("RECEIVER", 0x12), ("conj_id", 5)]


@given(st.lists(st.tuples(st.sampled_from([0, 17, 19, 20, 22, 24, 25, 0xFFFF, 99]), st.binary(min_size=4, max_size=60)), max_size=3),
       st.binary(max_size=40))
def test_whatever_a_stranger_has_put_on_a_switch_is_shown_somehow(actions: list[tuple[int, bytes]], fields: bytes) -> None:
    said = b""
    for kind, data in actions:
        raw = data + bytes(-(len(data) + 4) % 8)
        raw = (0x2320).to_bytes(4, "big") + b"\0" + raw[5:] if kind == 0xFFFF else raw
        said += struct.pack("!HH", kind, 4 + len(raw)) + raw
    body = struct.pack("!HHI", 4, 8 + len(said), 0) + said
    padded = struct.pack("!HH", 1, 4 + len(fields)) + fields
    padded += bytes(-len(padded) % 8)
    assert whole((40, 1, padded), 7, body, PIPELINE).startswith("table=forward, priority=1")
    names_in((40, 1, padded), body, PIPELINE)
