"""Hosts connect, their integration bridges become and stay as they should be, and their interfaces are followed.

Against real ovsdb-server and ovs-vswitchd, each host in a namespace of its own.
"""

import json

import pytest

from controller.switch.ovsdb import HostGone, OvsdbServer
from controller.switch.tls import server_context
from tests.kit.certificates import certificate
from tests.kit.hosts import Hosts
from tests.switch.on_host import PORT, dummy, forget, get, transactions, under

pytestmark = pytest.mark.root
HOSTS = 2


def test_a_new_host_is_provisioned_in_one_transaction(host):
    before, others = transactions(host), host.vsctl("list", "Bridge", "br-phy")
    with Hosts() as hosts:
        under(hosts, host)
        assert transactions(host) == before + 1
    assert get(host, "Bridge", "br-int", "fail_mode") == "secure"
    assert get(host, "Bridge", "br-int", "datapath_type") == "netdev"
    assert "OpenFlow14" in get(host, "Bridge", "br-int", "protocols")
    assert get(host, "Bridge", "br-int", "other_config:disable-in-band") == "true"
    assert host.vsctl("get-controller", "br-int") == f"tcp:{host.controller_address}:6653"
    controller = host.vsctl("--columns=max_backoff,inactivity_probe,connection_mode", "--format=json", "list", "Controller")
    assert json.loads(controller)["data"] == [[1000, 5000, "out-of-band"]]
    for name, kind, number in (("hv-vxlan", "vxlan", "65001"), ("hv-geneve", "geneve", "65002"), ("hv-gre", "gre", "65003")):
        assert get(host, "Interface", name, "type") == kind and get(host, "Interface", name, "ofport") == number
        assert get(host, "Interface", name, "options") == "{key=flow, remote_ip=flow, tos=inherit}"
    assert get(host, "Manager", ".", "max_backoff") == "1000"
    assert host.vsctl("list", "Bridge", "br-phy") == others
    assert "NXST_FLOW" in host.run(["ovs-ofctl", "dump-flows", "br-int"]).stdout


def test_a_host_is_made_to_try_again_sooner_to_reach_us_and_nobody_else(host):
    with Hosts() as hosts:
        under(hosts, host)
        ours = f"tcp:{host.controller_address}:{hosts.port}"
        host.vsctl("set-manager", ours, "tcp:127.0.0.9:9999")
        hosts.wait(lambda: managers(host) == {ours: 1000, "tcp:127.0.0.9:9999": ["set", []]})
        host.vsctl("set", "Manager", ours, "max_backoff=2000")
        hosts.wait(lambda: managers(host)[ours] == 1000)


def managers(host):
    return dict(json.loads(host.vsctl("--columns=target,max_backoff", "--format=json", "list", "Manager"))["data"])


def test_the_facts_name_the_host_its_switch_and_its_tunnels(host):
    with Hosts(now_text=lambda: "now") as hosts:
        under(hosts, host)
        assert hosts.posts[0].complete and not any(post.complete for post in hosts.posts[1:])
        assert hosts.of(host.name, "host")[host.name] == {
            "id": host.name, "hostname": host.name, "tunnel_ip": host.tunnel_address, "ovs_version": "3.1.0",
            "availability_zone": None, "datapath_types": ["dummy", "netdev"], "queues": None,
            "speed": None, "last_seen": "now"}
        switch_id = get(host, "Bridge", "br-int", "datapath_id")
        assert hosts.of(host.name, "switch") == {switch_id: {"id": switch_id, "host_id": host.name, "bridge": "br-int"}}
        assert hosts.interface(host.name, "hv-geneve")["ofport"] == 65002


def test_a_host_says_in_which_zone_it_is(host):
    with Hosts() as hosts:
        under(hosts, host)
        for said, zone in (("east", "east"), ("west-2", "west-2"), ("no zone", None)):
            host.vsctl("set", "Open_vSwitch", ".", f'external_ids:hadron-availability-zone="{said}"')
            hosts.wait(lambda zone=zone: hosts.of(host.name, "host")[host.name]["availability_zone"] == zone)
        host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "hadron-availability-zone")


def test_a_host_that_comes_back_is_told_whole_and_changed_in_nothing(host):
    with Hosts() as hosts:
        under(hosts, host)
        dummy(host, "d1", PORT.format(1))
        hosts.wait(lambda: hosts.interface(host.name, "d1"))
        rows, port = hosts.rows[host.name], hosts.port
    assert isinstance(hosts.posts[-1], HostGone)
    dummy(host, "d2", PORT.format(2))
    host.vsctl("del-port", "d1")
    before = (host.directory / "conf.db").stat().st_size
    with Hosts(port=port) as hosts:
        hosts.wait(lambda: hosts.posts)
        assert hosts.posts[0].complete
        assert hosts.interface(host.name, "d2") and not hosts.interface(host.name, "d1")
        hosts.server.peers()    # answered after whatever the server had to do
        assert hosts.of(host.name, "switch") == {row["id"]: row for (kind, _), row in rows.items() if kind == "switch"}
    written = (host.directory / "conf.db").read_bytes()[before:]
    assert b"Hadron" not in written


@pytest.mark.parametrize("change", [
    ["set-fail-mode", "br-int", "standalone"],
    ["del-fail-mode", "br-int"],
    ["set-controller", "br-int", "tcp:192.0.2.9:6653"],
    ["del-controller", "br-int"],
    ["set", "Bridge", "br-int", "protocols=OpenFlow13"],
    ["set", "Bridge", "br-int", "other_config:disable-in-band=false"],
    ["clear", "Bridge", "br-int", "other_config"],
    ["set", "Controller", "br-int", "max_backoff=60000"],
    ["del-port", "br-int", "hv-vxlan"],
    ["set", "Interface", "hv-gre", "options:key=7"],
    ["set", "Interface", "hv-gre", "ofport_request=9"],
    ["del-br", "br-int"],
], ids=" ".join)
def test_what_someone_changes_is_repaired(host, change):
    with Hosts() as hosts:
        under(hosts, host)
        before, right = transactions(host), essentials(host)
        host.vsctl("--no-wait", *change)
        hosts.wait(lambda: transactions(host) == before + 1 and hosts.provisioned(host.name) and essentials(host) == right)


def essentials(host):
    words = []
    for table, row, columns in (("Bridge", "br-int", "fail_mode,protocols,other_config"), ("Controller", "", "target,max_backoff"),
                                ("Interface", "", "name,type,options,ofport")):
        shown = host.vsctl(f"--columns={columns}", "--format=json", "list", table, *([row] if row else []))
        words.append(sorted(map(str, json.loads(shown)["data"])))
    words[0] = [words[0][0].replace("'OpenFlow11', ", "")]
    return words


def test_an_administrators_own_options_and_ports_are_left_alone(host):
    host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "other_config:mac-table-size=9",
               "other_config:datapath-id=00000000000000fe", "--", "add-port", "br-int", "own", "--", "set", "Interface", "own",
               "type=internal", "--", "set-controller", "br-int", "tcp:192.0.2.9:6653")
    with Hosts() as hosts:
        under(hosts, host)
        assert list(hosts.of(host.name, "switch")) == ["00000000000000fe"]
        host.vsctl("set", "Interface", "hv-vxlan", "options:local_ip=10.98.0.1", "options:key=3")
        hosts.wait(lambda: get(host, "Interface", "hv-vxlan", "options:key") == "flow")
        assert get(host, "Interface", "hv-vxlan", "options:local_ip") == "10.98.0.1"
    assert "own" in host.vsctl("list-ports", "br-int")
    assert get(host, "Bridge", "br-int", "other_config:mac-table-size") == "9"
    assert host.vsctl("get-controller", "br-int") == f"tcp:{host.controller_address}:6653"


def test_only_configured_tunnel_types_are_made_and_only_ours_are_removed(host):
    with Hosts() as hosts:
        under(hosts, host)
    with Hosts(port=hosts.port, tunnels=["geneve"], controllers=["tcp:192.0.2.1:6653", "tcp:192.0.2.2:6653"]) as hosts:
        hosts.wait(lambda: set(host.vsctl("list-ports", "br-int").split()) == {"hv-geneve"})
        hosts.wait(lambda: list(hosts.of(host.name, "interface")) == [f"{host.name}/hv-geneve"])
        assert host.vsctl("get-controller", "br-int").split() == ["tcp:192.0.2.1:6653", "tcp:192.0.2.2:6653"]


def test_a_tunnel_port_of_someone_else_is_left_alone_and_named_as_a_problem(host):
    host.vsctl("add-br", "br-other", "--", "set", "Bridge", "br-other", "datapath_type=netdev", "--", "add-port", "br-other",
               "hv-gre", "--", "set", "Interface", "hv-gre", "type=internal")
    with Hosts() as hosts:
        host.set_manager(f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: len(hosts.of(host.name, "interface")) == 2)
        assert "hv-gre exists outside br-int" in str(hosts.server.peers()[0].problems)
    assert get(host, "Interface", "hv-gre", "type") == "internal"


def test_the_same_port_on_two_hosts_is_reported_for_both(cloud, host):
    second = cloud.host(2)
    try:
        with Hosts() as hosts:
            under(hosts, host, second)
            for each in (host, second):
                dummy(each, "d1", PORT.format(1))
            for each in (host, second):
                assert hosts.wait(lambda each=each: hosts.interface(each.name, "d1"))["port_id"] == PORT.format(1)
            assert hosts.of(host.name, "switch").keys() != hosts.of(second.name, "switch").keys()
    finally:
        forget(second)


def test_the_switch_keeps_its_identity_when_open_vswitch_restarts(host):
    with Hosts() as hosts:
        under(hosts, host)
        dummy(host, "d1", PORT.format(1))
        hosts.wait(lambda: (hosts.interface(host.name, "d1") or {}).get("ofport"))
        before = dict(hosts.rows[host.name])
        host.restart_vswitchd(kill=True)
        dummy(host, "d2", PORT.format(2))
        hosts.wait(lambda: hosts.interface(host.name, "d2"))
        hosts.wait(lambda: {identity: row for identity, row in hosts.rows[host.name].items() if "d2" not in identity[1]} == before)


@pytest.mark.parametrize(("given", "expected"), [
    ({"hadron-ip": "10.98.7.7", "ovn-encap-ip": "10.98.8.8"}, "10.98.7.7"),
    ({"ovn-encap-ip": "10.98.8.8,10.98.9.9"}, "10.98.8.8"),
    ({}, "the address that it connects from"),
    ({"hadron-ip": "nonsense"}, None),
    *(({"hadron-ip": text}, None) for text in ("0.0.0.0", "::", "127.0.0.1", "224.0.0.1", "fe80::1", "255.255.255.255", "10.0.0.1/24")),
])
def test_the_tunnel_address_is_what_the_host_says_or_where_it_connects_from(host, given, expected):
    host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "hadron-ip", "--", "set", "Open_vSwitch", ".",
               "external_ids:none=1", *[f'external_ids:{key}="{value}"' for key, value in given.items()])
    with Hosts() as hosts:
        under(hosts, host)
        found = hosts.of(host.name, "host")[host.name]["tunnel_ip"]
        assert found == (host.management_address if expected and " " in expected else expected)
        assert bool(hosts.server.peers()[0].problems) == (expected is None)


def test_a_host_without_a_name_is_waited_for(host):
    host.vsctl("remove", "Open_vSwitch", ".", "external_ids", "system-id")
    with Hosts() as hosts:
        host.set_manager(f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: [peer for peer in hosts.server.peers() if peer.state == "following"])
        assert not hosts.posts and "br-int" not in host.vsctl("list-br")
        host.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=late")
        hosts.wait(lambda: hosts.provisioned("late"))


def test_a_second_host_of_the_same_name_is_refused(cloud, host):
    second = cloud.host(2)
    try:
        with Hosts() as hosts:
            under(hosts, host)
            second.vsctl("set", "Open_vSwitch", ".", f"external_ids:system-id={host.name}")
            second.set_manager(f"tcp:{second.controller_address}:{hosts.port}")
            second.vsctl("wait-until", "Manager", ".", "status:state=BACKOFF")
            assert [peer.host_id for peer in hosts.server.peers() if peer.host_id] == [host.name]
            assert not any(isinstance(post, HostGone) for post in hosts.posts)
            assert "br-int" not in second.vsctl("list-br")
    finally:
        forget(second)


def test_someone_who_undoes_every_repair_is_answered_ever_more_slowly(host):
    with Hosts() as hosts:
        under(hosts, host)
        before = transactions(host)
        for _ in range(60):
            host.vsctl("--no-wait", "set-fail-mode", "br-int", "standalone")
        hosts.wait(lambda: get(host, "Bridge", "br-int", "fail_mode") == "secure", seconds=15)
        assert transactions(host) - before <= 10


def test_hosts_with_a_certificate_are_served_over_tls_and_told_so(host, tmp_path):
    own, client = certificate(tmp_path, "controller"), certificate(tmp_path, "host1")
    context = server_context(own.certificate, own.key, client_ca=client.authority)
    with Hosts(tls=context, openflow_ports={"tcp": 6653, "ssl": 6654}) as hosts:
        host.vsctl("set-ssl", client.key, client.certificate, own.authority)
        host.set_manager(f"ssl:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: hosts.provisioned(host.name))
        assert hosts.server.peers()[0].certificate == "host1"
        assert host.vsctl("get-controller", "br-int") == f"ssl:{host.controller_address}:6654"


@pytest.mark.parametrize(("options", "text"), [
    ({"tunnels": ["stt"]}, "tunnels: 'stt' must be one of vxlan, geneve, gre"),
    ({"controllers": ["192.0.2.1"]}, "controllers: '192.0.2.1' must be like"),
    ({"openflow_ports": {"udp": 1}}, "openflow_ports: 'udp' must be tcp or ssl"),
])
def test_wrong_options_are_refused_in_words(options, text):
    with pytest.raises(ValueError, match=text):
        OvsdbServer(lambda post: None, **options)
