"""A real DHCP client, busybox udhcpc, takes, renews and releases a lease from the pure function's answers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps import dhcp
from scenarios.namespace import Namespace, ip_batch, run
from tests.kit import frames
from tests.kit.dhcp import ACK, DISCOVER, NAK, OFFER, RELEASE, REQUEST, read
from tests.kit.fields import fields
from tests.kit.tenant import Tenant

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("busybox"), reason="needs root and busybox"),
]
MAC, OURS, SERVER = "fa:16:3e:00:00:05", "10.77.0.5", "10.77.0.1"
SCRIPT = (
    '#!/bin/sh\n(echo "event=$1"; env) > "$LEASE.new" && mv "$LEASE.new" "$LEASE.$1"\n[ "$1" = bound ] && '
    'ip addr replace "$ip/$mask" dev "$interface"\nexit 0\n'
)


def wait(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


class Switch(threading.Thread):
    """The other end of the client's cable: hands what comes in to the answer, and answers ARP for the server."""

    def __init__(self, interface: str, net: Tenant) -> None:
        super().__init__(daemon=True)
        self.net, self.heard, self.said = net, [], []  # kinds of questions and of answers
        self.to_all: list[bool] = []  # whether a question was broadcast
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.socket.settimeout(0.1)
        self.over = False

    def run(self) -> None:
        mac = dhcp.server_mac(self.net.model.get("network", "n"))
        while not self.over:
            try:
                frame, sender = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            seen = fields(frame)
            if seen.get("arp_op") == 1 and seen["arp_tpa"] == int.from_bytes(frames.raw_ip(SERVER), "big"):
                self.socket.send(frames.arp_reply(mac, SERVER, MAC, OURS))
            elif seen.get("udp_dst") == 67:
                self.heard.append(frame[42 + 242])
                self.to_all.append(frame[:6] == b"\xff" * 6)
                for answer in dhcp.offer(self.net.world, self.net.model.get("port", "p"), frame):
                    self.said.append(read(answer).kind)
                    self.socket.send(answer)

    def close(self) -> None:
        self.over = True
        self.join()
        self.socket.close()


@pytest.fixture
def net() -> Tenant:
    net = Tenant()
    net.put("network", "n", key=7, mtu=1450)
    net.put(
        "subnet",
        "s",
        network_id="n",
        ip_version=4,
        cidr="10.77.0.0/24",
        gateway_ip=SERVER,
        dns_nameservers=["10.77.0.3"],
        host_routes=[{"destination": "192.168.4.0/22", "nexthop": "10.77.0.9"}],
    )
    net.put(
        "port",
        "p",
        network_id="n",
        mac_address=MAC,
        fixed_ips=[{"subnet_id": "s", "ip_address": OURS}],
        extra_dhcp_opts=[
            {"opt_name": name, "opt_value": value, "ip_version": 4}
            for name, value in (
                ("domain-name", "example.org"),
                ("domain-search", "a.example,b.example"),
                ("ntp-server", "10.77.0.4"),
                ("hostname", "web"),
                ("bootfile-name", "pxelinux.0"),
                ("tftp-server", "boot"),
                ("server-ip-address", "10.77.0.40"),
            )
        ],
    )
    return net


@pytest.fixture
def cable(net: Tenant) -> Iterator[tuple[Namespace, Switch]]:
    machine, near, far = (f"{name}{os.getpid()}" for name in ("hv-dhcp", "hvd", "hve"))
    ip_batch([f"netns add {machine}"])
    try:
        ip_batch([f"link add {near} type veth peer name {far} address {MAC} netns {machine}", f"link set {near} up"])
        ip_batch([f"link set {far} up", "link set lo up"], namespace=machine)
        switch = Switch(near, net)
        switch.start()
        try:
            yield Namespace(machine, {"INTERFACE": far}), switch
        finally:
            switch.close()
    finally:
        run(["ip", "netns", "del", machine])


def client(machine: Namespace, folder: Path, *more: str) -> list[str]:
    script = folder / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    wanted = [
        word
        for name in (
            "subnet",
            "router",
            "dns",
            "hostname",
            "domain",
            "mtu",
            "staticroutes",
            "lease",
            "serverid",
            "search",
            "ntpsrv",
            "tftp",
            "bootfile",
            "broadcast",
        )
        for word in ("-O", name)
    ]
    return [
        "env",
        f"LEASE={folder}/lease",
        "busybox",
        "udhcpc",
        "-f",
        "-i",
        machine.environment["INTERFACE"],
        "-s",
        str(script),
        "-t",
        "8",
        "-T",
        "1",
        *wanted,
        *more,
    ]


def lease(folder: Path, event: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / f"lease.{event}").read_text().splitlines() if "=" in line)


def test_the_client_takes_the_lease_and_understands_every_option(
    cable: tuple[Namespace, Switch], tmp_path: Path
) -> None:
    machine, switch = cable
    done = machine.run(client(machine, tmp_path, "-q", "-n"), check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert (switch.heard[-2:], switch.said[-2:]) == ([DISCOVER, REQUEST], [OFFER, ACK])
    expected = {
        "ip": OURS,
        "mask": "24",
        "subnet": "255.255.255.0",
        "router": SERVER,
        "dns": "10.77.0.3",
        "mtu": "1450",
        "lease": "86400",
        "serverid": SERVER,
        "domain": "example.org",
        "hostname": "web",
        "ntpsrv": "10.77.0.4",
        "search": "a.example b.example",
        "broadcast": "10.77.0.255",
        "siaddr": "10.77.0.40",
        "tftp": "boot",
        "bootfile": "pxelinux.0",
        "boot_file": "pxelinux.0",
        "sname": "boot",
        "staticroutes": f"192.168.4.0/22 10.77.0.9 0.0.0.0/0 {SERVER}",
    }
    told = lease(tmp_path, "bound")
    assert {name: told.get(name) for name in expected} == expected


def test_the_client_renews_by_unicast_and_says_goodbye(cable: tuple[Namespace, Switch], tmp_path: Path) -> None:
    machine, switch = cable
    running = machine.start(client(machine, tmp_path, "-R"))
    try:
        wait((tmp_path / "lease.bound").exists)
        before = len(switch.heard)
        running.send_signal(signal.SIGUSR1)
        wait((tmp_path / "lease.renew").exists)
        assert switch.heard[before] == REQUEST and not switch.to_all[before] and switch.said[-1] == ACK
        assert lease(tmp_path, "renew")["ip"] == OURS
        answers = len(switch.said)
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=10)
        wait(lambda: switch.heard[-1] == RELEASE)
        assert len(switch.said) == answers
    finally:
        running.kill()
        running.wait()


def test_the_client_starts_anew_when_its_address_is_another(
    cable: tuple[Namespace, Switch], net: Tenant, tmp_path: Path
) -> None:
    machine, switch = cable
    running = machine.start(client(machine, tmp_path))
    try:
        wait((tmp_path / "lease.bound").exists)
        (tmp_path / "lease.bound").unlink()
        net.put("port", "p", fixed_ips=[{"subnet_id": "s", "ip_address": "10.77.0.88"}])
        running.send_signal(signal.SIGUSR1)
        wait((tmp_path / "lease.bound").exists, 20)
        assert NAK in switch.said and lease(tmp_path, "bound")["ip"] == "10.77.0.88"
    finally:
        running.kill()
        running.wait()
