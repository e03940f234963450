"""The way of a DHCP question through a real Open vSwitch to the controller, metered; ARP for the server's address."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import apps.dhcp
import apps.neighbours
import apps.port_security
import apps.questions
import apps.security_groups
import apps.switching
from apps.pipeline import ASK, SENDER
from controller.app import RULES, TALLIES
from controller.compile import Compiler
from controller.openflow import Flow, Meter, match, messages
from controller.openflow.frame import PACKET_IN
from controller.openflow.packet_in import read_packet_in
from tests.kit import frames
from tests.kit.dhcp import ACK, DISCOVER, OFFER, REQUEST, ask, read
from tests.kit.dummy_ovs import Bridge, DummyOvs, dummy_ovs  # noqa: F401
from tests.kit.fields import fields
from tests.kit.frames import raw_ip
from tests.kit.tenant import Tenant

SWITCH, MAC, OTHER, OURS, GATEWAY, SERVER_MAC = (
    "00000000000000aa",
    "fa:16:3e:00:00:05",
    "fa:16:3e:00:00:66",
    "10.0.0.5",
    "10.0.0.1",
    "fa:16:3f:00:00:09",
)
PORT_KEY, OFPORT = 77, 5


class Fabric(Tenant):
    """One network on one switch, compiled by the real rules."""

    def __init__(self) -> None:
        super().__init__()
        self.compiler = Compiler(self.model, RULES, TALLIES, strict=True)
        self.put("host", "h", hostname="h", tunnel_ip="192.0.2.1")
        self.put("switch", SWITCH, host_id="h")
        self.put("network", "n", key=9, mtu=1450, provider_network_type="vxlan", provider_segmentation_id=9)
        self.put("subnet", "s", network_id="n", ip_version=4, cidr="10.0.0.0/24", gateway_ip=GATEWAY)
        self.port("p", MAC, OURS, PORT_KEY, OFPORT)
        self.port("q", OTHER, "10.0.0.6", PORT_KEY + 1, OFPORT + 1)

    def put(self, kind, id, **said):
        before = self.model.get(kind, id)
        row = super().put(kind, id, **said)
        again = self.model.put(kind, row)._replace(before=before)
        facts = tuple({fact for each in (before, row) if each is not None for fact in self._facts(kind, id, each)})
        self.compiler.update([again._replace(facts=facts)])
        return row

    def _facts(self, kind, id, row):
        yield kind, id
        yield kind, "all", True
        for name, keys in self.model.keys[kind].items():
            for key in keys(row):
                yield kind, name, key

    def port(self, id, mac, ip, key, ofport):
        self.put("interface", f"h/{id}", host_id="h", switch_id=SWITCH, name=id, port_id=id, ofport=ofport)
        self.put(
            "port",
            id,
            network_id="n",
            mac_address=mac,
            key=key,
            security_groups=[],
            port_security_enabled=True,
            fixed_ips=[{"subnet_id": "s", "ip_address": ip}],
        )

    def wanted(self, rule):
        """What a rule wants on the switch."""
        return [
            entry
            for entry in self.compiler.desired(SWITCH).values()
            if entry.why and entry.why.rule == f"apps.{rule}"
        ]


@pytest.fixture
def fabric() -> Fabric:
    return Fabric()


def test_a_port_with_dhcp_has_one_flow_and_one_meter(fabric: Fabric) -> None:
    of_p = [entry for entry in fabric.wanted("questions.ask") if entry.why.resource == "p"]
    flow, meter = sorted(of_p, key=lambda entry: isinstance(entry, Meter))
    assert isinstance(flow, Flow) and isinstance(meter, Meter)
    assert (meter.pps, meter.burst, meter.id) == (20, 20, PORT_KEY)
    assert flow.key == (
        ASK.number,
        ASK.levels["port"],
        match({SENDER: PORT_KEY, "eth_type": 0x800}),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "subnet", "id": "s", "enable_dhcp": False},
        {"kind": "port", "id": "p", "fixed_ips": []},
        {
            "kind": "port",
            "id": "p",
            "extra_dhcp_opts": [{"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 4}],
        },
        {"kind": "interface", "id": "h/p", "port_id": None},
    ],
)
def test_a_port_without_dhcp_has_neither(fabric: Fabric, change: dict) -> None:
    fabric.put(**change)
    assert not [entry for entry in fabric.wanted("questions.ask") if entry.why.resource == "p"]


def test_arp_for_the_server_is_answered_unless_a_machine_has_its_address(fabric: Fabric) -> None:
    assert len(fabric.wanted("dhcp.answer_server_address")) == 1
    fabric.put("port", "q", allowed_address_pairs=[{"ip_address": GATEWAY, "mac_address": OTHER}])
    assert not fabric.wanted("dhcp.answer_server_address")
    fabric.put("port", "q", allowed_address_pairs=[])
    assert len(fabric.wanted("dhcp.answer_server_address")) == 1
    fabric.put("port", "q", fixed_ips=[{"subnet_id": "s", "ip_address": GATEWAY}])
    assert not fabric.wanted("dhcp.answer_server_address")
    assert not list(fabric.compiler.conflicts())
    fabric.put("subnet", "s", gateway_ip="10.0.0.254")
    assert len(fabric.wanted("dhcp.answer_server_address")) == 1
    fabric.put("subnet", "s", enable_dhcp=False)
    assert not fabric.wanted("dhcp.answer_server_address")


def test_two_subnets_without_gateway_share_one_answer(fabric: Fabric) -> None:
    fabric.put("subnet", "s", gateway_ip=None)
    fabric.put("subnet", "t", network_id="n", ip_version=4, cidr="10.2.0.0/24", gateway_ip=None)
    assert len(fabric.wanted("dhcp.answer_server_address")) == 1
    assert not list(fabric.compiler.conflicts())


# ---- on a real switch


@pytest.fixture(scope="module")
def switch(dummy_ovs: DummyOvs) -> Iterator[tuple[DummyOvs, Bridge, Fabric]]:  # noqa: F811
    """The compiled flows on a bridge with two ports; what p would receive goes to a file."""
    fabric = Fabric()
    bridge = dummy_ovs.add_bridge("dhcp")
    dummy_ovs.add_ports("dhcp", {"p": OFPORT, "q": OFPORT + 1})
    dummy_ovs.vsctl("set", "interface", "p", f"options:tx_pcap={dummy_ovs.directory}/p.pcap")
    entries = fabric.compiler.desired(SWITCH).values()
    bridge.ask([messages.set_config()])  # without it a connection like this one hears of no packets
    # Open vSwitch takes no meters in bundles: they go ahead of the flows that name them.
    assert not bridge.refusals([entry.add() for entry in entries if not isinstance(entry, Flow)])
    assert not bridge.commit([entry.add() for entry in entries if isinstance(entry, Flow)])
    yield dummy_ovs, bridge, fabric


def punted(bridge: Bridge, ovs: DummyOvs, frame: bytes, times: int = 1) -> list[bytes]:
    """What comes to the controller if port p sends a frame: all before a question that port q sends after it."""
    for _ in range(times):
        ovs.appctl("netdev-dummy/receive", "p", frame.hex())
    last = ask(OTHER, DISCOVER)
    ovs.appctl("netdev-dummy/receive", "q", last.hex())
    found: list[bytes] = []
    while last not in found:
        raw = bridge.read()
        if raw[1] == PACKET_IN:
            found.append(read_packet_in(raw).data)
    return found[:-1]


def test_a_question_comes_whole_from_the_switch_and_the_answer_fits_it(switch) -> None:
    ovs, bridge, fabric = switch
    renewal = ask(MAC, REQUEST, ciaddr=OURS, source=OURS, destination=GATEWAY, to_mac=SERVER_MAC)
    for frame, kind in ((ask(MAC, DISCOVER), OFFER), (ask(MAC, REQUEST, {50: raw_ip(OURS)}), ACK), (renewal, ACK)):
        (seen,) = punted(bridge, ovs, frame)
        assert seen == frame
        (answer,) = apps.dhcp.offer(fabric.compiler.world, fabric.model.get("port", "p"), seen)
        assert read(answer).kind == kind


def test_a_question_from_anothers_mac_or_address_never_comes(switch) -> None:
    ovs, bridge, _ = switch
    assert not punted(bridge, ovs, ask(MAC, DISCOVER, from_mac=OTHER))
    assert not punted(bridge, ovs, ask(MAC, REQUEST, ciaddr="10.0.0.6", source="10.0.0.6"))
    assert not punted(bridge, ovs, frames.udp(MAC, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 67, 68, bytes(300)))


def test_arp_for_the_server_is_answered_by_the_switch(switch) -> None:
    ovs, bridge, _ = switch
    assert not punted(bridge, ovs, frames.arp_request(MAC, OURS, GATEWAY))
    raw = (ovs.directory / "p.pcap").read_bytes()
    sent = raw[40 : 40 + int.from_bytes(raw[32:36], "little")]
    assert fields(sent) == fields(frames.arp_reply(SERVER_MAC, GATEWAY, MAC, OURS))


def test_a_flood_of_questions_comes_at_the_meters_rate(switch) -> None:
    ovs, bridge, _ = switch
    started = time.monotonic()
    came = len(punted(bridge, ovs, ask(MAC, DISCOVER), times=150))
    assert 1 <= came <= 20 + 20 * (time.monotonic() - started) + 1, "the burst, and so many each second"
