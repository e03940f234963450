"""Logs: what groups refuse and which connections they let begin is told, of ports that a log is about, in words; it changes
nothing of what passes."""
from __future__ import annotations

from typing import Any

import pytest

from apps.logs import APP
from controller.errors import Refused
from controller.openflow.packet_in import PacketIn
from controller.policy import Context
from tests.apps.cases import HOSTS
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import ACK, Said, icmp, ping, protocol, tcp, udp
from tests.kit.worlds import ADMIN


def log(net: Net, **said: Any) -> Thing:
    """A log of the project acme, of what is said."""
    (row,) = net.writer.create(ADMIN, "log", [{"resource_type": "security_group", "project_id": "acme", **said}])
    net.settle()
    return Thing(net, "log", row.id, f"log {row.id}")


def entries(net: Net, said: Said) -> list[dict[str, Any]]:
    """What is written down of a packet on its way."""
    found, journey = [], net.send(said)
    for punt in (*journey.punts, *journey.told):
        if punt.cookie >> 56 == APP:
            rule, (id, *_) = net.compiler.punts[punt.cookie]
            registers = {name: value for name, value in punt.packet.items() if name.startswith("reg") and value}
            packet = PacketIn(punt.cookie, punt.table, 1, 0, registers, 0, punt.reason, len(said.frame), said.frame[:punt.max_len])
            (seen,) = rule.answers(net.compiler.world, net.model.get("port", id), packet.data)
            found += [entry.document for entry in seen.then(packet)]
    return found


def told(net: Net, said: Said) -> list[tuple[str, str, str, str]]:
    """(event, port, direction, reason) of each entry."""
    return [(one["event"], net.model.get("port", one["port_id"]).name, one["direction"], one["reason"]) for one in entries(net, said)]


def web(net: Net, on: str, **more: Any) -> tuple[Port, Port, Thing]:
    """A port whose group `web` lets http in, one beside it that may say everything, and the group."""
    network, group = net.network("red"), net.group("web", **more)
    net.rule(group, protocol="tcp", ports=80)
    return (net.port("server", on="host1", network=network, groups=[group]), net.port("client", on=on, network=network), group)


@HOSTS
def test_what_no_rule_allows_is_told_with_its_tuple_and_the_group(net: Net, there: str) -> None:
    server, client, group = web(net, there)
    own = log(net, target_id=server.id, event="DROP")
    (entry,) = entries(net, tcp(client, server, 23))
    assert entry["reason"] == f"no rule in group web allows tcp/23 from {client.ip}"
    assert {name: entry[name] for name in ("event", "direction", "port_id", "network_id", "project_id")} == {
        "event": "DROP", "direction": "ingress", "port_id": server.id, "network_id": server.network_id, "project_id": "acme"}
    assert (entry["ethertype"], entry["protocol"], entry["source_ip"], entry["source_port"], entry["destination_ip"],
            entry["destination_port"]) == ("IPv4", "tcp", client.ip, 40000, server.ip, 23)
    assert (entry["icmp_type"], entry["security_group_rule_id"]) == (None, None)
    assert entry["security_group_ids"] == [group.id] and entry["log_ids"] == [own.id]
    assert told(net, ping(client, server)) == [("DROP", "server", "ingress", f"no rule in group web allows icmp type 8 code 0 from {client.ip}")]
    assert told(net, protocol(client, server, 47)) == [("DROP", "server", "ingress", f"no rule in group web allows gre from {client.ip}")]
    assert told(net, tcp(client, server, 80)) == [], "only what is refused"
    net.send(tcp(client, server, 23)).reaches_nobody()


@HOSTS
def test_a_new_connection_is_told_once_with_the_rule_that_allows_it_on_either_side(net: Net, there: str) -> None:
    server, client, group = web(net, there)
    log(net, event="ACCEPT")
    (out, into) = sorted(entries(net, tcp(client, server, 80)), key=lambda one: one["direction"])
    (http,) = [rule for rule in net.model.find("security_group_rule", "security_group_id", group.id) if rule.direction == "ingress"]
    assert (out["direction"], out["port_id"], out["event"]) == ("egress", client.id, "ACCEPT")
    assert net.model.get("security_group_rule", out["security_group_rule_id"]).direction == "egress"
    assert (into["direction"], into["port_id"], into["security_group_rule_id"]) == ("ingress", server.id, http.id)
    assert into["reason"] == f"rule {http.id} of its groups"
    assert told(net, tcp(server, client, 40000, source_port=80, flags=0x12)) == []
    assert told(net, tcp(client, server, 80, flags=ACK)) == []
    assert told(net, tcp(client, server, 23))[1:] == [], "allowed by the client's group, refused by the server's: only the first is told"


@HOSTS
def test_what_is_told_is_allowed_all_the_same(net: Net, there: str) -> None:
    server, client, _ = web(net, there)
    log(net)
    said = tcp(client, server, 80)
    assert [name for name, _ in net.send(said).arrivals] == ["server"]
    net.send(said.answer()).reaches(client)
    net.check()


@HOSTS
def test_a_port_that_may_not_say_something_is_told_of_as_egress(net: Net, there: str) -> None:
    network, mute = net.network("red"), net.group("mute", egress=False)
    a, b = net.port("a", on="host1", network=network, groups=[mute]), net.port("b", on=there, network=network)
    log(net, event="DROP")
    assert told(net, udp(a, b, 53)) == [("DROP", "a", "egress", f"no rule in group mute allows udp/53 to {b.ip}")]
    assert told(net, udp(a, b, 53, v=6)) == [("DROP", "a", "egress", f"no rule in group mute allows udp/53 to {b.ip6}")]


@HOSTS
def test_what_a_rule_allowed_that_went_is_told_as_that(net: Net, there: str) -> None:
    server, client, group = web(net, there)
    said = tcp(client, server, 80)
    net.passes(said)
    log(net, target_id=server.id)
    for rule in net.model.find("security_group_rule", "security_group_id", group.id):
        net.writer.delete(ADMIN, "security_group_rule", rule.id)
    net.settle()
    went = "a rule that allowed the connection went"
    assert told(net, said.answer()) == [("DROP", "server", "egress", went)]
    assert told(net, tcp(client, server, 80, flags=ACK)) == [
        ("DROP", "server", "ingress", f"no rule in group web allows tcp/80 from {client.ip}")]


def test_what_is_part_of_no_connection_is_told_as_that(net: Net) -> None:
    server, client, _ = web(net, "host1")
    log(net, event="DROP")
    assert told(net, icmp(client, server, 3))[0][0::3] == ("DROP", "not part of any connection")


@HOSTS
def test_stateless_groups_tell_what_they_refuse(net: Net, there: str) -> None:
    server, client, group = web(net, there, stateful=False)
    log(net, resource_id=group.id)
    assert told(net, tcp(client, server, 23)) == [("DROP", "server", "ingress", f"no rule in group web allows tcp/23 from {client.ip}")]
    assert told(net, tcp(client, server, 80)) == [], "they know no connections"
    with pytest.raises(Refused) as wrong:
        log(net, resource_id=group.id, event="ACCEPT")
    assert (wrong.value.status, wrong.value.type) == (409, "LoggingTypeNotSupported")


def test_only_ports_that_a_log_is_about_have_flows_for_it(net: Net) -> None:
    server, client, group = web(net, "host1")
    other = net.port("other", on="host1", network=net.things["network", "red"])
    before = dict(net.flows("host1"))
    own = log(net, resource_id=group.id)
    more = net.flows("host1").keys() - before.keys()
    assert 0 < len(more) <= 9 and before.items() <= net.flows("host1").items()
    assert told(net, tcp(server, other, 22, source_port=1))[0][1] == "server" and not told(net, tcp(client, other, 23))
    net.change(own, enabled=False)
    assert net.flows("host1") == before
    net.change(own, enabled=True)
    assert net.flows("host1").keys() == before.keys() | more
    net.remove(net.things["port", "server"])
    assert not [key for key in net.flows("host1") if key in more]


def test_a_log_is_about_its_own_project_and_an_administrators_about_whose_group_or_port_it_names(net: Net) -> None:
    network = net.network("red", project="acme", shared=True)
    ours = net.port("ours", on="host1", network=network)
    (row,) = net.writer.create(ADMIN, "port", [{"network_id": network.id, "project_id": "beta", "name": "theirs"}])
    theirs = net.things["port", "theirs"] = Port(net, "port", row.id, "theirs")
    net.settle()
    net.plug(theirs, "host1")
    first = log(net)
    assert [one[1] for one in told(net, tcp(theirs, ours, 23))] == ["ours"]
    net.writer.delete(ADMIN, "log", first.id)
    second = log(net, project_id="admin", target_id=theirs.id)
    assert [one[1] for one in told(net, tcp(theirs, ours, 24))] == ["theirs"]
    (entry,) = entries(net, tcp(theirs, ours, 25))
    assert (entry["project_id"], entry["log_ids"]) == ("beta", [second.id]), "it is for whose port it is"
    net.writer.delete(ADMIN, "log", second.id)
    shared = net.group("shared")
    net.writer.create(ADMIN, "rbac_policy", [{"object_type": "security_group", "object_id": shared.id, "action": "access_as_shared",
                                              "target_tenant": "beta"}])
    net.change(ours, security_groups=[shared.id])
    manager = Context(project_id="beta", roles=frozenset({"manager"}))
    net.writer.create(manager, "log", [{"resource_type": "security_group", "resource_id": shared.id}])
    net.settle()
    assert told(net, tcp(theirs, ours, 26)) == [], "whom a group is shared with has nobody else's ports logged"


def test_a_group_or_a_port_takes_its_logs_with_it(net: Net) -> None:
    server, _, group = web(net, "host1")
    mine, other = log(net, target_id=server.id), log(net, resource_id=group.id)
    net.remove(server)
    assert net.model.get("log", mine.id) is None
    net.remove(group)
    assert net.model.get("log", other.id) is None
    net.check()


def test_a_log_names_what_there_is(net: Net) -> None:
    server, client, group = web(net, "host1")
    nobody = "12345678-0000-4000-8000-000000000000"
    for said, status, error in (
            ({"resource_type": "firewall_group"}, 400, "InvalidLogResourceType"), ({"resource_id": nobody}, 404, "ResourceNotFound"),
            ({"target_id": nobody}, 404, "TargetResourceNotFound"),
            ({"resource_id": group.id, "target_id": client.id}, 400, "InvalidResourceConstraint")):
        with pytest.raises(Refused) as wrong:
            log(net, **said)
        assert (wrong.value.status, wrong.value.type) == (status, error)
    assert log(net, resource_id=group.id, target_id=server.id).event == "ALL"


@pytest.mark.parametrize("frame", [b"", bytes(14), frames.ethernet("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", 0x800, b"\x45" + bytes(18)),
                                   frames.ethernet("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", 0x86dd, b"\x60" + bytes(50))])
def test_a_frame_that_says_nothing_breaks_nothing(net: Net, frame: bytes) -> None:
    server, _, _ = web(net, "host1")
    log(net)
    (rule,) = [rule for rule, _ in net.compiler.punts.values() if rule.name == "apps.logs.log"][:1]
    (seen,) = rule.answers(net.compiler.world, server.row, frame)
    found = list(seen.then(PacketIn(0, 29, 1, 0, {"reg5": server.key}, 0, 0, len(frame), frame)))
    assert all(one.document["protocol"] for one in found)
