"""Physical networks of the small cloud: switches that send frames everywhere, and machines that are nobody's ports.

wire(net, "host1", "host2")                          # both hosts have an uplink to physnet1
red = vlan(net, "red", 101)                          # a network in VLAN 101 of physnet1; flat(net, "plain") one without
away = Outsider("away", ip="10.0.0.99", vlan=101)    # a machine on the wire
net.send(tcp(web, away)).reaches(away)               # after net.outsiders.append(away), or attach(net, away)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.openflow.packets import HEADERS

PHYSNET, PRESENT, FIRST_PORT = "physnet1", 0x1000, 65100


@dataclass(frozen=True)
class Outsider:
    """A machine on a physical network, in a VLAN of it or without a tag."""

    name: str
    ip: str = ""
    ip6: str = ""
    mac: str = "02:00:00:00:00:99"
    vlan: int | None = None
    wire: str = PHYSNET

    def hears(self, frame: dict[str, Any]) -> bool:
        """Whether a frame on its wire is for it."""
        target = frame.get("eth_dst", 0)
        return frame.get("vlan_vid", 0) == self.tag and (
            target >> 40 & 1 == 1 or target == int(self.mac.replace(":", ""), 16)
        )

    @property
    def tag(self) -> int:
        return PRESENT | self.vlan if self.vlan else 0


def wire(net: Any, *hosts: str, to: str = PHYSNET, ofport: int | None = None) -> None:
    """These hosts, known or new, have an uplink to a physical network."""
    for host in hosts:
        if ("host", host) not in net.things:
            net.host(host)
        used = [seen.ofport for seen in net.model.find("uplink", "host_id", host)]
        net.learn(
            [
                (
                    "uplink",
                    {
                        "id": f"{host}/{to}",
                        "host_id": host,
                        "switch_id": net.switch_on(host),
                        "physical_network": to,
                        "ofport": ofport or max(used, default=FIRST_PORT - 1) + 1,
                    },
                )
            ]
        )


def unwire(net: Any, host: str, to: str = PHYSNET) -> None:
    net.learn([], [("uplink", f"{host}/{to}")])


def vlan(net: Any, name: str, tag: int, *, wire: str = PHYSNET, **more: Any) -> Any:
    """A network in a VLAN of a physical network."""
    return net.network(name, type="vlan", tunnel_key=tag, **{"provider:physical_network": wire, **more})


def flat(net: Any, name: str, *, wire: str = PHYSNET, **more: Any) -> Any:
    """A network that is a physical network's untagged frames."""
    return net.network(name, type="flat", **{"provider:physical_network": wire, **more})


def attach(net: Any, *outsiders: Outsider) -> None:
    net.outsiders.extend(outsiders)


def uplink_at(net: Any, switch: str, ofport: int) -> Any:
    """The uplink that is a port of a switch, or None."""
    return next((seen for seen in net.model.find("uplink", "switch_id", switch) if seen.ofport == ofport), None)


def across(
    net: Any, name: str, frame: dict[str, Any], *, sender: str = ""
) -> tuple[list[tuple[str, dict]], list[Outsider]]:
    """Where a frame on a physical network arrives: at the other uplinks, (switch, packet), and at these machines."""
    headers = {field: frame[field] for field in HEADERS if field in frame}
    entering = [
        (seen.switch_id, {**headers, "in_port": seen.ofport})
        for seen in net.model.find("uplink", "physical_network", name)
        if seen.switch_id != sender
    ]
    return entering, [one for one in net.outsiders if one.wire == name and one.hears(frame)]
