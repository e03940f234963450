"""Whatever connects to the OVSDB port, the real hosts are served; the peer is closed, and the log says why."""

import json
import socket
import ssl
import time

import pytest

from controller.switch.ovsdb_rows import NEEDED
from controller.switch.provision import datapath_id
from controller.switch.tls import server_context
from scenarios.cloud import Cloud
from tests.kit.certificates import certificate
from tests.kit.hosts import Hosts

PORT = "aaaaaaaa-0000-4000-8000-000000000001"
SCHEMA = {"tables": {table: {"columns": {column: {} for column in columns}} for table, columns in NEEDED.items()}}
ROOT_ROW = {"initial": {"external_ids": ["map", [["system-id", "fake"], ["hostname", "fake.example"]]],
                        "datapath_types": "system"}}


class Fake:
    """A peer that speaks as much OVSDB as a test wants."""

    def __init__(self, hosts, rows=None):
        self.socket = socket.create_connection(("127.0.0.1", hosts.port), timeout=5)
        self.buffer = ""
        if rows is not None:
            self.send({"result": SCHEMA, "error": None, "id": self.message()["id"]})
            self.send({"result": rows, "error": None, "id": self.message()["id"]})

    def send(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.sendall(data)

    def message(self):
        while True:
            try:
                found, end = json.JSONDecoder().raw_decode(self.buffer)
                self.buffer = self.buffer[end:]
                return found
            except ValueError:
                data = self.socket.recv(65536)
                assert data, "closed"
                self.buffer += data.decode()

    def closed_within(self, seconds):
        deadline = time.monotonic() + seconds
        self.socket.settimeout(seconds)
        try:
            while time.monotonic() < deadline:
                if not self.socket.recv(65536):
                    return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return False


@pytest.fixture
def hosts():
    with Hosts(address="127.0.0.1") as made:
        yield made


def update(table, change, uuid="r"):
    return {"method": "update2", "id": None, "params": ["hadron", {table: {uuid: change}}]}


GARBAGE = [
    b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", b"[]", b"{}{}", b'{"id": 1}', b'{"id": "9", "result": {}}', b'{"method": "update2"}',
    b'{"method":"update2","params":["hadron",{}],"id":null}', b"{" * 100, b'{"a":"' + b"x" * (2 << 20), b'{"id":"1","error":"no"}',
    b'{"id":"1","result":{}}', b'{"id":"1","result":[]}', b'{"id":"1","result":{"tables":{"Bridge":1}}}', b'{"id":["1"],"result":1}',
]


@pytest.mark.parametrize("words", GARBAGE, ids=lambda words: repr(words[:24]))
def test_a_peer_that_speaks_garbage_is_closed_at_once(hosts, words):
    fake = Fake(hosts)
    fake.message()
    try:
        fake.send(words)
    except ConnectionError:
        return
    assert fake.closed_within(1)
    assert not hosts.posts


@pytest.mark.parametrize("message", [
    update("Interface", {"insert": []}), update("Interface", {"modify": {"name": "x"}}), update("Interface", {}),
    update("Interface", {"explode": {}}), update("Nonsense", {"insert": {}}), update("Interface", {"insert": {"ofport": "1"}}),
    update("Open_vSwitch", {"modify": {"external_ids": ["map", [["a", 1]]]}}, "root"),
    update("Open_vSwitch", {"modify": {"unasked": 1}}, "root"),
    update("Open_vSwitch", {"modify": {"external_ids": ["map", [["system-id", "other"]]]}}, "root"),
    {"method": "update2", "id": None, "params": ["other", {}]}, {"method": "update2", "id": None, "params": ["hadron", []]},
], ids=lambda message: json.dumps(message)[35:90])
def test_a_host_that_sends_impossible_rows_is_closed_and_told_gone(hosts, message):
    fake = Fake(hosts, {"Open_vSwitch": {"root": ROOT_ROW}})
    hosts.wait(lambda: hosts.posts)
    fake.send(message)
    assert fake.closed_within(1)
    hosts.wait(lambda: type(hosts.posts[-1]).__name__ == "HostGone")


@pytest.mark.parametrize("changes", [
    {"external_ids": ["map", [["system-id", "a/b"]]]}, {"external_ids": ["map", [["system-id", "x" * 300]]]},
    {"external_ids": ["map", [["system-id", "a\nb"]]]}, {"external_ids": ["map", [["system-id", ""]]]},
], ids=lambda changes: str(changes["external_ids"][1][0][1])[:10])
def test_a_host_with_a_name_that_is_none_stays_unknown(hosts, changes):
    fake = Fake(hosts, {"Open_vSwitch": {"root": {"initial": changes}}})
    hosts.wait(lambda: [peer for peer in hosts.server.peers() if "system-id" in str(peer.problems)])
    assert not hosts.posts
    fake.send(update("Open_vSwitch", {"modify": {"external_ids": ["map", [["system-id", "fine"]]]}}, "root"))
    hosts.wait(lambda: hosts.of("fine", "host"))


def test_names_that_a_host_makes_up_do_not_reach_the_facts(hosts):
    def interface(number, name, **more):
        row = {"name": name, "ofport": number, "external_ids": ["map", [["iface-id", PORT], ["attached-mac", "zz"]]], **more}
        return f"i{number}", {"initial": row}
    rows = dict([interface(1, "tap1"), interface(2, "a/b"), interface(3, "x" * 300), interface(4, "new\nline"), interface(5, ""),
                 interface(-1, "tap2", error="no such device"), interface(2**40, "tap3")])
    bridge = {"name": "br-int", "datapath_id": "00000000000000ab", "ports": ["set", [["uuid", f"p{uuid}"] for uuid in rows]],
              "other_config": ["map", [["datapath-id", "00000000000000AB"]]]}
    fake = Fake(hosts, {"Open_vSwitch": {"root": ROOT_ROW}, "Bridge": {"b": {"initial": bridge}}, "Interface": rows,
                        "Port": {f"p{uuid}": {"initial": {"name": uuid, "interfaces": ["uuid", uuid]}} for uuid in rows}})
    hosts.wait(lambda: hosts.posts)
    found = {row["name"]: (row["ofport"], row["mac_address"], row["error"]) for row in hosts.of("fake", "interface").values()}
    fake.socket.close()
    assert found == {"tap1": (1, None, None), "tap2": (None, None, "no such device"), "tap3": (None, None, None)}


def claiming(name, switch):
    """All rows of a host whose integration bridge has this identity."""
    root = {"initial": {**ROOT_ROW["initial"], "external_ids": ["map", [["system-id", name]]], "bridges": ["uuid", "b"]}}
    bridge = {"name": "br-int", "datapath_id": switch, "other_config": ["map", [["datapath-id", switch]]]}
    return {"Open_vSwitch": {"root": root}, "Bridge": {"b": {"initial": bridge}}}


def test_a_host_that_claims_anothers_switch_does_not_get_it(hosts):
    switch = datapath_id("one", "br-int")
    first = Fake(hosts, claiming("two", switch))
    hosts.wait(lambda: hosts.of("two", "switch"))                   # nobody has said otherwise
    rightful = Fake(hosts, claiming("one", switch))
    hosts.wait(lambda: hosts.of("one", "switch"))                   # its name made the identity
    assert first.closed_within(1)
    again = Fake(hosts, claiming("two", switch))
    asked = again.message()
    assert asked["method"] == "transact" and datapath_id("two", "br-int") in str(asked)
    hosts.wait(lambda: [peer for peer in hosts.server.peers() if "identity of another" in str(peer.problems)])
    assert not hosts.of("two", "switch") and hosts.of("one", "switch") and not rightful.closed_within(0.1)


def test_a_silent_host_is_asked_and_then_closed_and_one_that_answers_is_kept():
    with Hosts(address="127.0.0.1", probe_seconds=0.2) as hosts:
        silent = Fake(hosts, {})
        lively = Fake(hosts, {"Open_vSwitch": {"root": ROOT_ROW}})
        deadline, answered = time.monotonic() + 2, 0
        while time.monotonic() < deadline and answered < 3:
            message = lively.message()
            if message.get("method") == "echo":
                lively.send({"id": message["id"], "result": message["params"], "error": None})
                answered += 1
        assert answered == 3 and silent.closed_within(1)
        lively.send({"method": "echo", "params": ["are you there"], "id": "mine"})
        while (answer := lively.message()).get("id") != "mine":
            pass
        assert answer["result"] == ["are you there"]


def test_a_host_whose_database_refuses_is_asked_again_but_not_at_once(hosts):
    fake = Fake(hosts, {"Open_vSwitch": {"root": ROOT_ROW}})
    times = []
    for _ in range(2):
        asked = fake.message()
        assert asked["method"] == "transact"
        times.append(time.monotonic())
        fake.send({"id": asked["id"], "error": None, "result": [None, {"error": "not allowed", "details": "read only"}]})
    assert times[1] - times[0] >= 1
    hosts.wait(lambda: "not allowed" in str(hosts.server.peers()[0].problems))


def test_a_stuck_handshake_or_a_peer_without_a_certificate_holds_up_nobody(tmp_path):
    own, client = certificate(tmp_path, "controller"), certificate(tmp_path, "host1")
    context = server_context(own.certificate, own.key, client_ca=client.authority)
    with Hosts(address="127.0.0.1", tls=context) as hosts:
        stuck = Fake(hosts)
        stuck.send(b"\x16\x03\x01\x02\x00")
        plain = Fake(hosts)
        plain.send(b'{"method":"echo","params":[],"id":1}')
        assert plain.closed_within(1)
        trusting = ssl.create_default_context(cafile=own.authority)
        with pytest.raises(OSError), trusting.wrap_socket(Fake(hosts).socket, server_hostname="controller") as anonymous:
            while anonymous.recv(100):
                pass
            raise ConnectionError("closed without a word")
        trusting.load_cert_chain(client.certificate, client.key)
        with trusting.wrap_socket(Fake(hosts).socket, server_hostname="controller") as known:
            assert b"get_schema" in known.recv(1000)


@pytest.mark.root
def test_a_real_host_is_served_while_hostile_ones_do_their_worst():
    with Cloud(hosts=1) as cloud, Hosts() as hosts:
        host = cloud.host(1)
        fakes = [Fake(hosts) for _ in range(50)]                                    # say nothing
        fakes += [Fake(hosts, {"Open_vSwitch": {"root": {"initial": {}}}}) for _ in range(10)]
        for fake in fakes[:25]:
            fake.send(b'{"result": [' + b'"x",' * 100_000)                          # never end
        for fake in fakes[-10:]:
            fake.socket.settimeout(0.2)
            with pytest.raises((TimeoutError, ConnectionError)):
                while True:                                                         # ask, and never read the answers
                    fake.send(b'{"method":"echo","id":1,"params":["' + b"x" * 60_000 + b'"]}')
        host.set_manager(f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: hosts.provisioned(host.name), seconds=20)
        started = time.monotonic()
        host.vsctl("add-port", "br-int", "d1", "--", "set", "Interface", "d1", "type=dummy", f"external_ids:iface-id={PORT}")
        hosts.wait(lambda: hosts.interface(host.name, "d1"))
        assert time.monotonic() - started < 5
