"""Messages: what os-ken understands by ours, and what we understand by a switch's."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from os_ken.ofproto import ofproto_v1_4_parser as osken
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from controller.openflow import (
    Flow,
    Group,
    Meter,
    bundle,
    controller,
    delete,
    drop,
    group,
    match,
    meter,
    output,
    packet_in,
    set_field,
)
from controller.openflow import messages as m
from tests.kit import frames
from tests.kit.dummy_ovs import Bridge, DummyOvs
from tests.wire.corpus import FIRST, GROUPS, NETWORK, SECOND, SENDER

DATAPATH = ProtocolDesc(version=5)
FLOW = Flow(FIRST, 5, match(in_port=1), (output(2),))


def theirs(kind: type, whole: bytes) -> Any:
    """A message as os-ken reads it."""
    version, type_, length, xid = struct.unpack_from("!BBHI", whole)
    return kind.parser(DATAPATH, version, type_, length, xid, bytearray(whole))     # type: ignore[attr-defined]


def written(message: Any) -> bytes:
    """A message of os-ken's as bytes."""
    message.serialize()
    return bytes(message.buf)


@pytest.mark.parametrize(("ours", "others"), [
    (m.features_request(), osken.OFPFeaturesRequest(DATAPATH)),
    (m.barrier_request(), osken.OFPBarrierRequest(DATAPATH)),
    (m.echo_request(b"hadron"), osken.OFPEchoRequest(DATAPATH, b"hadron")),
    (m.set_config(miss_send_len=128, fragments=2), osken.OFPSetConfig(DATAPATH, 2, 128)),
    (m.role_request(m.ROLE_MASTER, 1 << 40), osken.OFPRoleRequest(DATAPATH, 2, 1 << 40)),
    (m.set_async(packet_in_reasons=7), osken.OFPSetAsync(DATAPATH,
                                                         [osken.OFPAsyncConfigPropReasons(kind, 8, mask) for kind,
                                                          mask in ((0, 0), (1, 7))])),
    (m.set_async(packet_in_reasons=0, port_reasons=1, removal_reasons=4), osken.OFPSetAsync(DATAPATH, [
        osken.OFPAsyncConfigPropReasons(kind, 8, mask) for kind, mask in ((0, 0), (1, 0), (3, 1), (5, 4))])),
    (m.table_stats_request(), osken.OFPTableStatsRequest(DATAPATH, 0)),
    (m.packet_out(output(3), b"\x01\x02", 1), osken.OFPPacketOut(DATAPATH, 0xFFFFFFFF, 1,
                                                                 [osken.OFPActionOutput(3, 0)], b"\x01\x02")),
    (m.port_desc_request(), osken.OFPPortDescStatsRequest(DATAPATH)),
    (m.group_desc_request(), osken.OFPGroupDescStatsRequest(DATAPATH)),
    (m.meter_config_request(), osken.OFPMeterConfigStatsRequest(DATAPATH)),
    (m.meter_features_request(), osken.OFPMeterFeaturesStatsRequest(DATAPATH)),
    (m.flow_stats_request(table=3, cookie=5, cookie_mask=7),
     osken.OFPFlowStatsRequest(DATAPATH, table_id=3, cookie=5, cookie_mask=7, match=osken.OFPMatch())),
    (bundle.bundle_open(9), osken.OFPBundleCtrlMsg(DATAPATH, 9, 0, 3, [])),
    (bundle.bundle_commit(9), osken.OFPBundleCtrlMsg(DATAPATH, 9, 4, 3, [])),
    (bundle.bundle_close(9), osken.OFPBundleCtrlMsg(DATAPATH, 9, 2, 3, [])),
    (bundle.bundle_discard(9), osken.OFPBundleCtrlMsg(DATAPATH, 9, 6, 3, [])),
    (Meter(7, pps=100, burst=5).add(), osken.OFPMeterMod(DATAPATH, 0, 6, 7, [osken.OFPMeterBandDrop(100, 5)])),
    (Meter(7, kbps=100, burst=5).modify(), osken.OFPMeterMod(DATAPATH, 1, 5, 7, [osken.OFPMeterBandDrop(100, 5)])),
    (delete(("meter", 7)), osken.OFPMeterMod(DATAPATH, 2, 0, 7, [])),
    (delete(("group", 7)), osken.OFPGroupMod(DATAPATH, 2, 0, 7, [])),
    (Group(7, "ff", [(None, 3, (output(3),))]).modify(),
     osken.OFPGroupMod(DATAPATH, 1, 3, 7, [osken.OFPBucket(0, 3, 0xFFFFFFFF, [osken.OFPActionOutput(3, 0)])])),
    (FLOW.add(), osken.OFPFlowMod(DATAPATH, cookie=FLOW.cookie, priority=5, out_port=0xFFFFFFFF, out_group=0xFFFFFFFF,
                                  match=osken.OFPMatch(in_port=1), instructions=[
                                      osken.OFPInstructionActions(4, [osken.OFPActionOutput(2, 0)])])),
    (delete(FLOW.key), osken.OFPFlowMod(DATAPATH, command=4, priority=5, out_port=0xFFFFFFFF, out_group=0xFFFFFFFF,
                                        match=osken.OFPMatch(in_port=1), instructions=[])),
], ids=lambda each: type(each).__name__)
def test_os_ken_writes_the_same_message(ours: bytes, others: Any) -> None:
    assert written(others) == ours


def test_a_bundled_message_carries_the_same_transaction_number_inside_and_out() -> None:
    whole = bundle.bundle_add(9, FLOW.add(), 0x01020304)
    assert (m.xid_of(whole), m.xid_of(whole[16:])) == (0x01020304, 0x01020304)
    assert m.with_xid(whole[16:], 0) == FLOW.add()
    assert whole[8:16] == struct.pack("!IHH", 9, 0, 3)
    with pytest.raises(ValueError, match="does not fit into a bundle"):
        bundle.bundle_add(9, bytes(0xFFF8))


def test_a_hello_says_1_4_and_nothing_else() -> None:
    assert m.read_hello(m.hello(3)) == {5}
    assert m.read_hello(bytes((4, 0, 0, 8, 0, 0, 0, 0))) == {1, 2, 3, 4}
    assert theirs(osken.OFPHello, m.hello()).elements[0].versions == [5]


def test_an_echo_is_answered_with_what_it_said() -> None:
    assert m.echo_reply(m.echo_request(b"x", 77)) == m.message(3, b"x", 77)


def test_a_packet_that_does_not_fit_into_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into a message"):
        m.packet_out(output(1), bytes(65500))


# ---- a real switch

@pytest.fixture(scope="module")
def connected(dummy_ovs: DummyOvs) -> Bridge:
    made = dummy_ovs.add_bridge("br-msg", switch_id="00000000c0ffee01")
    dummy_ovs.add_ports("br-msg", {"m1": 1, "m2": 2})
    return made


@pytest.fixture
def bridge(connected: Bridge) -> Iterator[Bridge]:
    yield connected
    assert not connected.refusals([delete(key) for key in connected.held()])


def only(found: list[bytes]) -> bytes:
    """The one answer; reports of ports may come at any time."""
    answer, = [each for each in found if each[1] != m.PORT_STATUS]
    return answer


def test_a_switch_says_who_it_is(bridge: Bridge) -> None:
    features = m.read_features(only(bridge.ask([m.features_request()])))
    assert (features.switch_id, features.tables, features.auxiliary) == ("00000000c0ffee01", 254, 0)


def test_ports_are_read_as_os_ken_reads_them(bridge: Bridge) -> None:
    whole = only(bridge.ask([m.port_desc_request()]))
    others = theirs(osken.OFPPortDescStatsReply, whole)
    read = {(p.number, p.name, p.mac) for p in m.read_ports(whole)}
    assert read == {(p.port_no, p.name.decode(), p.hw_addr) for p in others.body}
    assert (1, "m1") in {(number, name) for number, name, _ in read}


def test_a_port_that_comes_changes_and_goes_is_reported(bridge: Bridge, dummy_ovs: DummyOvs) -> None:
    def next_report() -> tuple[str, int, bool]:
        while (seen := m.read_port_status(bridge.wait_for(m.PORT_STATUS))).port.name != "late":
            pass
        return seen.reason, seen.port.number, seen.port.up
    dummy_ovs.add_ports("br-msg", {"late": 9})
    assert next_report()[:2] == ("add", 9)
    dummy_ovs.appctl("netdev-dummy/set-admin-state", "late", "down")
    while (seen := next_report())[2]:
        assert seen[0] == "modify"
    assert seen == ("modify", 9, False)
    dummy_ovs.vsctl("del-port", "br-msg", "late")
    assert next_report()[:2] == ("delete", 9)


def test_a_role_request_is_answered_and_a_stale_generation_refused(bridge: Bridge) -> None:
    assert m.read_role(only(bridge.ask([m.role_request(m.ROLE_MASTER, 7)]))) == (m.ROLE_MASTER, 7)
    assert bridge.refusals([m.role_request(m.ROLE_MASTER, 6)])[0].text == "role refused: stale generation"


def test_a_packet_in_brings_cookie_table_registers_and_tunnel(bridge: Bridge, dummy_ovs: DummyOvs) -> None:
    first = Flow(FIRST, 5, match(in_port=1), (set_field({NETWORK: 7, SENDER: 9}, tunnel_id=77, metadata=5), SECOND))
    second = Flow(SECOND, 5, match({NETWORK: 7}), (controller(),))
    assert not bridge.refusals([first.add(), second.add()])
    sent = frames.udp("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2", 68, 67)
    dummy_ovs.appctl("netdev-dummy/receive", "m1", sent.hex())
    whole = bridge.wait_for(m.PACKET_IN)
    seen = m.read_packet_in(whole)
    assert seen == m.PacketIn(second.cookie, 10, 1, 77, {"reg6": 7, "reg7": 9}, 5, packet_in.APPLY_ACTION, len(sent),
                              sent)
    assert (seen.registers[NETWORK], seen.registers[SENDER]) == (7, 9)
    others = theirs(osken.OFPPacketIn, whole)
    assert (others.cookie, others.match["in_port"], others.match["reg6"], others.data) == (seen.cookie, 1, 7, sent)


def test_a_packet_out_comes_out(bridge: Bridge, dummy_ovs: DummyOvs) -> None:
    sent = frames.arp_request("fa:16:3e:00:00:01", "10.0.0.1", "10.0.0.2")
    assert not bridge.refusals([m.packet_out(output(2), sent)])
    assert dummy_ovs.recordings[2].more() == [sent]


def test_counters_are_read(bridge: Bridge, dummy_ovs: DummyOvs) -> None:
    flow = Flow(FIRST, 6, match(in_port=2), (drop("test"),))
    assert not bridge.refusals([flow.add()])
    sent = frames.arp_request("fa:16:3e:00:00:01", "10.0.0.1", "10.0.0.2")
    for _ in range(3):
        dummy_ovs.send("m2", sent, "br-msg")
    dummy_ovs.appctl("revalidator/wait")
    whole = only(bridge.ask([m.flow_stats_request(cookie=flow.cookie, cookie_mask=0xFFFFFFFFFFFFFFFF)]))
    held, = m.read_flows_held(whole).items()
    assert (held[0], held[1].packets, held[1].octets) == (flow.key, 3, 3 * len(sent))


def test_thousands_of_flows_come_in_several_messages(bridge: Bridge) -> None:
    many = [Flow(FIRST, 50, match(reg1=n), (drop("test"),)) for n in range(5000)]
    assert not bridge.commit([flow.add() for flow in many])
    replies = [each for each in bridge.ask([m.flow_stats_request()]) if each[1] == m.MULTIPART_REPLY]
    assert len(replies) > 1
    assert [m.multipart_kind(each) for each in replies] == [(m.FLOWS, True)] * (len(replies) - 1) + [(m.FLOWS, False)]
    assert bridge.held() == {flow.key: (flow.cookie, flow.body) for flow in many}


def test_what_a_switch_cannot_parse_is_refused_when_added_and_does_not_stop_a_commit(bridge: Bridge) -> None:
    wrong = Flow(FIRST, 5, match(), (set_field(ipv4_src="10.0.0.1"), output(2)))
    refused, = bridge.refusals([bundle.bundle_open(1), bundle.bundle_add(1, wrong.add(), 5),
                                bundle.bundle_add(1, FLOW.add(), 6)])
    assert (refused.xid, refused.text) == (5, "bad action: inconsistent with the match")
    replies = bridge.ask([bundle.bundle_close(1), bundle.bundle_commit(1)])
    assert [m.read_bundle_reply(each) for each in replies] == [m.BundleReply(1, m.CLOSE_REPLY),
                                                               m.BundleReply(1, m.COMMIT_REPLY)]
    assert FLOW.key in bridge.held()


def test_what_a_switch_cannot_do_is_refused_at_the_commit_and_takes_the_whole_bundle_back(bridge: Bridge) -> None:
    good = Flow(FIRST, 6, match(), (drop("x"),))
    to_nowhere = Flow(FIRST, 7, match(), (output(2), group(99)))
    added = [bundle.bundle_add(2, flow.add(), xid) for xid, flow in ((5, FLOW), (6, good), (7, to_nowhere))]
    assert not bridge.refusals([bundle.bundle_open(2), *added, bundle.bundle_close(2)])
    refused = bridge.refusals([bundle.bundle_commit(2, 9)])
    assert [(each.xid, each.text) for each in refused] == [(7, "bad action: bad output group"),
                                                           (9, "bundle refused: message failed")]
    assert bridge.held() == {}


def test_meters_cannot_be_bundled_groups_can(bridge: Bridge) -> None:
    assert [each.text for each in bridge.commit([Meter(9, pps=4).add()])] == ["bundle refused: message unsupported"]
    assert not bridge.commit([GROUPS[0].add(), Flow(FIRST, 5, match(), (group(1),)).add()])
    assert not bridge.commit([GROUPS[0].modify()])
    assert bridge.held().keys() == {("group", 1), (0, 5, match())}
    assert not bridge.commit([delete(("group", 1))])
    assert bridge.held() == {}, "deleting a group deletes the flows that use it"


def test_deleting_a_meter_deletes_the_flows_that_use_it(bridge: Bridge) -> None:
    assert not bridge.refusals([Meter(9, pps=4).add(), Flow(FIRST, 5, match(), (meter(9), output(1))).add()])
    assert len(bridge.held()) == 2
    assert not bridge.refusals([delete(("meter", 9))])
    assert bridge.held() == {}


def test_meter_numbers_go_as_far_as_openflow_lets_them(bridge: Bridge) -> None:
    assert m.read_meter_features(only(bridge.ask([m.meter_features_request()]))) == m.MeterFeatures(262144, 8)
    last = Meter(0xFFFF0000, pps=5)
    assert not bridge.refusals([last.add()])
    assert bridge.refusals([last.add()])[0].text == "meter refused: meter exists"
    assert not bridge.refusals([delete(last.key)])


def test_an_error_is_put_into_words_even_if_openflow_has_none(bridge: Bridge) -> None:
    assert m.in_words(2, 10) == "bad action: inconsistent with the match"
    assert m.in_words(40, 99) == "error 40: code 99"
    experimenter = m.message(m.ERROR, struct.pack("!HHI", 0xFFFF, 2, 0x4F4E4600) + b"data", 5)
    assert m.read_error(experimenter) == m.Refusal(5, 0xFFFF, 2, b"data", "experimenter 0x4f4e4600: 2")
