"""Local IPs: an address that on each host stands for a port of that host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from controller.values import ip_number
from tests.kit import frames
from tests.kit.local_ips import Here, served
from tests.kit.net import Net
from tests.kit.talk import multicast, ping, tcp, udp, unreachable
from tests.kit.wires import Outsider, attach, vlan, wire
from tests.kit.worlds import ADMIN

SYN_ACK = frames.SYN | frames.ACK


@pytest.fixture
def here(net: Net) -> Here:
    return Here(net)


def test_on_each_host_the_address_is_the_port_of_that_host_and_nothing_leaves_it(here: Here) -> None:
    here.stand(*here.ports.values())
    for host, client in here.clients.items():
        here.asked(client).answered(arp_sha=here.mac, arp_spa=here.ip)
        served(here, client, here.ports[host])
        served(here, client, here.ports[host])


def test_a_host_where_it_stands_for_nobody_sends_to_whose_address_it_is(net: Net) -> None:
    red = net.network("red", subnets=("10.0.0.0/24",))
    owner = net.port("owner", on="host3", network=red)
    here = Here(net)
    (row,) = net.writer.create(ADMIN, "local_ip", [{"local_port_id": owner.id, "project_id": red.project_id}])
    here.row, here.ip, here.mac = row, row.local_ip_address, owner.mac
    assert (row.local_ip_address, row.network_id) == (owner.ip, red.id)
    here.stand(here.ports[1])
    served(here, here.clients[1], here.ports[1])
    here.asked(here.clients[2]).answered(arp_sha=owner.mac)
    net.passes(udp(here.clients[2], owner))
    net.passes(udp(here.ports[1], owner))                      # the port itself means whose address it is
    net.passes(udp(owner, here.ports[1]))


def test_an_address_that_is_nobodys_leads_nowhere_where_it_stands_for_nobody(here: Here) -> None:
    (association,) = here.stand(here.ports[1])
    here.net.send(udp(here.clients[2], here)).reaches_nobody()
    served(here, here.clients[1], here.ports[1])
    here.net.writer.delete(ADMIN, "local_ip_association", association.id)
    here.net.settle()
    here.net.send(udp(here.clients[1], here)).reaches_nobody()
    here.net.check()


def test_what_is_sent_to_the_port_itself_is_not_touched(here: Here) -> None:
    here.stand(*here.ports.values())
    for one in here.clients.values():
        for other in here.ports.values():
            net = here.net
            assert net.send(udp(one, other, source_port=1)).reaches(other).arrived["ipv4_dst"] == ip_number(other.ip)
            assert net.send(udp(one, other, source_port=1).answer()).reaches(one).arrived["ipv4_src"] == ip_number(other.ip)
            net.passes(tcp(other, one))


@pytest.mark.parametrize("sender", ("stateful", "stateless", "nobody"))
@pytest.mark.parametrize("receiver", ("stateful", "stateless", "nobody"))
def test_whoever_guards_the_two(net: Net, sender: str, receiver: str) -> None:
    def guarded(name: str) -> dict[str, Any]:
        if name == "nobody":
            return {"security": False}
        group = net.things.get(("security_group", name)) or net.group(name, stateful=name == "stateful")
        if name == "stateless" and not net.model.count("security_group_rule", "security_group_id", group.id) > 2:
            net.rule(group)
        elif name == "stateful":
            net.rule(group, protocol="udp") if not [
                one for one in net.model.find("security_group_rule", "security_group_id", group.id) if one.protocol] else None
        return {"groups": [group]}
    here = Here(net)
    client = net.port("asking", on="host1", network=here.network, **guarded(sender))
    port = net.port("answering", on="host1", network=here.network, **guarded(receiver))
    here.stand(port)
    served(here, client, port)
    served(here, client, port)


def test_groups_see_the_port_that_it_stands_for(net: Net) -> None:
    asking, serving, beside = (net.group(name, egress=False) for name in ("asking", "serving", "beside"))
    net.rule(asking, "egress", "udp", 53, remote=serving)
    net.rule(serving, "ingress", "udp", 53, remote=asking)
    here = Here(net)
    client = net.port("member", on="host1", network=here.network, groups=[asking])
    stranger = net.port("stranger", on="host1", network=here.network)
    port = net.port("serves", on="host1", network=here.network, groups=[serving])
    other = net.port("beside", on="host1", network=here.network, groups=[beside])
    (association,) = here.stand(port)
    served(here, client, port)
    net.send(tcp(client, here)).reaches_nobody()
    net.send(udp(stranger, here)).reaches_nobody()
    net.writer.delete(ADMIN, "local_ip_association", association.id)
    here.stand(other)
    net.send(udp(client, here, source_port=9)).reaches_nobody()


def test_a_rule_that_goes_ends_what_it_allowed(net: Net) -> None:
    group = net.group("serving")
    rule = net.rule(group, "ingress", "udp", 53)
    here = Here(net)
    port = net.port("serves", on="host1", network=here.network, groups=[group])
    here.stand(port)
    served(here, here.clients[1], port)
    net.remove(rule)
    net.send(udp(here.clients[1], here)).reaches_nobody()
    net.send(udp(port, here.clients[1], 40000, source_port=53)).reaches_nobody()


def test_an_error_about_a_connection_comes_from_the_address_too(here: Here) -> None:
    here.stand(here.ports[1])
    client, port = here.clients[1], here.ports[1]
    said = udp(client, here, 99)
    there = here.net.send(said).reaches(port)
    assert there.arrived["ipv4_dst"] == ip_number(port.ip)
    wrong = unreachable(port, udp(client, port, 99))
    assert here.net.send(wrong).reaches(client).arrived["ipv4_src"] == ip_number(here.ip)


def test_an_error_that_is_about_nothing_is_dropped(here: Here) -> None:
    here.stand(here.ports[1])
    client = here.clients[1]
    here.net.send(unreachable(client, udp(here, client, 7))).reaches_nobody("to a local IP, and of no connection")


def test_icmp_and_tcp_go_the_same_way(here: Here) -> None:
    here.stand(here.ports[1])
    net, client, port = here.net, here.clients[1], here.ports[1]
    net.send(ping(client, here)).reaches(port)
    assert net.send(ping(port, client, reply=True)).reaches(client).arrived["ipv4_src"] == ip_number(here.ip)
    net.send(tcp(client, here)).reaches(port)
    back = net.send(tcp(port, client, 40000, source_port=80, flags=SYN_ACK)).reaches(client)
    assert back.arrived["ipv4_src"] == ip_number(here.ip)
    net.send(tcp(client, here, flags=frames.ACK)).reaches(port)


def test_of_several_ports_of_a_host_the_eldest_is_it_until_it_goes(here: Here) -> None:
    net, client, first = here.net, here.clients[1], here.ports[1]
    second = net.port("second", on="host1", network=here.network)
    here.stand(second, first)
    served(here, client, first)
    net.unplug(first, "host1")
    served(here, client, second)
    net.plug(first, "host1")
    served(here, client, first, source_port=41000)
    net.remove(first)
    net.check()
    served(here, client, second, source_port=42000)
    assert net.model.count("local_ip_association", "local_ip_id", here.row.id) == 1


def test_one_that_is_said_to_be_down_stands_only_if_no_other_does(here: Here) -> None:
    net, client, first = here.net, here.clients[1], here.ports[1]
    second = net.port("second", on="host1", network=here.network)
    here.stand(second, first)
    net.change(first, data_plane_status="DOWN")
    served(here, client, second)
    net.change(second, data_plane_status="DOWN")
    served(here, client, first, source_port=41000)
    net.change(first, data_plane_status=None)
    net.change(second, data_plane_status="ACTIVE")
    net.check()
    served(here, client, first, source_port=42000)


def test_a_client_that_moves_meets_the_port_of_its_new_host(here: Here) -> None:
    here.stand(*here.ports.values())
    net, client = here.net, here.clients[1]
    served(here, client, here.ports[1])
    net.unplug(client, "host1")
    net.plug(client, "host2")
    served(here, client, here.ports[2])


def test_a_port_that_moves_takes_its_address_along(here: Here) -> None:
    here.stand(here.ports[1])
    net = here.net
    net.unplug(here.ports[1], "host1")
    net.plug(here.ports[1], "host2")
    net.send(udp(here.clients[1], here)).reaches_nobody()
    served(here, here.clients[2], here.ports[1])


def test_a_port_stands_for_several_addresses(here: Here) -> None:
    net, port = here.net, here.ports[1]
    (row,) = net.writer.create(ADMIN, "local_ip", [{"network_id": here.network.id, "project_id": here.network.project_id}])
    other = SimpleNamespace(ip=row.local_ip_address, mac=net.model.get("port", row.local_port_id).mac_address, net=net)
    here.stand(port)
    net.writer.create(ADMIN, "local_ip_association", [{"local_ip_id": row.id, "fixed_port_id": port.id}])
    net.settle()
    net.check()
    served(here, here.clients[1], port)
    served(other, here.clients[1], port, source_port=41000)                 # type: ignore[arg-type]
    served(here, here.clients[1], port)


def test_an_address_of_another_network_is_taken_over_wherever_it_is_sent_to(net: Net) -> None:
    """It is sent to the router, which need not have it."""
    here = Here(net)
    blue = net.network("blue", subnets=("10.9.0.0/24",))
    client, port = net.port("blueclient", on="host1", network=blue), net.port("blueserving", on="host1", network=blue)
    here.stand(port)
    for mac in ("fa:16:3e:99:99:99", here.mac):
        here.mac = mac
        served(here, client, port)
    net.send(client, frames.arp_request(client.mac, client.ip, here.ip)).answered(arp_spa=here.ip)
    net.send(udp(here.clients[1], here)).reaches_nobody()                    # in its own network it stands for nobody


def test_networks_do_not_meet(net: Net) -> None:
    here = Here(net)
    here.stand(here.ports[1])
    blue = net.network("blue", subnets=("10.0.0.0/24",))
    stranger = net.port("stranger", on="host1", network=blue, ip=here.ports[2].ip)
    net.send(udp(stranger, here)).reaches_nobody()
    served(here, here.clients[1], here.ports[1])


def test_isolated_ports_do_not_reach_it_either(net: Net) -> None:
    here = Here(net)
    here.stand(here.ports[1])
    net.writer.create(ADMIN, "port_isolation", [{"network_id": here.network.id}])
    net.settle()
    net.check()
    net.send(udp(here.clients[1], here)).reaches_nobody("ports of its network do not reach each other")


def test_a_port_that_migrates_is_it_where_it_is_and_nowhere_else(here: Here) -> None:
    """Its next host is ready for it, and sends to nobody yet what is for the host of its own."""
    net, port = here.net, here.ports[1]
    net.change(port, binding_host_id="host1")
    net.plug(port, "host2")
    (row,) = net.writer.create(ADMIN, "port_binding", [{"port_id": port.id, "host": "host2"}])
    here.stand(port)
    net.send(udp(here.clients[1], here)).reaches(port)
    back = net.send(port, udp(port, here.clients[1], 40000, source_port=53).frame, on="host1").reaches(here.clients[1])
    assert back.arrived["ipv4_src"] == ip_number(here.ip)
    net.send(udp(here.clients[2], here)).reaches_nobody()
    net.writer.act(ADMIN, "port_binding", row.id, "activate", {})
    net.settle()
    net.check()
    net.send(udp(here.clients[1], here, source_port=41000)).reaches_nobody()
    there = net.send(udp(here.clients[2], here, source_port=41000)).reaches(port)
    assert not there.hops
    net.send(port, udp(port, here.clients[2], 41000, source_port=53).frame, on="host2").reaches(here.clients[2])


def test_it_works_in_a_vlan_and_nothing_is_said_on_the_wire(net: Net) -> None:
    wire(net, "host1", "host2")
    vlan(net, "red", 105, subnets=("10.0.0.0/24",))
    here = Here(net)
    desk = Outsider("desk", ip="10.0.0.200", vlan=105)
    attach(net, desk)
    here.stand(*here.ports.values())
    for host, client in here.clients.items():
        served(here, client, here.ports[host])
        assert not net.send(udp(client, here)).wires
    net.send(udp(desk, here)).reaches_nobody()


@pytest.mark.parametrize("which", ("client", "port"))
def test_a_sub_port_of_a_trunk_takes_part(net: Net, which: str) -> None:
    here = Here(net)
    parent = net.port("parent", on="host1", network=net.network("carrying", subnets=("10.8.0.0/24",)))
    sub = net.port("sub", network=here.network)
    net.trunk(parent, t100=sub)
    port, client = (sub, here.clients[1]) if which == "port" else (here.ports[1], sub)
    here.stand(port)
    served(here, client, port)
    served(here, client, port)


def test_what_is_for_all_is_not_translated(here: Here) -> None:
    here.stand(*here.ports.values())
    everybody = [*here.clients.values(), *here.ports.values()]
    here.net.send(multicast(here.ports[1])).reaches(*(one for one in everybody if one is not here.ports[1]))


def test_it_costs_flows_on_the_hosts_of_its_ports_only(here: Here) -> None:
    before = {host: len(here.net.flows(host)) for host in ("host1", "host2")}
    here.stand(here.ports[1])
    assert {host: len(here.net.flows(host)) - before[host] for host in before} == {"host1": 9, "host2": 0}
