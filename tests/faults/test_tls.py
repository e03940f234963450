"""TLS on everything, with real hosts: served with a certificate of the right authority, refused without."""
from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def told(fabric: Fabric, about: str) -> dict[str, Any]:
    """The alarm about somebody who said it was this; empty if there is none."""
    alarms = fabric.hadron.request("GET", "/inspect/alarms")[1]["alarms"]
    return next((one for one in alarms if one["alarm"] == "impostor" and one["object"] == about), {})


def seen(fabric: Fabric, host: str) -> list[Any]:
    """What is known of a host and its switches, but for when, and for the label, which a switch that was away gets anew."""
    known = [{key: value for key, value in row.items() if key not in ("last_seen", "label")} for kind in ("hosts", "switches", "interfaces")
             for row in fabric.hadron.request("GET", f"/v2.0/{kind}")[1][kind] if host in (row["id"], row.get("host_id"))]
    return sorted(known, key=lambda row: str(row["id"]))


def named(host: Host, name: str) -> None:
    host.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"external_ids:system-id={name}")


def test_no_host_takes_the_place_of_another_whether_that_is_there_or_not(fabric: Fabric) -> None:
    first, second = fabric.cloud.hosts
    switch, before, flows = fabric.switches()[first.name]["switch"], seen(fabric, first.name), fabric.installed(1)
    about = f"host {first.name}"
    named(second, first.name)
    alarm = until(lambda: told(fabric, about))
    assert (alarm["certificate"], alarm["belongs_to"]) == (second.name, first.name)
    assert alarm["address"].startswith(second.management_address)
    first.stop("ovsdb-server", kill=True)                       # now its place is empty ...
    first.stop_vswitchd(kill=True)
    fabric.hadron.kill()                                        # ... and the controller has to remember whose it is
    fabric.hadron.start()
    until(lambda: told(fabric, about).get("times", 1) > 1)
    second.vsctl("--no-wait", "add-br", "br-evil", "--", "set", "Bridge", "br-evil", "datapath_type=netdev", "fail_mode=secure",
                 "protocols=OpenFlow14", f"other_config:datapath-id={switch}", "--", "set-controller", "br-evil",
                 f"ssl:{fabric.cloud.controller_address}:{fabric.openflow}")
    alarm = until(lambda: told(fabric, f"switch {switch}"))
    assert (alarm["certificate"], alarm["belongs_to"]) == (second.name, first.name)
    assert first.name not in fabric.switches() or fabric.switches()[first.name]["state"] == "away"
    assert not second.dump_flows("br-evil") and seen(fabric, first.name) == before
    first.restart_database()
    first.start_vswitchd()
    until(lambda: fabric.in_step(1))
    assert fabric.installed(1) == flows and seen(fabric, first.name) == before
    second.vsctl("--no-wait", "del-br", "br-evil")
    named(second, second.name)
    until(lambda: fabric.in_step(1, 2))
    assert fabric.wrong() == []


def test_the_identity_of_another_hosts_bridge_is_taken_from_who_has_taken_it(fabric: Fabric) -> None:
    first, second = fabric.cloud.hosts
    switch, own = (fabric.switches()[host.name]["switch"] for host in (first, second))
    first.stop("ovsdb-server", kill=True)
    second.vsctl("--no-wait", "set", "Bridge", "br-int", f"other_config:datapath-id={switch}")
    until(lambda: f"has the identity of another host's bridge, {switch}" in fabric.hadron.log.read_text())
    until(lambda: told(fabric, f"switch {switch}").get("belongs_to") == first.name)
    until(lambda: own in second.vsctl("get", "Bridge", "br-int", "datapath_id"))
    first.restart_database()
    until(lambda: fabric.in_step(1, 2))
    assert [fabric.switches()[host.name]["switch"] for host in (first, second)] == [switch, own] and fabric.wrong() == []


def test_a_host_with_a_certificate_of_another_name_is_let_in_when_the_old_one_is_forgotten(
        fabric: Fabric, authority: Authority) -> None:
    second = fabric.host(2)
    manage(fabric, second, authority.issue("renamed"), authority.file)
    second.restart_database()                                   # else it goes on over the connection that it has
    until(lambda: told(fabric, f"host {second.name}").get("certificate") == "renamed")
    status, said = fabric.hadron.request("POST", f"/inspect/forget?host={second.name}&certificate=true")
    assert status == 200 and said["facts"] == {"certificate": 1}
    until(lambda: {one["id"]: one["name"] for one in fabric.hadron.request("GET", "/v2.0/certificates")[1]["certificates"]} == {
        f"host:{fabric.host(1).name}": fabric.host(1).name, f"host:{second.name}": "renamed"})
    until(lambda: fabric.in_step(1, 2))


def test_where_certificates_name_hosts_nobody_has_a_name_that_is_not_in_its_own(fabric: Fabric, authority: Authority) -> None:
    second = fabric.host(2)
    fabric.hadron.stop()
    fabric.hadron.config["certificates"] = "named"
    fabric.hadron.start()
    until(lambda: fabric.in_step(1))
    until(lambda: told(fabric, f"host {second.name}").get("certificate") == "renamed")
    manage(fabric, second, authority.issue(second.name), authority.file)
    until(lambda: fabric.in_step(1, 2))
    named(second, "nobody-yet")
    until(lambda: told(fabric, "host nobody-yet").get("belongs_to") == "nobody-yet")
    assert not seen(fabric, "nobody-yet")
    named(second, second.name)
    until(lambda: fabric.in_step(1, 2))
    assert fabric.wrong() == []


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
