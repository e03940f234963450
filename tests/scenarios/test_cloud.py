"""The emulated cloud itself: real hosts, real frames, and nothing left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scenarios import cloud_command, leftovers
from scenarios.cloud import Cloud, Plug
from scenarios.lease import NoLease
from scenarios.namespace import CommandFailed

pytestmark = pytest.mark.root
ROOT = Path(__file__).parents[2]
PORT_A, PORT_B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
MAC_A, MAC_B = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"


@pytest.fixture(scope="module")
def cloud():
    with Cloud(hosts=2) as made:
        for host in made.hosts:
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")
        made.plug(1, "a", port_id=PORT_A, mac=MAC_A).address("10.0.0.1/24")
        made.plug(1, "b", port_id=PORT_B, mac=MAC_B).address("10.0.0.2/24")
        yield made


def wait(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_two_machines_reach_each_other_through_a_normal_bridge(cloud):
    a, b = cloud.vms["a"], cloud.vms["b"]
    with b.capture("icmp", direction="in") as seen:
        assert a.ping("10.0.0.2", 3).received == 3
        assert len(seen.wait(3)) == 3
    assert not a.ping("10.0.0.99", 1, wait=0.3)


def test_tcp_passes_with_its_checksums_finished(cloud):
    a, b = cloud.vms["a"], cloud.vms["b"]
    server = b.start(["sh", "-c", "echo hello | busybox nc -l -p 8080"])
    wait(lambda: ":8080" in b.run(["ss", "-ltn"]).stdout)
    assert a.run(["busybox", "nc", "-w", "5", "10.0.0.2", "8080"]).stdout == "hello\n"
    server.communicate(timeout=5)


def test_a_plugged_interface_carries_what_a_compute_manager_writes(cloud):
    device = cloud.vms["a"].plug.device
    given = cloud.host(1).vsctl("get", "Interface", device, "external_ids")
    assert PORT_A in given and MAC_A in given


def test_hosts_reach_the_controller_and_each_other(cloud):
    first, second = cloud.hosts
    assert first.run(["ping", "-c1", "-W1", cloud.controller_address])
    assert first.run(["ping", "-c1", "-W1", second.tunnel_address])


def test_a_machine_keeps_its_addresses_when_it_moves(cloud):
    moved = cloud.plug(1, "moved", port_id="cccccccc-0000-4000-8000-000000000003", mac="fa:16:3e:00:00:0c")
    moved.address("10.0.0.3/24")
    assert moved.ping("10.0.0.1")
    cloud.move(moved, 2)
    there = cloud.plug(2, "there", port_id="dddddddd-0000-4000-8000-000000000004", mac="fa:16:3e:00:00:0d")
    there.address("10.0.0.4/24")
    assert there.ping("10.0.0.3")
    cloud.unplug(moved, there)
    assert "cccccccc" not in cloud.host(2).vsctl("list-ports", "br-int")


def test_flows_are_listed_and_open_vswitch_restarts(cloud):
    host = cloud.host(2)
    host.ofctl("add-flow", "br-int", "priority=7,actions=NORMAL")
    assert "priority=7 actions=NORMAL" in host.dump_flows()
    host.restart_vswitchd(kill=True)
    assert host.dump_flows() == ["priority=0 actions=NORMAL"]
    assert cloud.host(1).run(["ping", "-c1", "-W2", host.tunnel_address])


def test_a_machine_without_a_dhcp_server_gets_no_lease(cloud):
    with pytest.raises(NoLease):
        cloud.vms["a"].dhcp(seconds=1)


CLIENTS = ["udhcpc", pytest.param("dhclient", marks=pytest.mark.skipif(not shutil.which("dhclient"), reason="is not there"))]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_real_client_takes_the_lease_that_a_server_offers(cloud, tmp_path, client):
    server, machine = cloud.plug_all([
        Plug(2, "server", "eeeeeeee-0000-4000-8000-000000000005", "fa:16:3e:00:00:0e"),
        Plug(2, "client", "ffffffff-0000-4000-8000-000000000006", "fa:16:3e:00:00:0f")])
    server.address("10.5.0.1/24")
    config = tmp_path / "udhcpd.conf"
    config.write_text(f"start 10.5.0.20\nend 10.5.0.20\ninterface eth0\nlease_file {tmp_path}/leases\npidfile {tmp_path}/pid\n"
                      "opt subnet 255.255.255.0\nopt router 10.5.0.9\nopt dns 10.5.0.2 10.5.0.3\nopt lease 600\nopt mtu 1400\n"
                      "opt staticroutes 10.7.0.0/16 10.5.0.2, 0.0.0.0/0 10.5.0.1\n")
    (tmp_path / "leases").touch()
    server.start(["busybox", "udhcpd", "-f", str(config)])
    lease = machine.dhcp(client=client)
    assert (lease.address, lease.gateway, lease.mtu, lease.seconds) == ("10.5.0.20", "10.5.0.9", 1400, 600)
    assert lease.dns == ("10.5.0.2", "10.5.0.3")
    assert lease.routes == (("10.7.0.0/16", "10.5.0.2"), ("0.0.0.0/0", "10.5.0.1"))
    routes = machine.run(["ip", "route"]).stdout
    assert "10.7.0.0/16 via 10.5.0.2" in routes and "default via 10.5.0.1" in routes and "10.5.0.9" not in routes
    assert machine.ping("10.5.0.1")
    cloud.unplug(server, machine)


def test_plugging_into_a_bridge_that_never_comes_fails_and_leaves_nothing(cloud):
    with pytest.raises(CommandFailed):
        cloud.plug(1, "lost", port_id=PORT_A.replace("a", "9"), mac=MAC_A, bridge="br-none", seconds=1)
    assert f"{cloud.prefix}-lost" not in leftovers.namespaces(cloud.prefix) and "lost" not in cloud.vms
    with pytest.raises(ValueError, match="taken"):
        cloud.plug(1, "a", port_id=PORT_A, mac=MAC_A)


def test_a_second_cloud_of_the_same_name_is_refused_and_the_first_goes_on(cloud):
    with pytest.raises(FileExistsError, match="hadron-cloud down"):
        Cloud(hosts=1, prefix=cloud.prefix)
    assert cloud.host(1).run(["ping", "-c1", "-W2", cloud.host(2).tunnel_address])


def test_down_leaves_no_namespace_link_or_process():
    with Cloud(hosts=2) as made:
        prefix, pids = made.prefix, [host.pid() for host in made.hosts]
        assert len(leftovers.namespaces(prefix)) == 3 and all(pids)
    assert nothing_of(prefix)
    assert not leftovers.processes(leftovers.namespaces(prefix))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_cloud_goes_away_with_a_killed_owner(number):
    prefix = f"k{os.getpid():x}s{int(number)}"
    script = f"from scenarios.cloud import Cloud; c = Cloud(2, '{prefix}'); print('up', flush=True); input()"
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout and owner.stdout.readline() == b"up\n"
    owner.send_signal(number)
    owner.communicate()
    wait(lambda: nothing_of(prefix))


def test_a_cloud_goes_away_when_its_owner_is_killed_half_way_through():
    prefix = f"h{os.getpid():x}"
    script = f"from scenarios.cloud import Cloud; c = Cloud(9, '{prefix}')"
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    wait(lambda: leftovers.namespaces(prefix))
    owner.kill()
    owner.wait()
    wait(lambda: nothing_of(prefix))


def test_machines_outside_reach_their_own_vlan_and_the_hosts_bridges():
    with Cloud(hosts=1, external=True) as cloud:
        a, b, c, d = (cloud.external(name, f"10.0.0.{number}/24", vlan)
                      for number, (name, vlan) in enumerate((("a", 101), ("b", 101), ("c", 102), ("d", None)), 1))
        assert a.ping("10.0.0.2") and not any(a.ping(other, wait=0.3) for other in ("10.0.0.3", "10.0.0.4"))
        host = cloud.host(1)
        assert set(host.vsctl("list-ports", "br-ex").split()) == {"eth2"}
        assert host.vsctl("get", "Open_vSwitch", ".", "external_ids:hadron-bridge-mappings") == '"physnet1:br-ex"'
        host.run(["ip", "addr", "add", "10.0.0.100/24", "dev", "br-ex"])
        host.run(["ip", "link", "set", "br-ex", "up"])
        assert d.ping("10.0.0.100") and not a.ping("10.0.0.100", wait=0.3)
        with host.capture("arp", device="eth2") as seen:
            a.ping("10.0.0.77", wait=0.1)
            assert seen.wait(1)[0][12:16] == b"\x81\x00\x00\x65"
        again = Cloud.attach(cloud.prefix)
        assert again.outsiders["b"].ping("10.0.0.1") and again.outsiders["b"].mac == b.mac
        with pytest.raises(ValueError, match="taken"):
            cloud.external("a", "10.0.0.9/24")
    assert nothing_of(cloud.prefix)


def test_the_command_makes_a_cloud_that_stays_until_it_is_taken_down(capfd):
    prefix = f"c{os.getpid():x}"
    try:
        assert cloud_command.main(["up", "1", "--external", "--prefix", prefix]) == 0
        assert cloud_command.main(["up", "1", "--prefix", prefix]) == 1
        assert "exists" in capfd.readouterr().err
        host = command(prefix, "exec", "h1", "ovs-vsctl", "add-br", "br-int")
        host = command(prefix, "exec", "h1", "ovs-vsctl", "show")
        assert "br-phy" in host and "br-int" in host
        command(prefix, "plug", "1", "vm1", "--port", PORT_A, "--mac", MAC_A)
        assert MAC_A in command(prefix, "exec", "vm1", "ip", "link", "show", "eth0")
        command(prefix, "outside", "out", "198.51.100.9/24", "--vlan", "101")
        assert "198.51.100.9/24" in command(prefix, "exec", "out", "ip", "addr")
        status = command(prefix, "status")
        assert "vm1" in status and "outside, VLAN 101" in status
        assert cloud_command.main(["exec", "--prefix", prefix, "nobody", "true"]) == 1
        assert "vm1" in capfd.readouterr().err
    finally:
        assert cloud_command.main(["down", "--prefix", prefix]) == 0
    assert nothing_of(prefix)


def command(prefix, word, *words):
    done = subprocess.run([sys.executable, "-m", "scenarios.cloud_command", word, "--prefix", prefix, *words], cwd=ROOT,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("prefix", ["", "A", "1a", "a-b", "a/b", "abcdefghijklm"])
def test_a_prefix_that_could_reach_other_clouds_is_refused(prefix):
    with pytest.raises(ValueError, match="prefix"):
        leftovers.sweep(prefix)


def nothing_of(prefix):
    links = [link for link in os.listdir("/sys/class/net") if link.startswith(f"{prefix}-")]
    return not leftovers.namespaces(prefix) and not links and not (leftovers.RUN_DIRECTORY / prefix).exists()
