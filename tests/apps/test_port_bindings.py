"""Port bindings: a port's next host is ready before it comes, turns with the activation, and quarrels with nobody."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Invalid
from tests.kit.net import Net, Port
from tests.kit.talk import ping, tcp
from tests.kit.worlds import ADMIN

NEXT = "host2"


def moving(net: Net, *, host: str = "host1", **more: Any) -> Port:
    """A port on one host whose interface is on the next one too, and that has a binding there."""
    port = net.port("mover", on=host, **{"binding:host_id": host}, **more)
    net.plug(port, NEXT)
    bind(net, port, NEXT)
    return port


def bind(net: Net, port: Port, host: str, **said: Any) -> Any:
    (row,) = net.writer.create(ADMIN, "port_binding", [{"port_id": port.id, "host": host, **said}])
    net.settle()
    return row


def bindings(net: Net, port: Port) -> set[str]:
    return {one.host for one in net.model.find("port_binding", "port_id", port.id)}


def activate(net: Net, port: Port, host: str) -> Any:
    (row,) = [one for one in net.model.find("port_binding", "port_id", port.id) if one.host == host]
    _, said = net.writer.act(ADMIN, "port_binding", row.id, "activate", {})
    net.settle()
    return said


# ---- packets

@pytest.mark.parametrize("type", ("vxlan", "geneve", "gre"))
def test_until_the_activation_everything_is_for_the_first_host_and_then_for_the_second(net: Net, type: str) -> None:
    red = net.network("red", type=type)
    port = moving(net, network=red)
    peers = [net.port(f"peer{number}", on=f"host{number}", network=red) for number in (1, 2, 3)]
    for host in ("host1", NEXT):
        for peer in peers:
            arrived = net.send(tcp(peer, port, 80)).reaches(port)
            assert [there for _, there, *_ in arrived.hops] == ([host] if peer.name[-1] != host[-1] else []), (host, peer)
        if host == "host1":
            activate(net, port, NEXT)


def test_the_machine_may_speak_from_the_host_to_which_it_comes_before_anybody_has_been_told(net: Net) -> None:
    port, peer = moving(net), net.port("peer", on="host3")
    for host in ("host1", NEXT):
        net.send(tcp(port, peer, 80), on=host).reaches(peer)


def test_what_one_host_sends_there_early_is_taken_and_what_another_sends_late_too(net: Net) -> None:
    """Whichever host turns first: flows of the others as they were before the activation meet those of after it."""
    port, peer = moving(net), net.port("peer", on="host3")
    before = dict(net.flows("host3"))
    activate(net, port, NEXT)
    after = dict(net.flows("host3"))
    assert before.keys() == after.keys() and before != after
    bridge = net.bridges[net.switch_on("host3")]
    bridge.take(before)
    arrived = net.send(tcp(peer, port, 80)).reaches(port)
    assert [there for _, there, *_ in arrived.hops] == ["host1"]
    bridge.take(after)
    net.send(tcp(peer, port, 80)).reaches(port)


def test_the_next_host_guards_it_as_the_first_does(net: Net) -> None:
    port, peer = moving(net), net.port("peer", on="host3")
    stranger = net.port("stranger", on="host3", groups=())
    said = ping(port, peer)
    spoofed = said.frame.replace(bytes.fromhex(port.mac.replace(":", "")), bytes.fromhex("fa163e999999"))
    for host in ("host1", NEXT):
        net.send(port, spoofed, on=host).reaches_nobody()
        net.send(said, on=host).reaches(peer)
    activate(net, port, NEXT)
    net.send(tcp(stranger, port, 80)).reaches_nobody()
    net.send(tcp(peer, port, 80)).reaches(port)


def test_a_host_that_only_shows_the_interface_gets_nothing(net: Net) -> None:
    port, peer = net.port("mover", on="host1", **{"binding:host_id": "host1"}), net.port("peer", on="host3")
    before = dict(net.flows("host3"))
    net.plug(port, NEXT)
    net.send(tcp(port, peer, 80), on=NEXT).reaches_nobody()
    assert net.flows("host3") == before


def test_where_it_was_stays_ready_until_its_binding_goes(net: Net) -> None:
    port = moving(net)
    net.port("peer", on="host3")
    was = len(net.flows("host1"))
    activate(net, port, NEXT)
    assert bindings(net, port) == {"host1"}
    ready = len(net.flows("host1"))
    (row,) = net.model.find("port_binding", "port_id", port.id)
    net.writer.delete(ADMIN, "port_binding", row.id)
    net.settle()
    assert len(net.flows("host1")) < ready <= was + 1
    net.unplug(port, "host1")


def test_limits_hold_on_the_next_host_too(net: Net) -> None:
    (gold,) = net.writer.create(ADMIN, "qos_policy", [{"name": "gold"}])
    for kind, said in (("bandwidth_limit_rule", {"max_kbps": 1000}), ("packet_rate_limit_rule", {"max_kpps": 1})):
        for direction in ("egress", "ingress"):
            net.writer.create(ADMIN, kind, [{"qos_policy_id": gold.id, "direction": direction, **said}])
    port, peer = moving(net, qos_policy_id=gold.id), net.port("peer", on="host3")
    meters = [{key for key in net.flows(host) if key[0] == "meter"} for host in ("host1", NEXT)]
    assert meters[0] == meters[1] and len(meters[0]) >= 4
    net.send(tcp(port, peer, 80), on=NEXT).reaches(peer)


# ---- documents

def test_a_binding_is_there_once_for_each_host(net: Net) -> None:
    port = moving(net)
    for host in ("host1", NEXT):
        with pytest.raises(Conflict) as refused:
            bind(net, port, host)
        assert refused.value.type == "PortBindingAlreadyExists"
    with pytest.raises(Invalid, match="host"):
        bind(net, port, "")


def test_an_activation_changes_places_and_keeps_what_each_is_about(net: Net) -> None:
    port = net.port("mover", on="host1", **{"binding:host_id": "host1", "binding:profile": {"of": "one"}})
    bind(net, port, NEXT, profile={"of": "two"})
    said = activate(net, port, NEXT)
    assert said["binding"]["host"] == NEXT and said["binding"]["status"] == "ACTIVE"
    assert (port.binding_host_id, dict(port.binding_profile)) == (NEXT, {"of": "two"})
    (other,) = net.model.find("port_binding", "port_id", port.id)
    assert (other.host, dict(other.profile)) == ("host1", {"of": "one"})
    activate(net, port, "host1")
    assert (port.binding_host_id, dict(port.binding_profile)) == ("host1", {"of": "one"})


def test_a_port_without_a_host_takes_the_first_that_is_activated(net: Net) -> None:
    port = net.port("mover")
    bind(net, port, NEXT)
    activate(net, port, NEXT)
    assert port.binding_host_id == NEXT and bindings(net, port) == set()


def test_a_profile_that_says_migrating_to_makes_the_host_ready_and_takes_that_back(net: Net) -> None:
    port = net.port("mover", on="host1", **{"binding:host_id": "host1"})
    peer = net.port("peer", on="host3")
    net.plug(port, NEXT)
    net.change(port, binding_profile={"migrating_to": NEXT})
    assert bindings(net, port) == {NEXT}
    net.send(tcp(port, peer, 80), on=NEXT).reaches(peer)
    net.change(port, binding_profile={})
    assert bindings(net, port) == set()
    net.change(port, binding_profile={"migrating_to": NEXT})
    net.change(port, binding_host_id=NEXT, binding_profile={})
    assert bindings(net, port) == set() and port.binding_host_id == NEXT
    net.send(tcp(peer, port, 80)).reaches(port)


def test_a_binding_that_was_asked_for_does_not_go_with_the_profile(net: Net) -> None:
    port = moving(net)
    net.change(port, binding_profile={"migrating_to": NEXT})
    net.change(port, binding_profile={})
    assert bindings(net, port) == {NEXT}
    net.remove(port)
    assert not net.model.rows["port_binding"]


def test_a_trunk_moves_with_the_activation(net: Net) -> None:
    parent = net.port("parent", on="host1", **{"binding:host_id": "host1"})
    sub, peer = net.port("sub"), net.port("peer", on="host3")
    net.trunk(parent, t100=sub)
    net.plug(parent, NEXT)
    bind(net, parent, NEXT)
    net.send(tcp(peer, sub, 80)).reaches(sub)
    activate(net, parent, NEXT)
    net.send(tcp(peer, sub, 80)).reaches(sub)
