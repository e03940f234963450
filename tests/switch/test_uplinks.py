"""Physical networks that a host's administrator names are joined with the integration bridge, and followed as uplinks.

Against real ovsdb-server and ovs-vswitchd.
"""

import json
import time

import pytest

from tests.kit.hosts import Hosts

pytestmark = pytest.mark.root


@pytest.fixture
def host(cloud):
    """A host with two bridges of physical networks, br-ex and br-data, and no mapping."""
    host = cloud.host(1)
    words = []
    for bridge in ("br-ex", "br-data"):
        words += ["--", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev"]
    host.vsctl(*words[1:])
    yield host
    words = [word for bridge in ("br-int", "br-ex", "br-data") for word in ("--", "--if-exists", "del-br", bridge)]
    host.vsctl("del-manager", *words)
    unmap(host)


def unmap(host, *keys):
    for key in keys or ("hadron-bridge-mappings", "ovn-bridge-mappings", "bridge-mappings"):
        host.vsctl("remove", "Open_vSwitch", ".", "external_ids", key)


def map_to(host, text, key="hadron-bridge-mappings"):
    host.vsctl("set", "Open_vSwitch", ".", f'external_ids:{key}="{text}"')


def under(hosts, host):
    host.set_manager(f"tcp:{host.controller_address}:{hosts.port}")
    hosts.wait(lambda: hosts.provisioned(host.name))


def numbers(hosts, host):
    return {row["physical_network"]: row["ofport"] for row in hosts.of(host.name, "uplink").values()}


def get(host, row, column, table="Interface"):
    return host.vsctl("get", table, row, column).replace('"', "")


def said(hosts, words, seconds=10):
    """Wait until the problem is named; none at all, if there are no words. (Hosts.wait would stop the server.)"""
    deadline = time.monotonic() + seconds
    while words not in str(found := hosts.server.peers()[0].problems) or bool(words) != bool(found):
        assert time.monotonic() < deadline, f"not in {seconds} s; there are {found}"
        time.sleep(0.01)


def transactions(host):
    return (host.directory / "conf.db").read_bytes().count(b'"_comment":"Hadron: ')


def test_a_mapped_bridge_is_joined_and_told_as_an_uplink(host):
    with Hosts() as hosts:
        under(hosts, host)
        assert hosts.of(host.name, "uplink") == {}
        map_to(host, "physnet1:br-ex")
        hosts.wait(lambda: hosts.of(host.name, "uplink"))
        assert hosts.of(host.name, "uplink") == {
            f"{host.name}/physnet1": {
                "id": f"{host.name}/physnet1",
                "host_id": host.name,
                "physical_network": "physnet1",
                "ofport": 65100,
                "switch_id": next(iter(hosts.of(host.name, "switch"))),
                "queues": None,
                "speed": None,
            }
        }
        assert host.vsctl("list-ports", "br-ex") == "hv-from-physnet1"
        assert "hv-to-physnet1" in host.vsctl("list-ports", "br-int").split()
        for name, peer in (("hv-to-physnet1", "hv-from-physnet1"), ("hv-from-physnet1", "hv-to-physnet1")):
            assert (get(host, name, "type"), get(host, name, "options")) == ("patch", f"{{peer={peer}}}")
            assert get(host, name, "external_ids", "Port") == "{owner=hadron}"
        assert host.vsctl("list-ports", "br-data") == ""


def test_a_new_host_has_its_uplinks_and_keeps_their_numbers(host):
    map_to(host, " physnet2:br-data , physnet1 : br-ex,")
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: numbers(hosts, host) == {"physnet1": 65100, "physnet2": 65101})
        map_to(host, "physnet2:br-data")
        hosts.wait(lambda: numbers(hosts, host) == {"physnet2": 65101})
        hosts.wait(lambda: host.vsctl("list-ports", "br-ex") == "")
        assert "hv-to-physnet1" not in host.vsctl("list-ports", "br-int").split()
        map_to(host, "abc:br-ex,physnet2:br-data")
        hosts.wait(lambda: numbers(hosts, host) == {"abc": 65100, "physnet2": 65101})
        port, before = hosts.port, transactions(host)
    with Hosts(port=port) as hosts:
        hosts.wait(lambda: hosts.posts)
        assert hosts.posts[0].complete and numbers(hosts, host) == {"abc": 65100, "physnet2": 65101}
        hosts.server.peers()
        assert transactions(host) == before


@pytest.mark.parametrize(
    "change",
    [
        ["del-port", "hv-to-physnet1"],
        ["del-port", "hv-from-physnet1"],
        ["set", "Interface", "hv-to-physnet1", "options:peer=nobody"],
        ["set", "Interface", "hv-from-physnet1", "type=internal"],
        ["set", "Interface", "hv-to-physnet1", "ofport_request=7"],
        ["clear", "Interface", "hv-to-physnet1", "ofport_request"],
        [
            "del-port",
            "hv-from-physnet1",
            "--",
            "add-port",
            "br-data",
            "hv-from-physnet1",
            "--",
            "set",
            "Port",
            "hv-from-physnet1",
            "external_ids:owner=hadron",
            "--",
            "set",
            "Interface",
            "hv-from-physnet1",
            "type=patch",
            "options:peer=hv-to-physnet1",
        ],
        ["del-br", "br-int"],
    ],
    ids=" ".join,
)
def test_what_someone_changes_of_a_pair_is_repaired(host, change):
    map_to(host, "physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: numbers(hosts, host))
        right = pairs(host)
        host.vsctl("--no-wait", *change)
        hosts.wait(lambda: pairs(host) == right and numbers(hosts, host) == {"physnet1": 65100})
        said(hosts, "")


def pairs(host):
    """The ports of ours on each bridge, and what they are (the number on the other bridge is nobody's business)."""
    shown = json.loads(host.vsctl("--columns=name,type,options", "--format=json", "list", "Interface"))["data"]
    # A bridge may be away for a moment.
    ports = {
        bridge: host.run(["ovs-vsctl", "list-ports", bridge], check=False).stdout.split()
        for bridge in ("br-int", "br-ex", "br-data")
    }
    return (
        {bridge: [port for port in found if "physnet" in port] for bridge, found in ports.items()},
        sorted(str(row) for row in shown if "physnet" in row[0]),
    )


def test_a_mapping_that_names_another_bridge_moves_the_uplink(host):
    map_to(host, "physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: numbers(hosts, host))
        map_to(host, "physnet1:br-data")
        hosts.wait(
            lambda: (
                host.vsctl("list-ports", "br-data") == "hv-from-physnet1" and host.vsctl("list-ports", "br-ex") == ""
            )
        )
        hosts.wait(lambda: numbers(hosts, host) == {"physnet1": 65100})
        unmap(host)
        hosts.wait(lambda: numbers(hosts, host) == {} and host.vsctl("list-ports", "br-data") == "")


def test_a_bridge_that_comes_later_is_joined_then(host):
    host.vsctl("del-br", "br-ex")
    map_to(host, "physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        said(hosts, "there is no bridge br-ex yet")
        assert numbers(hosts, host) == {} and "hv-to-physnet1" not in host.vsctl("list-ports", "br-int")
        host.vsctl("add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev")
        hosts.wait(lambda: numbers(hosts, host) == {"physnet1": 65100})
        host.vsctl("del-br", "br-ex")
        hosts.wait(lambda: numbers(hosts, host) == {} and "hv-to-physnet1" not in host.vsctl("list-ports", "br-int"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ovn-bridge-mappings": "physnet1:br-ex"}, "physnet1"),
        ({"bridge-mappings": "physnet1:br-ex"}, "physnet1"),
        ({"hadron-bridge-mappings": "ours:br-ex", "ovn-bridge-mappings": "theirs:br-ex"}, "ours"),
        ({"ovn-bridge-mappings": "ovns:br-ex", "bridge-mappings": "others:br-data"}, "ovns"),
    ],
)
def test_mappings_of_other_controllers_count_where_there_is_none_of_ours(host, given, expected):
    for key, text in given.items():
        map_to(host, text, key)
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: list(numbers(hosts, host)) == [expected])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("physnet1", "must be like physnet1:br-ex"),
        ("a/b:br-ex", "must be like"),
        ("x" * 65 + ":br-ex", "must be like"),
        ("good:br-ex,other:br-ex", "needs a bridge of its own"),
        ("good:br-ex,good:br-data", "needs a bridge of its own"),
        ("own:br-int", "needs a bridge of its own"),
        ("one:br-none", "there is no bridge br-none yet"),
    ],
)
def test_what_cannot_be_joined_is_said_and_hinders_nothing_else(host, text, problem):
    map_to(host, f"{text},sound:br-phy")
    with Hosts() as hosts:
        under(hosts, host)
        said(hosts, problem)
        expected = {"sound", "good"} if "good" in text else {"sound"}
        hosts.wait(lambda: numbers(hosts, host).keys() == expected)
    unmap(host)
    with Hosts(port=hosts.port) as hosts:
        hosts.wait(lambda: host.vsctl("list-ports", "br-phy") == "eth1")


def test_foreign_ports_and_settings_of_a_physical_bridge_are_left_alone(host):
    host.vsctl(
        "add-port",
        "br-ex",
        "nic",
        "--",
        "set",
        "Interface",
        "nic",
        "type=internal",
        "--",
        "set",
        "Bridge",
        "br-ex",
        "other_config:mac-table-size=9",
        "--",
        "set-controller",
        "br-ex",
        "tcp:192.0.2.1:6653",
    )
    before = {
        column: get(host, "br-ex", column, "Bridge")
        for column in ("fail_mode", "other_config", "controller", "protocols")
    }
    map_to(host, "physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        hosts.wait(lambda: numbers(hosts, host))
        unmap(host)
        hosts.wait(lambda: host.vsctl("list-ports", "br-ex") == "nic")
    assert {column: get(host, "br-ex", column, "Bridge") for column in before} == before


def test_a_port_of_someone_else_with_such_a_name_is_left_alone(host):
    host.vsctl("add-port", "br-ex", "hv-from-physnet1", "--", "set", "Interface", "hv-from-physnet1", "type=internal")
    map_to(host, "physnet1:br-ex")
    with Hosts() as hosts:
        under(hosts, host)
        said(hosts, "hv-from-physnet1 belongs to someone else")
        assert (
            "hv-to-physnet1" not in host.vsctl("list-ports", "br-int")
            and get(host, "hv-from-physnet1", "type") == "internal"
        )
        unmap(host)
        said(hosts, "")
        assert host.vsctl("list-ports", "br-ex") == "hv-from-physnet1"


def test_a_bridge_of_another_datapath_is_not_joined(host):
    host.vsctl("--no-wait", "set", "Bridge", "br-ex", "datapath_type=system")
    map_to_no_wait = ["--no-wait", "set", "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings=physnet1:br-ex"]
    host.vsctl(*map_to_no_wait)
    with Hosts() as hosts:
        host.vsctl("--no-wait", "set-manager", f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: hosts.provisioned(host.name))
        said(hosts, "br-ex must have datapath_type netdev")
        assert numbers(hosts, host) == {}
        host.vsctl("set", "Bridge", "br-ex", "datapath_type=netdev")
        hosts.wait(lambda: numbers(hosts, host) == {"physnet1": 65100})
