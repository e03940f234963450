"""A local IP and those whom it concerns: the ports that it stands for, and who asks them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from controller.values import ip_number
from tests.kit import frames
from tests.kit.net import Net, Port
from tests.kit.talk import udp
from tests.kit.worlds import ADMIN


class Here:
    """A local IP of the network, and a port on each host for which it stands there; a client on each."""

    def __init__(self, net: Net, *, groups: Any = None, mode: str = "translate", **more: Any) -> None:
        self.net, self.more = net, more if groups is None else {**more, "groups": groups}
        self.network = net.things.get(("network", "red")) or net.network("red", subnets=("10.0.0.0/24",))
        (self.row,) = net.writer.create(ADMIN, "local_ip", [
            {"network_id": self.network.id, "project_id": self.network.project_id, "ip_mode": mode}])
        net.settle()
        self.ip = self.row.local_ip_address
        self.mac = net.model.get("port", self.row.local_port_id).mac_address
        self.clients = {host: net.port(f"client{host}", on=f"host{host}", network=self.network, **self.more) for host in (1, 2)}
        self.ports = {host: net.port(f"serving{host}", on=f"host{host}", network=self.network, **self.more) for host in (1, 2)}

    def stand(self, *ports: Port) -> list[Any]:
        made = [self.net.writer.create(ADMIN, "local_ip_association", [{"local_ip_id": self.row.id, "fixed_port_id": port.id}])[0]
                for port in ports]
        self.net.settle()
        self.net.check()
        return made

    def asked(self, client: Port) -> Any:
        return self.net.send(client, frames.arp_request(client.mac, client.ip, self.ip))


def served(here: Here, client: Port, port: Port, *, shown: str = "", source_port: int = 40000) -> None:
    """A client speaks with the address, the port answers, and the client hears the address."""
    __tracebackhide__ = True
    there = here.net.send(udp(client, here, source_port=source_port)).reaches(port)
    assert there.arrived["ipv4_dst"] == ip_number(shown or port.ip) and there.arrived["ipv4_src"] == ip_number(client.ip)
    assert not there.hops
    answering = SimpleNamespace(mac=port.mac, ip=shown or port.ip, name=port.name)
    answer = udp(answering, client, source_port, source_port=53)
    back = here.net.send(port, answer.frame).reaches(client)
    assert back.arrived["ipv4_src"] == ip_number(here.ip) and not back.hops
