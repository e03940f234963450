"""A VLAN with machines of its own on the wire, which a router joins with a tenant's network."""
from __future__ import annotations

from typing import Any

from apps.uplinks import wire_mac
from tests.kit import frames
from tests.kit.leading import Leading, open_group
from tests.kit.net import Net, Port
from tests.kit.talk import Said
from tests.kit.wires import Outsider, attach, vlan, wire

DESK = Outsider("desk", ip="10.5.0.99", ip6="2001:db8:5::99", mac="02:00:00:00:00:05", vlan=105)
HOSTS = ("host1", "host2", "host3")


class Office:
    """A VLAN with machines of its own that a router joins with a tenant's network; three hosts have the wire.

    `six` says more of the VLAN's IPv6 subnet.
    """

    def __init__(self, net: Net, **six: Any) -> None:
        wire(net, *HOSTS)
        self.net = net
        self.cloud = Leading(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), hosts=HOSTS, wires=())
        self.office = vlan(net, "office", 105, subnets=("10.5.0.0/24",))
        net.subnet(self.office, "2001:db8:5::/64", **six)
        self.cloud.router.join(self.office)
        attach(net, DESK)
        self.group = open_group(net)
        net.rule(self.group, "ingress", "tcp", 22, v=6)

    def interface(self, v: int = 4) -> Port:
        return self.cloud.router.on(self.office, v)

    def asked(self, ip: str) -> dict:
        """The one answer to who asks on the wire for an address of the router."""
        question = frames.ns(DESK.mac, DESK.ip6, ip) if ":" in ip else frames.arp_request(DESK.mac, DESK.ip, ip)
        ((_, told),) = [arrival for arrival in self.net.send(DESK, question).arrivals if arrival[0] == DESK.name]
        return told

    def mac(self, v: int = 4) -> str:
        """The MAC that machines on the wire know the router by."""
        return f"{self.asked(self.interface(v).ip if v == 4 else '2001:db8:5::1')['eth_src']:012x}"

    def door(self, v: int = 4) -> str:
        """The host that it is a MAC of."""
        macs = {wire_mac(self.net.switch_on(host), self.interface(v)).replace(":", ""): host for host in HOSTS}
        return macs[self.mac(v)]

    def into(self, port: Port, v: int = 4, **more) -> Said:
        mac = ":".join(self.mac(v)[place:place + 2] for place in range(0, 12, 2))
        source, to = (DESK.ip6, port.ip6) if v == 6 else (DESK.ip, port.ip)
        return frames.tcp(DESK.mac, mac, source, to, 5000, 22, **more)
