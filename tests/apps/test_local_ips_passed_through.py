"""Local IPs in passthrough: the port has the address itself, for its own host."""

from __future__ import annotations

from types import SimpleNamespace

from tests.kit import frames
from tests.kit.local_ips import Here, served
from tests.kit.net import Net
from tests.kit.talk import tcp, udp


def test_passed_through_the_packet_keeps_the_address(net: Net) -> None:
    here = Here(net, mode="passthrough")
    here.stand(*here.ports.values())
    for host, client in here.clients.items():
        here.asked(client).answered(arp_sha=here.mac)
        served(here, client, here.ports[host], shown=here.ip)


def test_passed_through_groups_see_the_address_and_whose_it_is_here(net: Net) -> None:
    by_address, by_group, serving = (net.group(name, egress=False) for name in ("by_address", "by_group", "serving"))
    here = Here(net, mode="passthrough")
    net.rule(by_address, "egress", "udp", remote=f"{here.ip}/32")
    net.rule(by_group, "egress", "udp", remote=serving)
    net.rule(serving, "ingress", "udp")
    port = net.port("serves", on="host1", network=here.network, groups=[serving])
    one, other = (net.port(group.name, on="host1", network=here.network, groups=[group]) for group in (by_address, by_group))
    net.send(udp(one, here)).reaches_nobody()
    here.stand(port)
    served(here, one, port, shown=here.ip)
    served(here, other, port, shown=here.ip)
    net.send(udp(one, port)).reaches_nobody()
    net.send(tcp(other, here)).reaches_nobody()


def test_who_has_the_address_itself_is_heard_on_its_host_only(net: Net) -> None:
    here = Here(net, mode="passthrough")
    here.stand(here.ports[1])
    port, near, far = here.ports[1], here.clients[1], here.clients[2]
    itself = SimpleNamespace(mac=port.mac, ip=here.ip, name=port.name)
    net.send(port, udp(itself, near).frame).reaches(near)
    net.send(port, udp(itself, far).frame).reaches_nobody("a local IP does not leave its host")
    net.send(port, frames.arp_request(port.mac, here.ip, near.ip)).answered(arp_spa=near.ip)
    net.send(port, frames.arp_request(port.mac, here.ip, here.ip)).reaches_nobody("a local IP is not announced")
    net.send(port, frames.arp_request(port.mac, "0.0.0.0", here.ip)).reaches_nobody("a local IP is not announced")
    net.send(port, frames.arp_request(port.mac, here.ip, "10.0.0.250")).reaches_nobody("a local IP is not heard of on other hosts")
    net.send(here.ports[2], udp(SimpleNamespace(mac=here.ports[2].mac, ip=here.ip), near).frame).reaches_nobody()


def test_a_port_with_a_pair_for_the_address_has_it_anyway(net: Net) -> None:
    here = Here(net, mode="passthrough")
    net.change(here.ports[1], allowed_address_pairs=[{"ip_address": here.ip}])
    here.stand(here.ports[1])
    served(here, here.clients[1], here.ports[1], shown=here.ip)
