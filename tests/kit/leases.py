"""One port with DHCP, to talk to: what it hears when it sends a frame."""

from __future__ import annotations

from typing import Any

from apps import dhcp
from tests.kit.dhcp import DISCOVER, Answer, ask, read
from tests.kit.tenant import Tenant

MAC, OTHER_MAC = "fa:16:3e:00:00:05", "fa:16:3e:00:00:66"
OURS, SERVER, ALIEN = "10.0.0.5", "10.0.0.1", "10.0.0.77"
LEASE_TIMES = {51: (86400).to_bytes(4, "big"), 58: (43200).to_bytes(4, "big"), 59: (75600).to_bytes(4, "big")}


def one_port(**settings: Any) -> Tenant:
    """A network with one subnet, and on it the port that `talk` and `said` speak for."""
    net = Tenant(**settings)
    net.put("network", "n", key=0x0102, mtu=1450)
    net.put("subnet", "s", network_id="n", ip_version=4, cidr="10.0.0.0/24", gateway_ip=SERVER)
    net.put("port", "p", network_id="n", mac_address=MAC, fixed_ips=[{"subnet_id": "s", "ip_address": OURS}])
    return net


def talk(net: Tenant, frame: bytes) -> Answer | None:
    """What port p hears when it sends a frame."""
    heard = dhcp.offer(net.world, net.model.get("port", "p"), frame)
    assert len(heard) <= 1
    return read(heard[0]) if heard else None


def said(net: Tenant, kind: int = DISCOVER, more: dict[int, bytes] | None = None, **fields: Any) -> Answer:
    answer = talk(net, ask(MAC, kind, more, **fields))
    assert answer is not None
    return answer
