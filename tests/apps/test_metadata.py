"""Metadata: which request gets which answer, what is passed on and signed, and what hostile machines send."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

import pytest

from apps import metadata
from controller import config
from controller.app import Ask
from controller.errors import Invalid
from controller.packet import http
from tests.kit import cloud_init
from tests.kit.frames import raw_ip
from tests.kit.net import Net, Port
from tests.kit.worlds import core

NOVA = {"metadata": {"url": "http://192.0.2.10:8775/", "shared_secret": "s3cret"}}


@pytest.fixture
def net() -> Net:
    return Net()


def port(net: Net, name: str = "web", **more: Any) -> Port:
    if ("network", "net") not in net.things:
        net.network("net")
    return net.port(name, **{"ip": ("10.0.0.5", "2001:db8::5"), "device_id": "vm-1", **more})


def ask(net: Net, whose: Port, raw: bytes) -> Any:
    """The answer's bytes, or the Ask."""
    request = metadata.SERVICE.read(raw)
    assert request is not None, "it is not whole"
    return metadata.SERVICE.answer(net.compiler.world, whose.row, request, raw_ip("10.0.0.5"))


def get(net: Net, whose: Port, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Status, media type, body."""
    answer = ask(net, whose, f"{method} {path} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert headers["Connection"] == "close" and (method == "HEAD" or int(headers["Content-Length"]) == len(body))
    return int(lines[0].split()[1]), headers["Content-Type"], body


# ---- of our own

def test_openstacks_way(net: Net) -> None:
    web = port(net, dns_name="web", project_id="acme")
    assert get(net, web, "/openstack") == get(net, web, "/openstack/") == (200, "text/plain", b"2015-10-15\n2018-08-27\nlatest")
    status, kind, body = get(net, web, "/openstack/2018-08-27/meta_data.json")
    told = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert {name: told[name] for name in ("uuid", "hostname", "name", "project_id")} == {
        "uuid": "vm-1", "hostname": "web.openstacklocal", "name": "web", "project_id": "acme"}
    assert json.loads(get(net, web, "/openstack/latest/vendor_data.json")[2]) == {}
    for gone in ("user_data", "password", "meta_data.json/x", "../../etc/passwd", "%2e%2e"):
        assert get(net, web, f"/openstack/latest/{gone}")[0] == 404
    assert get(net, web, "/openstack/1999-01-01/meta_data.json")[0] == 404


def test_what_it_says_of_interfaces_cloud_init_takes(net: Net) -> None:
    web, second = port(net), net.port("web2", device_id="vm-1")
    net.port("stranger", device_id="vm-2")
    told = json.loads(get(net, web, "/openstack/latest/network_data.json")[2])
    assert [link["vif_id"] for link in told["links"]] == [web.id, second.id]
    names = {link["ethernet_mac_address"]: f"eth{number}" for number, link in enumerate(told["links"])}
    assert set(names) == {web.mac, second.mac}
    one = json.loads(get(net, net.port("alone", device_id=""), "/openstack/latest/network_data.json")[2])
    assert len(one["links"]) == 1 and cloud_init.state_of_openstack(one)


def test_a_machine_hears_nothing_of_another_projects_ports_that_claim_its_id(net: Net) -> None:
    web = port(net)
    other = net.network("other", project="evil")
    thief = net.port("thief", network=other, device_id="vm-1")
    for whose, known in ((web, web), (thief, thief)):
        links = json.loads(get(net, whose, "/openstack/latest/network_data.json")[2])["links"]
        assert [link["vif_id"] for link in links] == [known.id]


def test_ec2s_way(net: Net) -> None:
    web = port(net, dns_name="web")
    listed = get(net, web, "/latest/meta-data/")[2].decode().split("\n")
    assert {"instance-id", "hostname", "local-hostname", "local-ipv4", "mac", "network/", "placement/"} == set(listed)
    for path, value in (("instance-id", b"vm-1"), ("local-ipv4", b"10.0.0.5"), ("mac", web.mac.encode()),
                        ("hostname", b"web.openstacklocal"), ("network/interfaces/macs/", f"{web.mac}/".encode()),
                        (f"network/interfaces/macs/{web.mac}/local-ipv4s", b"10.0.0.5"),
                        (f"network/interfaces/macs/{web.mac}/subnet-ipv4-cidr-block", b"10.0.0.0/24")):
        assert get(net, web, f"/2009-04-04/meta-data/{path}") == (200, "text/plain", value)
    assert get(net, web, "/")[2] == b"2009-04-04\nlatest\nopenstack"
    for gone in ("/latest/user-data", "/latest/meta-data/nothing", "/latest/meta-data/mac/x", "/1.0/meta-data/mac", "/latest/api/token"):
        assert get(net, web, gone)[0] == 404


def test_two_tenants_with_the_same_address_hear_of_themselves(net: Net) -> None:
    found = []
    for name in ("red", "blue"):
        network = net.network(name, project=name)
        one = net.port(f"{name}-vm", network=network, ip=("10.0.0.5",), device_id=f"id-{name}")
        found.append(get(net, one, "/latest/meta-data/instance-id")[2])
    assert found == [b"id-red", b"id-blue"]


def test_only_reading_is_possible_and_head_has_no_body(net: Net) -> None:
    web = port(net)
    assert get(net, web, "/latest/meta-data/mac", "HEAD")[::2] == (200, b"")
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        assert get(net, web, "/latest/meta-data/mac", method)[0] == 405


# ---- of a compute manager

def test_a_request_is_passed_on_with_whose_it_is_signed_as_nova_expects() -> None:
    net = Net(**NOVA)
    web = port(net, project_id="acme")
    asked = ask(net, web, b"POST /openstack/latest/password?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                          b"X-Instance-ID: forged\r\nX-Forwarded-For: 9.9.9.9\r\nX-Tenant-Id: forged\r\n"
                          b"X-Instance-ID-Signature: forged\r\nUser-Agent: cloud-init\r\n\r\nabc")
    assert isinstance(asked, Ask) and asked.of == metadata.ASKED
    said = dict(asked.what.headers)
    assert (asked.what.url, asked.what.method, asked.what.target, asked.what.body) == (
        "http://192.0.2.10:8775", "POST", "/openstack/latest/password?x=1", b"abc")
    signature = hmac.new(b"s3cret", b"vm-1", hashlib.sha256).hexdigest()
    assert said == {"user-agent": "cloud-init", "X-Forwarded-For": "10.0.0.5", "X-Instance-ID": "vm-1", "X-Tenant-ID": "acme",
                    "X-Instance-ID-Signature": signature}
    assert b"s3cret" not in repr(asked).encode()
    told = asked.then(http.Answer(418, b"body", "application/x-thing"))
    assert told.startswith(b"HTTP/1.1 418 ") and b"Content-Type: application/x-thing\r\n" in told and told.endswith(b"\r\n\r\nbody")
    assert asked.then(None).startswith(b"HTTP/1.1 503 ")


def test_of_a_port_that_is_no_machines_nobody_is_asked() -> None:
    net = Net(**NOVA)
    assert get(net, port(net, device_id=""), "/openstack")[0] == 404


@pytest.mark.parametrize("wrong", [{"url": "nova:8775"}, {"url": "http://a/b"}, {"url": "http://u:p@a"}, {"enabled": "maybe"},
                                   {"nonsense": 1}, {"shared_secret": 5}])
def test_a_wrong_setting_is_refused_by_name_and_never_with_the_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        core().configured({"metadata": {"shared_secret": "s3cret", **wrong}})
    assert f"metadata.{next(iter(wrong))}" in str(refused.value) and "s3cret" not in str(refused.value)


# ---- hostile

@pytest.mark.parametrize(("raw", "status"), [
    (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01", 400), (b"get / HTTP/1.0\r\n\r\n", 400),
    (b"GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
    (b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414), (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 70 + b"\r\n", 400),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413), (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000, 431),
    (b"GET /a\r\nX-Instance-ID: b HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"PATCH / HTTP/1.0\r\n\r\n", 405)])
def test_what_is_no_request_is_refused_and_never_passed_on(raw: bytes, status: int) -> None:
    net = Net(**NOVA)
    answer = ask(net, port(net), raw)
    assert isinstance(answer, bytes) and answer.startswith(b"HTTP/1.1 %d " % status)


def test_a_request_may_come_byte_by_byte() -> None:
    whole = b"PUT /latest/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
    assert [metadata.SERVICE.read(whole[:at]) for at in range(len(whole))] == [None] * len(whole)
    assert metadata.SERVICE.read(whole + b"more") == metadata.SERVICE.read(whole)


def test_no_bytes_make_trouble(net: Net) -> None:
    web, chance = port(net), random.Random(7)
    good = b"GET /latest/meta-data/network/interfaces/macs/ HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n"
    for _ in range(20_000):
        raw = bytearray(good)
        for _ in range(chance.randint(0, 6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        request = metadata.SERVICE.read(bytes(raw[:chance.randint(0, len(raw))]))
        if request is not None:
            answer = metadata.SERVICE.answer(net.compiler.world, web.row, request, raw_ip("10.0.0.5"))
            assert isinstance(answer, bytes) and answer.startswith(b"HTTP/1.1 ")


def test_the_configuration_may_say_it_at_its_top_and_never_shows_the_secret() -> None:
    read = config.read({"metadata": {"shared_secret": "s3cret"}, "dns": {"enabled": False}, "settings": {"network_type": "gre"}})
    assert read.all_settings == {"metadata": {"shared_secret": "s3cret"}, "dns": {"enabled": False}, "network_type": "gre"}
    assert "s3cret" not in repr(read)
    with pytest.raises(config.BadConfig, match="^metadata: "):
        config.read({"metadata": ["s3cret"]})
