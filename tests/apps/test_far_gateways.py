"""Gateways that nobody here is: outside of the subnet, on a wire, or in a machine that may have any address."""
from __future__ import annotations

import pytest
import yaml

from apps import dhcp
from apps.network_config import render
from controller.errors import Refused
from controller.types import Record
from controller.world import Glance
from tests.kit import frames
from tests.kit.dhcp import DISCOVER, ask, read
from tests.kit.leading import Leading, number
from tests.kit.net import Net, Thing
from tests.kit.router import Router
from tests.kit.talk import Said
from tests.kit.wires import Outsider, attach, vlan, wire

FAR = "192.0.2.1"
SERVER, ROUTER, ROUTES, ROUTES_OF_MICROSOFT = 54, 3, 121, 249


def offered(net: Net, port: Thing) -> dict[int, bytes]:
    """The options that the port is told."""
    row = net.model.get("port", port.id)
    (frame,) = dhcp.offer(Glance(net.model), row, ask(row.mac_address, DISCOVER))
    return read(frame).options


def asks_for(net: Net, port: Thing, ip: str):
    return net.send(Said(port, frames.arp_request(port.mac, port.ip, ip)))


@pytest.fixture
def net() -> Net:
    return Net(dns={"enabled": False}, metadata={"enabled": False})


def test_a_far_gateway_is_on_the_link_before_all_that_it_leads_to(net):
    red = net.network("red", subnets=())
    net.subnet(red, "10.0.0.0/24", gateway_ip=FAR, host_routes=[{"destination": "198.51.100.0/24", "nexthop": FAR}])
    told = offered(net, net.port("a", network=red, on="host1", groups=[]))
    far = number(FAR).to_bytes(4, "big")
    assert told[ROUTER] == far and told[SERVER] == frames.raw_ip("169.254.169.254")
    assert told[ROUTES] == b"\x20" + far + bytes(4) + b"\x18\xc6\x33\x64" + far + b"\x00" + far
    assert told.get(ROUTES_OF_MICROSOFT, told[ROUTES]) == told[ROUTES]


def test_a_near_gateway_needs_no_route_to_itself(net):
    a = net.port("a", network=net.network("red", subnets=("10.0.0.0/24",)), on="host1", groups=[])
    assert ROUTES not in offered(net, a)


@pytest.mark.parametrize("gateway", ["10.0.0.1", FAR])
def test_a_gateway_on_the_wire_answers_for_itself(net, gateway):
    wire(net, "host1", "host2")
    red = vlan(net, "red", 101, subnets=())
    net.subnet(red, "10.0.0.0/24", gateway_ip=gateway)
    out = Outsider("gateway", ip=gateway, vlan=101)
    attach(net, out)
    a = net.port("a", network=red, on="host1", groups=[])
    assert offered(net, a)[SERVER] == frames.raw_ip("169.254.169.254")
    asks_for(net, a, gateway).reaches(out)


def test_a_router_of_ours_on_the_wire_is_the_server_too(net):
    wire(net, "host1", "host2")
    red = vlan(net, "red", 101, subnets=("10.0.0.0/24",))
    a = net.port("a", network=red, on="host1", groups=[])
    Router(net).join(red)
    assert offered(net, a)[SERVER] == frames.raw_ip("10.0.0.1")


def test_a_gateway_in_a_machine_that_may_have_any_address_answers_for_itself(net):
    red = net.network("red", subnets=("10.0.0.0/24",))
    a = net.port("a", network=red, on="host1", ip="10.0.0.5", groups=[])
    asks_for(net, a, "10.0.0.1").answered()
    gateway = net.port("gateway", network=red, on="host2", ip="10.0.0.9", security=False)
    asks_for(net, a, "10.0.0.1").reaches(gateway)
    assert offered(net, a)[SERVER] == frames.raw_ip("169.254.169.254")


def test_no_router_of_ours_takes_a_far_gateways_place(net):
    red = net.network("red", subnets=())
    far = net.subnet(red, "10.0.0.0/24", gateway_ip=FAR)
    with pytest.raises(Refused, match="192.0.2.1 is not a valid IP for the specified subnet") as refused:
        Router(net).act("add_router_interface", {"subnet_id": far.id})
    assert refused.value.type == "InvalidIpForSubnet"
    assert Router(net, "other").join_as(red, "10.0.0.9"), "with another address it may be there"


def test_a_router_leads_outside_by_a_gateway_that_is_not_in_the_external_subnet(net):
    cloud = Leading(net)
    subnet = next(row for row in net.model.find("subnet", "network_id", cloud.world.id) if row.ip_version == 4)
    net.writer.update(net._asker(subnet.project_id), "subnet", subnet.id, {"gateway_ip": FAR})
    net.settle()
    net.learn([("neighbour", {"id": f"{cloud.world.id}/{FAR}", "network_id": cloud.world.id, "ip_address": FAR,
                              "mac_address": cloud.away.mac})])
    a = net.port("a", network=cloud.inside, on="host1")
    sent = net.send(Said(a, frames.tcp(a.mac, cloud.within().mac, a.ip, "198.51.100.7", 40000, 80))).reaches(cloud.away)
    assert sent.arrived["ipv4_dst"] == number("198.51.100.7") and sent.arrived["ipv4_src"] == number(cloud.gateway.ip)


def test_what_is_written_into_machines_says_that_it_is_on_the_link(net):
    red = net.network("red", subnets=())
    net.subnet(red, "10.0.0.0/24", gateway_ip=FAR)
    port = net.model.get("port", net.port("a", network=red).id)
    said = {format: render(net.model, port, format, Record(device="eth0")) for format in ("interfaces", "netplan", "cloud-init")}
    lines = [line.strip() for line in said["interfaces"].splitlines() if "route" in line or "gateway" in line]
    assert lines == [f"up ip route add {FAR}/32 dev eth0", f"up ip route add 0.0.0.0/0 via {FAR} dev eth0"]
    for document in (yaml.safe_load(said["netplan"])["network"], yaml.safe_load(said["cloud-init"])):
        assert document["ethernets"]["eth0"]["routes"] == [
            {"to": f"{FAR}/32", "via": "0.0.0.0", "scope": "link"}, {"to": "0.0.0.0/0", "via": FAR, "on-link": True}]
