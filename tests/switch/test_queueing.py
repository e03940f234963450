"""Queues that are wanted of a host's interfaces become rows of its database, and classes of its devices.

Against real ovsdb-server and ovs-vswitchd.
"""

import json

import pytest

from controller.queues import PortQueues, Queue
from scenarios.cloud import Cloud
from scenarios.namespace import ip_batch
from tests.kit.hosts import Hosts

pytestmark = pytest.mark.root
REST, FIRST, SECOND = Queue(0, 1_000, 7), Queue(5, 8_000), Queue(6, 4_000)


@pytest.fixture(scope="module")
def cloud():
    with Cloud(hosts=1) as made:
        ip_batch(["link add wire type veth peer name wired", "link add other type veth peer name othered"],
                 namespace=made.host(1).name)
        yield made


@pytest.fixture
def host(cloud):
    """A host with two interfaces that lead to other switches, of which one may have queues."""
    host = cloud.host(1)
    host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "--", "add-port", "br-int", "wire",
               "--", "add-port", "br-int", "other", "--", "set", "Interface", "other", "external_ids:hadron-wire=true",
               "external_ids:hadron-queues=true", "--", "set", "Interface", "wire",
               "external_ids:hadron-wire=true", "external_ids:hadron-queues=true")
    yield host
    host.vsctl("del-manager", "--", "del-br", "br-int")
    host.vsctl("--all", "destroy", "QoS", "--", "--all", "destroy", "Queue")


def want(hosts, host, *queues):
    hosts.server.furnish(host.name, (PortQueues("wire", 20_000, queues),) if queues else ())


def under(hosts, host, *queues):
    want(hosts, host, *queues)
    if not hosts.posts:
        host.set_manager(f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: hosts.provisioned(host.name))


def held(host):
    """{number: (min-rate, priority)} of the queues of the wire, if they are queues of 20 Mbit/s; None without a QoS."""
    asked = (("Port", "qos,name"), ("Queue", "_uuid,other_config"), ("QoS", "_uuid,type,other_config,queues"))
    words = [word for table, columns in asked for word in ("--", f"--columns={columns}", "list", table)]
    ports, queues, found = (json.loads(line)["data"] for line in host.vsctl("--format=json", *words).splitlines())
    qos, = (row[0] for row in ports if row[1] == "wire")
    rates = {uuid[1]: (int(dict(config[1])["min-rate"]), int(dict(config[1])["priority"])) for uuid, config in queues}
    return next(({number: rates[one[1]] for number, one in numbers[1]} for uuid, kind, config, numbers in found
                 if uuid == qos and (kind, dict(config[1])) == ("linux-htb", {"max-rate": "20000000"})), None)


def count(host, table):
    return len(host.vsctl("--columns=_uuid", "--bare", "list", table).split())


def classes(host):
    return host.run(["tc", "class", "show", "dev", "wire"]).stdout


BOTH = {0: (1_000_000, 7), 5: (8_000_000, 0)}


def test_queues_become_rows_and_classes_and_go_with_their_rows(host):
    with Hosts() as hosts:
        under(hosts, host, REST, FIRST)
        hosts.wait(lambda: held(host) == BOTH)
        hosts.wait(lambda: "class htb 1:6 parent 1:fffe prio 0 rate 8Mbit ceil 20Mbit" in classes(host))
        before = host.vsctl("get", "Port", "wire", "qos")
        under(hosts, host, REST, FIRST._replace(least=9_000), SECOND)
        hosts.wait(lambda: held(host) == BOTH | {5: (9_000_000, 0), 6: (4_000_000, 0)})
        assert host.vsctl("get", "Port", "wire", "qos") == before
        under(hosts, host, REST, SECOND)
        hosts.wait(lambda: held(host) == {0: (1_000_000, 7), 6: (4_000_000, 0)} and count(host, "Queue") == 2)
        under(hosts, host)
        hosts.wait(lambda: held(host) is None and count(host, "QoS") == count(host, "Queue") == 0)
        hosts.wait(lambda: "htb" not in classes(host))


@pytest.mark.parametrize("wipe", [
    ["clear", "Port", "wire", "qos"], ["clear", "Port", "wire", "qos", "--", "--all", "destroy", "QoS"],
    ["remove", "QoS", ".", "queues", "5"], ["set", "QoS", ".", "other_config:max-rate=1"],
    ["clear", "Port", "wire", "qos", "--", "--all", "destroy", "QoS", "--", "--all", "destroy", "Queue"]],
    ids=lambda words: " ".join(words))
def test_what_is_wiped_or_changed_is_made_as_it_was(host, wipe):
    with Hosts() as hosts:
        under(hosts, host, REST, FIRST)
        hosts.wait(lambda: held(host) == BOTH)
        wipe = [host.vsctl("get", "Port", "wire", "qos") if word == "." else word for word in wipe]
        host.vsctl(*wipe)
        hosts.wait(lambda: held(host) == BOTH)
        hosts.wait(lambda: count(host, "QoS") == 1 and count(host, "Queue") == 2)


def test_a_restart_changes_nothing(host):
    with Hosts() as hosts:
        under(hosts, host, REST, FIRST)
        hosts.wait(lambda: held(host) == BOTH)
        port = hosts.port
    before = (host.directory / "conf.db").read_bytes().count(b'"_comment":"Hadron: ')
    with Hosts(port=port) as hosts:
        want(hosts, host, REST, FIRST)
        hosts.wait(lambda: hosts.posts)
        hosts.server.peers()
        assert (host.directory / "conf.db").read_bytes().count(b'"_comment":"Hadron: ') == before


def test_what_somebody_else_has_made_is_left_alone_and_there_are_no_queues_of_ours(host):
    host.vsctl("set", "Port", "wire", "qos=@mine", "--", "--id=@mine", "create", "QoS", "type=linux-htb", "queues:3=@three",
               "--", "--id=@three", "create", "Queue", "other_config:min-rate=5", "other_config:priority=5")
    with Hosts() as hosts:
        under(hosts, host, REST, FIRST)
        switch, = hosts.of(host.name, "switch")
        queues = {one["name"]: one["queues"] for one in hosts.of(host.name, "interface").values() if one.get("wire")}
        assert queues == {"wire": None, "other": True} and switch
        assert count(host, "QoS") == count(host, "Queue") == 1
        host.vsctl("clear", "Port", "wire", "qos")
        hosts.wait(lambda: held(host) == BOTH)
        hosts.wait(lambda: {one["queues"] for one in hosts.of(host.name, "interface").values() if one.get("wire")} == {True})
        assert count(host, "QoS") == 2


def test_a_queue_of_ours_that_somebody_else_uses_stays_and_the_rest_goes_on(host):
    with Hosts() as hosts:
        under(hosts, host, REST, FIRST)
        hosts.wait(lambda: held(host) == BOTH)
        ours = json.loads(host.vsctl("--format=json", "--columns=queues", "list", "QoS"))["data"][0][0][1]
        mine = next(one[1] for number, one in ours if number == 5)
        host.vsctl("set", "Port", "other", "qos=@mine", "--", "--id=@mine", "create", "QoS", "type=linux-htb", f"queues:1={mine}")
        want(hosts, host, REST)
        hosts.wait(lambda: held(host) == {0: BOTH[0]})
        assert count(host, "Queue") == 2 and count(host, "QoS") == 2


def test_where_frames_leave_a_host_is_told_with_the_interface_that_has_queues(host):
    """eth1 is the one of br-phy, by which tunnels leave; another bridge is a physical network's."""
    host.vsctl("add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev", "--", "del-port", "other", "--",
               "add-port", "br-ex", "other", "--", "set", "Interface", "other", "external_ids:hadron-queues=true", "--", "set",
               "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings=physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: hosts.of(host.name, "uplink"))
        assert [(one["queues"], one["speed"]) for one in hosts.of(host.name, "uplink").values()] == [("other", 10_000)]
        assert hosts.of(host.name, "host")[host.name]["queues"] is None
        host.vsctl("set", "Interface", "eth1", "external_ids:hadron-queues=true")
        hosts.wait(lambda: hosts.of(host.name, "host")[host.name]["queues"] == "eth1")
        host.vsctl("clear", "Interface", "eth1", "external_ids", "--", "remove", "Interface", "other", "external_ids", "hadron-queues")
        hosts.wait(lambda: hosts.of(host.name, "host")[host.name]["queues"] is None)
        hosts.wait(lambda: [one["queues"] for one in hosts.of(host.name, "uplink").values()] == [None])
    host.vsctl("del-br", "br-ex", "--", "clear", "Open_vSwitch", ".", "external_ids", "--", "set", "Open_vSwitch", ".",
               f"external_ids:system-id={host.name}", f"external_ids:hadron-ip={host.tunnel_address}")
