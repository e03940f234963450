"""What is counted of a port, and of one that is watched by its addresses and by whom it speaks with."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from controller.errors import Conflict, Invalid
from tests.apps.cases import HOSTS
from tests.kit.net import Net
from tests.kit.talk import Said, broadcast, tcp, to_unknown, udp
from tests.kit.worlds import ADMIN, ANN, BOB, World


def watch(net: Net, **attributes: Any) -> Any:
    (row,) = net.writer.create(ADMIN, "watch", [attributes])
    net.settle()
    return row


def counted(net: Net, said: Said) -> Counter[tuple[str, str, str]]:
    """(port, what, about) of each flow that counts and that the packet passes."""
    held = {(*entry.key[:2], b"\x86\xdd" in entry.match, entry.cookie): entry.counts for bridge in net.bridges.values()
            for entry in bridge.held.values() if getattr(entry, "counts", None)}
    passed = re.findall(r"\((\d+)\): priority (\d+), (.*), cookie (0x[0-9a-f]+)", str(net.send(said)))
    names = {port.id: port.name for port in net.model.find("port", "all", True)}
    found = [held.get((int(table), int(priority), "ipv6" in fields, int(cookie, 16))) for table, priority, fields, cookie in passed]
    return Counter((names[of.id], of.what, of.about) for of in found if of)


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
