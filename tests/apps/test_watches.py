"""What is counted of a port, and of one that is watched by its addresses and by whom it speaks with."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from apps.pipeline import PIPELINE
from controller.errors import Conflict, Invalid
from controller.openflow.actions import Counted
from controller.openflow.text import Names, match_parts
from tests.apps.cases import HOSTS
from tests.kit import frames
from tests.kit.journey import answers
from tests.kit.net import Net
from tests.kit.talk import ACK, Said, broadcast, ping, tcp, to_unknown, udp
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused


def watch(net: Net, **attributes: Any) -> Any:
    (row,) = net.writer.create(ADMIN, "watch", [attributes])
    net.settle()
    return row


def counted(net: Net, said: Said) -> Counter[tuple[str, str, str]]:
    """(port, what, about) of each flow that counts and that the packet passes."""
    names = {port.id: port.name for port in net.model.find("port", "all", True)}
    return Counter((names[of.id], of.what, of.about) for of in passed(net, said) if of.kind == "port")


def allowed(net: Net, said: Said) -> Counter[tuple[str, str]]:
    """(rule, began or followed) of each flow that counts for a rule and that the packet passes."""
    return Counter((of.id, of.what) for of in passed(net, said) if of.kind == "security_group_rule")


def passed(net: Net, said: Said) -> list[Counted]:
    """For what the flows count that the packet passes, in order."""
    held = {(*entry.key[:2], ", ".join(match_parts(entry.match, Names(PIPELINE))), entry.cookie): entry.counts
            for bridge in net.bridges.values() for entry in bridge.held.values() if getattr(entry, "counts", None)}
    found = re.findall(r"\((\d+)\): priority (\d+), (.*), cookie (0x[0-9a-f]+)", str(net.send(said)))
    return [of for table, priority, fields, cookie in found if (of := held.get((int(table), int(priority), fields, int(cookie, 16))))]


@HOSTS
def test_what_a_port_sends_and_what_it_receives_is_counted_once(net: Net, there: str) -> None:
    network = net.network("red")
    a, b = net.port("a", on="host1", network=network), net.port("b", on=there, network=network)
    for said in (udp(a, b), tcp(a, b, v=6)):
        assert counted(net, said) == {("a", "sent", ""): 1, ("b", "received", ""): 1}
    free = net.port("free", on="host1", network=network, security=False)
    assert counted(net, broadcast(free)) == {("free", "sent", ""): 1, ("a", "received", ""): 1, ("b", "received", ""): 1}
    assert counted(net, udp(b, free)) == {("b", "sent", ""): 1, ("free", "received", ""): 1}
    assert counted(net, to_unknown(a)) == {("a", "sent", ""): 1}


@HOSTS
def test_a_watched_port_is_counted_by_its_address_and_the_smallest_block_of_its_peer(net: Net, there: str) -> None:
    network = net.network("red")
    a, b, c = (net.port(name, on=on, network=network) for name, on in (("a", "host1"), ("b", there), ("c", there)))
    watch(net, port_id=a.id, peers=["10.0.0.0/8", f"{b.ip}/32", "2001:db8::/32"])
    own, other = ("a", "sent", ""), ("a", "received", "")
    assert counted(net, udp(a, b)) == {own: 1, ("a", "sent", f"{a.ip} {b.ip}/32"): 1, ("b", "received", ""): 1}
    assert counted(net, udp(a, c)) == {own: 1, ("a", "sent", f"{a.ip} 10.0.0.0/8"): 1, ("c", "received", ""): 1}
    assert counted(net, udp(c, a, v=6)) == {other: 1, ("a", "received", f"{a.ip6} 2001:db8::/32"): 1, ("c", "sent", ""): 1}
    free = net.port("free", on=there, network=network, security=False)
    assert counted(net, broadcast(free))[("a", "received", "* *")] == 1


@HOSTS
def test_every_port_of_a_watched_network_is_counted_by_its_addresses(net: Net, there: str) -> None:
    network = net.network("red")
    a, b = net.port("a", on="host1", network=network), net.port("b", on=there, network=network)
    whole = watch(net, network_id=network.id)
    assert counted(net, udp(a, b)) == {("a", "sent", ""): 1, ("a", "sent", f"{a.ip} *"): 1,
                                       ("b", "received", ""): 1, ("b", "received", f"{b.ip} *"): 1}
    net.writer.delete(ADMIN, "watch", whole.id)
    net.settle()
    assert counted(net, udp(a, b)) == {("a", "sent", ""): 1, ("b", "received", ""): 1}


def test_a_watch_changes_nothing_of_what_passes(net: Net) -> None:
    network = net.network("red")
    a, b = net.port("a", on="host1", network=network), net.port("b", on="host1", network=network, security=False)
    for _ in range(2):
        for v in (4, 6):
            net.passes(tcp(a, b, v=v))
        net.send(broadcast(b)).reaches(a)
        for port in (a, b):
            if not net.model.find("watch", "port_id", port.id):
                watch(net, port_id=port.id, peers=["10.0.0.0/8"])


@pytest.mark.parametrize("said", [{}, {"port_id": "port", "network_id": "network"}])
def test_a_watch_is_of_a_port_or_of_a_network(said: dict[str, str]) -> None:
    world = World()
    network = world.make("network", ADMIN)
    made = {"port": world.make("port", ADMIN, network_id=network.id), "network": network}
    with pytest.raises(Invalid, match="^port_id: "):
        world.make("watch", ADMIN, **{name: made[kind].id for name, kind in said.items()})


def test_nobody_watches_what_is_another_projects() -> None:
    world = World()
    network = world.make("network", ADMIN, shared=True)
    with pytest.raises(Invalid, match="^network_id: "):
        world.make("watch", ANN, network_id=network.id)
    own = world.make("port", BOB, network_id=network.id)
    assert world.make("watch", BOB, port_id=own.id)


def test_what_is_watched_is_watched_once_and_its_watch_goes_with_it() -> None:
    world = World()
    network = world.make("network", ADMIN)
    port = world.make("port", ADMIN, network_id=network.id)
    world.make("watch", ADMIN, port_id=port.id)
    with pytest.raises(Conflict) as refused:
        world.make("watch", ADMIN, port_id=port.id)
    assert refused.value.type == "WatchExists"
    world.drop(port, ADMIN)
    assert not world.model.rows["watch"]


# ---- what is dropped

def test_what_a_watched_port_may_not_say_is_counted_with_why_and_told_of_as_of_others(net: Net) -> None:
    network = net.network("red")
    a, b = net.port("a", on="host1", network=network), net.port("b", on="host2", network=network)
    forged = {"source address is not the port's": Said(a, frames.udp(a.mac, b.mac, "10.0.0.77", b.ip, 1, 2, b"x")),
              "ARP with an address that is not the port's": Said(a, frames.arp_request(a.mac, "10.0.0.77", b.ip)),
              "a port may not be a DHCP server": Said(a, frames.udp(a.mac, b.mac, a.ip, b.ip, 67, 68, b"x")),
              "neighbour advertisement for an address that is not the port's": Said(a, frames.na(a.mac, "2001:db8::77", from_ip=a.ip6))}
    watch(net, port_id=a.id)
    for reason, said in forged.items():
        assert counted(net, said) == {("a", "sent", ""): 1, ("a", "dropped", reason): 1} | {
            key: 1 for key in counted(net, said) if key[2].endswith(" *")}, reason
        net.send(said).reaches_nobody(reason)
    (told,) = net.send(forged["ARP with an address that is not the port's"]).told
    assert net.compiler.punts[told.cookie][0].name == "apps.port_security.count_refused"
    (alarm,) = answers(net, net.send(forged["ARP with an address that is not the port's"]), forged["ARP with an address that is not the port's"].frame)
    assert alarm.what == "spoof" and alarm.details["object"] == f"port {a.id}" and alarm.details["address"] == "10.0.0.77"
    net.passes(udp(a, b))


@HOSTS
def test_what_the_groups_of_a_watched_port_refuse_is_counted_and_nobody_is_told(net: Net, there: str) -> None:
    network, mute = net.network("red"), net.group("mute", egress=False)
    a, b = net.port("a", on="host1", network=network, groups=[mute]), net.port("b", on=there, network=network)
    watch(net, port_id=a.id)
    into, out = udp(b, a), udp(a, b)
    assert ("a", "dropped", "no rule allows it to be said to the port") in counted(net, into)
    assert ("a", "dropped", "no rule allows the port to say it") in counted(net, out)
    assert not net.send(into).told and not net.send(out).told and not net.send(into).punts
    net.change(a, port_security_enabled=False, security_groups=[])
    assert not [key for key in counted(net, into) if key[1] == "dropped"]


@HOSTS
@pytest.mark.parametrize("direction", ["egress", "ingress", None])
def test_what_access_lists_refuse_a_watched_port_is_counted_for_it(net: Net, there: str, direction: str | None) -> None:
    network = net.network("red")
    a, b = net.port("a", on="host1", network=network), net.port("b", on=there, network=network)
    net.writer.create(ADMIN, "access_rule", [{"network_id": network.id, "priority": 7, "protocol": "udp", "direction": direction}])
    net.settle()
    unwatched = dict(net.flows("host1"))
    whose = b if direction == "ingress" else a
    made = watch(net, port_id=whose.id)
    assert [key for key in counted(net, udp(a, b)) if key[1] == "dropped"] == [(whose.name, "dropped", "an access rule denies it")]
    net.send(udp(a, b)).reaches_nobody("an access rule denies it")
    net.passes(tcp(a, b))
    net.writer.delete(ADMIN, "watch", made.id)
    net.settle()
    assert net.flows("host1") == unwatched


# ---- what rules allow

@HOSTS
def test_each_rule_of_a_watched_group_counts_every_packet_that_it_allows(net: Net, there: str) -> None:
    network, web = net.network("red"), net.group("web")
    http = net.rule(web, protocol="tcp", ports=80)
    many = net.rule(web, protocol="udp", ports=(5000, 5009), v=6)
    server, client = net.port("server", on="host1", network=network, groups=[web]), net.port("client", on=there, network=network)
    watch(net, security_group_id=web.id)
    said = tcp(client, server, 80)
    assert allowed(net, said) == {(http.id, "began"): 1}
    assert allowed(net, said.answer()) == {(http.id, "followed"): 1}
    assert allowed(net, tcp(client, server, 80, flags=ACK)) == {(http.id, "followed"): 1}
    for port in (5000, 5003, 5009):
        assert allowed(net, udp(client, server, port, v=6)) == {(many.id, "began"): 1}
    assert allowed(net, tcp(client, server, 81)) == {}
    out = allowed(net, udp(server, client, 53))
    assert [(net.model.get("security_group_rule", id).direction, what) for id, what in out] == [("egress", "began")]


@HOSTS
def test_rules_with_a_remote_group_or_a_list_of_addresses_count_each_for_itself(net: Net, there: str) -> None:
    network, db, front = net.network("red"), net.group("db"), net.group("front")
    a, b = net.port("a", on="host1", network=network, groups=[db]), net.port("b", on=there, network=network, groups=[front])
    sql, ping_, listed = (net.rule(db, protocol="tcp", ports=3306, remote=front), net.rule(db, protocol="icmp", remote=front),
                          net.rule(db, protocol="tcp", ports=22, remote=net.addresses("some", f"{b.ip}/32")))
    watch(net, security_group_id=db.id)
    assert allowed(net, tcp(b, a, 3306)) == {(sql.id, "began"): 1}
    assert allowed(net, tcp(a, b, 40000, source_port=3306, flags=0x12)) == {(sql.id, "followed"): 1}
    assert allowed(net, ping(b, a)) == {(ping_.id, "began"): 1} and allowed(net, tcp(b, a, 22)) == {(listed.id, "began"): 1}
    assert allowed(net, tcp(b, a, 3307)) == {}


@HOSTS
def test_a_watched_group_lets_pass_what_it_did_and_its_flows_stay(net: Net, there: str) -> None:
    network, web = net.network("red"), net.group("web")
    net.rule(web, protocol="tcp", ports=80)
    server, client = net.port("server", on="host1", network=network, groups=[web]), net.port("client", on=there, network=network)
    before = dict(net.flows("host1"))
    whole = watch(net, security_group_id=web.id)
    assert before.items() <= net.flows("host1").items()
    net.passes(tcp(client, server, 80))
    net.send(tcp(client, server, 81, source_port=40001)).reaches_nobody()
    net.writer.delete(ADMIN, "watch", whole.id)
    net.settle()
    assert net.flows("host1") == before


def test_rules_of_stateless_groups_count_what_they_allow_in_either_direction(net: Net) -> None:
    network, web = net.network("red"), net.group("web", stateful=False)
    http = net.rule(web, protocol="tcp", ports=80)
    server, client = net.port("server", on="host1", network=network, groups=[web]), net.port("client", on="host1", network=network)
    watch(net, security_group_id=web.id)
    assert allowed(net, tcp(client, server, 80)) == {(http.id, "followed"): 1}


def test_a_watch_of_a_group_tells_no_peers_apart_and_is_of_one_thing(world: World) -> None:
    group = world.make("security_group", name="web")
    for said in ({"peers": ["10.0.0.0/8"]}, {"port_id": world.make("port", network_id=world.network("10.0.0.0/24").id).id}):
        with pytest.raises(Invalid):
            world.make("watch", security_group_id=group.id, **said)
    world.make("watch", security_group_id=group.id)
    with pytest.raises(Conflict):
        world.make("watch", security_group_id=group.id)
    with refused("SecurityGroupNotFound"):
        world.make("watch", BOB, security_group_id=group.id)
    world.drop(group)
    assert not world.model.find("watch", "security_group_id", group.id)
