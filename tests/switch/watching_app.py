"""An application of os-ken, loaded beside Hadron's: it observes what it can and asks for ports' counters."""
from __future__ import annotations

from typing import Any

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_4, ofproto_v1_4_parser


class WatchingApp(OSKenApp):
    """Keeps what it was told in `told`, for the test that loaded it."""

    OFP_VERSIONS = [ofproto_v1_4.OFP_VERSION]
    latest: WatchingApp | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.told: list[Any] = []
        WatchingApp.latest = self

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def changed(self, event: Any) -> None:
        self.told.append((event.state, event.datapath.id))
        if event.state == MAIN_DISPATCHER:
            event.datapath.send_msg(ofproto_v1_4_parser.OFPPortStatsRequest(event.datapath, 0, ofproto_v1_4.OFPP_ANY))

    @set_ev_cls([getattr(ofp_event, f"EventOFP{name}") for name in (
        "PortStatsReply", "QueueStatsReply", "QueueDescStatsReply", "TableStatsReply", "TableFeaturesStatsReply",
        "TableDescStatsReply", "PortDescStatsReply", "GroupStatsReply", "GroupDescStatsReply",
        "GroupFeaturesStatsReply",
        "MeterStatsReply", "MeterConfigStatsReply", "MeterFeaturesStatsReply", "AggregateStatsReply", "FlowStatsReply",
        "FlowMonitorReply", "DescStatsReply", "PortStatus", "FlowRemoved", "RoleStatus", "TableStatus",
        "RequestForward",
        "GetAsyncReply", "GetConfigReply", "RoleReply", "ErrorMsg", "PacketIn", "Hello", "BundleCtrlMsg",
    )])
    def heard(self, event: Any) -> None:
        self.told.append(event)
