"""The messages of a session with a switch, raw: greeting, echo, roles, ports, packets out; and, so that a session
needs to import only this module, those of `frame`, `errors`, `stats`, `bundle` and `packet_in`.

Every reader checks every length before it uses it and raises Malformed; none can run longer than its message.
"""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.actions import NO_BUFFER, PORT_CONTROLLER
from controller.openflow.bundle import (
    CLOSE_REPLY,
    COMMIT_REPLY,
    DISCARD_REPLY,
    OPEN_REPLY,
    BundleReply,
    bundle_add,
    bundle_close,
    bundle_commit,
    bundle_discard,
    bundle_open,
    read_bundle_reply,
)
from controller.openflow.errors import Refusal, in_words, read_error
from controller.openflow.flow import VERSION
from controller.openflow.frame import (
    BARRIER_REPLY,
    BARRIER_REQUEST,
    BUNDLE_ADD_MESSAGE,
    BUNDLE_CONTROL,
    ECHO_REPLY,
    ECHO_REQUEST,
    ERROR,
    FEATURES_REPLY,
    FEATURES_REQUEST,
    FLOW_REMOVED,
    HEADER_SIZE,
    HELLO,
    MULTIPART_REPLY,
    PACKET_IN,
    PACKET_OUT,
    PORT_STATUS,
    ROLE_REPLY,
    ROLE_REQUEST,
    ROLE_STATUS,
    SET_ASYNC,
    SET_CONFIG,
    Malformed,
    elements,
    expect,
    message,
    split,
    with_xid,
    xid_of,
)
from controller.openflow.packet_in import PacketIn, read_packet_in
from controller.openflow.ports import Port, PortStatus, read_port_status
from controller.openflow.stats import (
    FLOWS,
    GROUP_DESC,
    METER_CONFIG,
    METER_FEATURES,
    PORT_DESC,
    TABLES,
    Held,
    MeterFeatures,
    flow_stats_request,
    group_desc_request,
    meter_config_request,
    meter_features_request,
    multipart_kind,
    port_desc_request,
    read_flow_count,
    read_flow_stats,
    read_flows_held,
    read_groups,
    read_meter_features,
    read_meters,
    read_ports,
    table_stats_request,
)

__all__ = [
    "BARRIER_REPLY", "BARRIER_REQUEST", "BUNDLE_ADD_MESSAGE", "BUNDLE_CONTROL", "CLOSE_REPLY", "COMMIT_REPLY",
    "DISCARD_REPLY", "ECHO_REPLY", "ECHO_REQUEST", "ERROR", "FEATURES_REPLY", "FEATURES_REQUEST", "FLOWS",
    "FLOW_REMOVED", "GROUP_DESC", "HEADER_SIZE", "HELLO", "METER_CONFIG", "METER_FEATURES", "MULTIPART_REPLY",
    "OPEN_REPLY", "PACKET_IN", "PACKET_OUT", "PORT_DESC", "PORT_STATUS", "ROLE_EQUAL", "ROLE_MASTER", "ROLE_NOCHANGE",
    "ROLE_REPLY", "ROLE_REQUEST", "ROLE_SLAVE", "ROLE_STATUS", "SET_ASYNC", "SET_CONFIG", "SHOW_FIRST", "TABLES", "VERSION", "BundleReply",
    "Features", "Held", "Malformed", "MeterFeatures", "PacketIn", "Port", "PortStatus", "Refusal",
    "barrier_request", "bundle_add", "bundle_close", "bundle_commit", "bundle_discard", "bundle_open", "echo_reply",
    "echo_request", "elements", "expect", "features_request", "flow_stats_request", "group_desc_request", "hello",
    "in_words", "message", "meter_config_request", "meter_features_request", "multipart_kind", "packet_out",
    "port_desc_request", "read_bundle_reply", "read_error", "read_features", "read_flow_count", "read_flow_stats", "read_flows_held",
    "read_groups", "read_hello", "read_meter_features", "read_meters", "read_packet_in", "read_port_status",
    "read_ports", "read_role", "role_request", "set_async", "set_config", "split", "table_stats_request", "with_xid", "xid_of",
]

ROLE_NOCHANGE, ROLE_EQUAL, ROLE_MASTER, ROLE_SLAVE = 0, 1, 2, 3
_VERSION_BITMAP = 1
_UINT64 = struct.Struct("!Q")


def hello(xid: int = 0) -> bytes:
    """Our HELLO: we speak OpenFlow 1.4 and nothing else."""
    return message(HELLO, struct.pack("!HHI", _VERSION_BITMAP, 8, 1 << VERSION), xid)


def read_hello(whole: bytes) -> frozenset[int]:
    """The version bytes that the sender of a HELLO speaks (5 is OpenFlow 1.4)."""
    expect(whole, HELLO, HEADER_SIZE)
    for kind, start, end in elements(whole, HEADER_SIZE, len(whole)):
        if kind == _VERSION_BITMAP:
            if (end - start) % 4:
                raise Malformed("a version bitmap that is not made of 32-bit words")
            words = [int.from_bytes(whole[at:at + 4], "big") for at in range(start + 4, end, 4)][:8]
            return frozenset(32 * n + bit for n, word in enumerate(words) for bit in range(32) if word >> bit & 1)
    return frozenset(range(1, whole[0] + 1))


def echo_request(data: bytes = b"", xid: int = 0) -> bytes:
    """Ask the switch to say the same back."""
    return message(ECHO_REQUEST, data, xid)


def echo_reply(request: bytes) -> bytes:
    """The answer to an ECHO_REQUEST."""
    expect(request, ECHO_REQUEST, HEADER_SIZE)
    return request[:1] + bytes((ECHO_REPLY,)) + request[2:]


def features_request(xid: int = 0) -> bytes:
    """Ask who the switch is."""
    return message(FEATURES_REQUEST, b"", xid)


class Features(NamedTuple):
    """Who a switch says it is. `switch_id` is the datapath id as 16 hex digits."""

    switch_id: str
    tables: int
    auxiliary: int
    capabilities: int


def read_features(whole: bytes) -> Features:
    """The switch's answer to features_request."""
    expect(whole, FEATURES_REPLY, 32)
    dpid, _, tables, auxiliary, capabilities = struct.unpack_from("!QIBB2xI", whole, HEADER_SIZE)
    return Features(f"{dpid:016x}", tables, auxiliary, capabilities)


def barrier_request(xid: int = 0) -> bytes:
    """Ask for an answer once everything before has been carried out."""
    return message(BARRIER_REQUEST, b"", xid)


# Open vSwitch's own way (OFPC_FRAG_NX_MATCH): a first fragment shows its ports and ICMP type. In OpenFlow's normal way it
# does not, and whatever is matched by port or type passes in fragments: a DHCP server, a router advertisement.
SHOW_FIRST = 3


def set_config(*, miss_send_len: int = 0xFFFF, fragments: int = 0, xid: int = 0) -> bytes:
    """How much of a packet without actions of its own comes to us (0xffff: all), and how fragments are treated."""
    return message(SET_CONFIG, struct.pack("!HH", fragments, miss_send_len), xid)


def set_async(*, packet_in_reasons: int, port_reasons: int | None = None, removal_reasons: int | None = None,
              xid: int = 0) -> bytes:
    """Which reasons (bits 1 << reason) send packets to us while we are no slave, who gets none; likewise for changes of
    ports, and for flows that go, if that is said.
    """
    told = [(0, 0), (1, packet_in_reasons), (3, port_reasons), (5, removal_reasons)]
    return message(SET_ASYNC, b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in told if mask is not None), xid)


def role_request(role: int, generation: int, xid: int = 0) -> bytes:
    """Take a role; `generation` (64 bits) fences off controllers with an older one."""
    return message(ROLE_REQUEST, struct.pack("!I4xQ", role, generation), xid)


def read_role(whole: bytes) -> tuple[int, int]:
    """Role and generation from a ROLE_REPLY or a ROLE_STATUS."""
    if len(whole) > 1 and whole[1] == ROLE_STATUS:
        expect(whole, ROLE_STATUS, 24)
    else:
        expect(whole, ROLE_REPLY, 24)
    role, = struct.unpack_from("!I", whole, HEADER_SIZE)
    return role, _UINT64.unpack_from(whole, 16)[0]


def packet_out(actions: bytes, data: bytes, in_port: int = PORT_CONTROLLER, xid: int = 0) -> bytes:
    """Send a packet from the switch as the actions say. Raises ValueError if it is longer than a message can be."""
    if HEADER_SIZE + 16 + len(actions) + len(data) > 0xFFFF:
        raise ValueError(f"a packet of {len(data)} bytes does not fit into a message")
    return message(PACKET_OUT, struct.pack("!IIH6x", NO_BUFFER, in_port, len(actions)) + actions + data, xid)
