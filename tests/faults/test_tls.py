"""TLS on everything, with real hosts: served with a certificate of the right authority, refused without."""
from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.cloud import Host
from tests.faults.fabric import Fabric, Written, until
from tests.kit.certificates import Authority, Files

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A certificate that looks as good, but is of another authority."""
    return Authority(tmp_path_factory.mktemp("stranger"), "another authority").issue("controller")


def client(trusted: str, shown: Files | None = None) -> ssl.SSLContext:
    """What a client has: whom it trusts, and the certificate that it shows."""
    context = ssl.create_default_context(cafile=trusted)
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Fabric]:
    """Two hosts that are not under the controller yet."""
    own = authority.issue("controller")
    with Fabric(tmp_path_factory.mktemp("tls"), hosts=2, manage=False,
                tls={"certificate": own.certificate, "key": own.key, "ca": own.authority},
                trust=client(own.authority, authority.issue("admin"))) as made:
        yield made


def manage(fabric: Fabric, host: Host, shown: Files, trusted: Path) -> None:
    """What an administrator does on the host."""
    host.vsctl("set-ssl", shown.key, shown.certificate, str(trusted))
    target = f"ssl:{fabric.cloud.controller_address}:{fabric.ovsdb}"
    host.vsctl("set-manager", target, "--", "set", "Manager", target, "max_backoff=1000")


def test_hosts_with_certificates_are_served_and_others_are_not(fabric: Fabric, authority: Authority, stranger: Files) -> None:
    first, second = fabric.cloud.hosts
    manage(fabric, first, authority.issue(first.name), authority.file)
    manage(fabric, second, stranger, authority.file)
    until(lambda: fabric.in_step(1))
    until(lambda: f"connection from {second.management_address}" in fabric.hadron.log.read_text())
    assert second.name not in fabric.switches() and "br-int" not in second.vsctl("list-br").split()
    manage(fabric, second, authority.issue(second.name), authority.file)
    until(lambda: fabric.in_step(1, 2))
    for host in fabric.cloud.hosts:
        assert host.vsctl("get-controller", "br-int").startswith("ssl:")
        assert f"certificate of {host.name}" in fabric.hadron.log.read_text()
    a, b, c = fabric.machines(fabric.network("red"), a=1, b=2, c=2)
    fabric.reached(a, b, c)
    fabric.reached(b, a, c)
    assert fabric.wrong() == []


def test_a_restart_changes_no_flow(fabric: Fabric) -> None:
    before, written = fabric.snapshot(), [Written(host) for host in fabric.cloud.hosts]
    fabric.hadron.kill()
    fabric.hadron.start()
    until(lambda: fabric.in_step(1, 2))
    assert [each.lines() for each in written] == [[], []] and fabric.snapshot() == before
    fabric.host(2).restart_vswitchd(kill=True)
    until(lambda: fabric.snapshot() == before)


@pytest.mark.parametrize("shown", ["none", "another authority's"])
@pytest.mark.parametrize("listener", ["openflow", "ovsdb"])
def test_who_shows_no_certificate_or_a_wrong_one_hears_nothing(
        fabric: Fabric, authority: Authority, stranger: Files, listener: str, shown: str) -> None:
    context = client(str(authority.file), None if shown == "none" else stranger)
    context.check_hostname = False
    address = fabric.cloud.controller_address, getattr(fabric, listener)
    with pytest.raises(OSError), context.wrap_socket(socket.create_connection(address, timeout=5)) as peer:
        assert not peer.recv(1)
        raise ConnectionError("closed without a word")


@pytest.mark.parametrize("listener", ["openflow", "ovsdb"])
def test_who_speaks_no_tls_hears_nothing(fabric: Fabric, listener: str) -> None:
    address = fabric.cloud.controller_address, getattr(fabric, listener)
    with socket.create_connection(address, timeout=5) as peer:
        peer.sendall(b"\5\0\0\x08\0\0\0\1")
        try:
            said = peer.recv(100)
        except ConnectionResetError:
            said = b""
        assert said[:1] in (b"", b"\x15"), "nothing, or an alert of TLS"


@pytest.mark.parametrize("shown", ["none", "another authority's", "no TLS"])
def test_rest_is_refused_likewise(fabric: Fabric, authority: Authority, stranger: Files, shown: str) -> None:
    url = fabric.hadron.url if shown != "no TLS" else fabric.hadron.url.replace("https", "http")
    context = client(str(authority.file), stranger if shown.startswith("another") else None)
    with pytest.raises((urllib.error.URLError, OSError)) as refused:
        urllib.request.urlopen(f"{url}/", timeout=5, context=context if shown != "no TLS" else None)
    assert not isinstance(refused.value, urllib.error.HTTPError), "not even HTTP was spoken"
    assert fabric.hadron.request("GET", "/v2.0/networks")[0] == 200
