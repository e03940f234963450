"""The listener withstands slow, silent, ambiguous and oversized clients, and answers every one of them in JSON."""
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest.server import LARGEST_BODY, Server
from rest.turns import WHOSE
from tests.kit.certificates import certificate


def echo(environ, start_response):
    """Says what it was sent."""
    body = environ["wsgi.input"].read()
    answer = json.dumps({"path": environ["REQUEST_URI"], "length": len(body), "method": environ["REQUEST_METHOD"]})
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer.encode()]


@contextlib.contextmanager
def running(**options):
    server = Server(echo, port=0, **options)
    server.start()
    try:
        yield server
    finally:
        server.close()


SHARED: list[Server] = []


@pytest.fixture(scope="module", autouse=True)
def server():
    with running() as one:
        SHARED[:] = [one]
        yield one


def spoken(server, data: bytes, *, half_close: bool = True) -> bytes:
    """All that the server says to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        heard = b""
        with contextlib.suppress(OSError):
            while piece := sock.recv(65536):
                heard += piece
        return heard


def status_of(heard: bytes) -> int:
    return int(heard.split(b" ", 2)[1])


WRONG = {
    "no request line": (b"nonsense\r\n\r\n", 400),
    "bare newline": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\n\r\n", 400),
    "absolute address": (b"GET http://other/ HTTP/1.1\r\n\r\n", 400),
    "fragment": (b"GET /a#b HTTP/1.1\r\n\r\n", 400),
    "version of the future": (b"GET / HTTP/2.0\r\n\r\n", 505),
    "long line": (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", 414),
    "long headers": (b"GET / HTTP/1.1\r\nA: " + b"a" * 70000 + b"\r\n\r\n", 413),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two tokens": (b"GET / HTTP/1.1\r\nX-Auth-Token: a\r\nX-Auth-Token: b\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "negative length": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "signed length": (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400),
    "length with underscore": (b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n0123456789", 400),
    "length and chunks": (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunk of no size": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "chunk of negative size": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
    "chunk that goes on": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400),
    "other encoding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    "too large": (b"POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413),
    "too large in chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"40000\r\n" + b"a" * 0x40000
                            + b"\r\n") * 5 + b"0\r\n\r\n", 413),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_refused_with_a_neutron_error(server, name):
    data, status = WRONG[name]
    heard = spoken(server, data, half_close=False)
    assert status_of(heard) == status, heard[:300]
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["NeutronError"]["type"].startswith("HTTP")


def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_refused(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/", b"x" * LARGEST_BODY)
    assert json.loads(connection.getresponse().read())["length"] == LARGEST_BODY
    connection.request("POST", "/", b"x" * (LARGEST_BODY + 1))
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"NeutronError" in answer.read()


def test_a_connection_serves_many_requests_and_chunked_bodies(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for number in range(20):
        connection.request("POST", f"/{number}", iter([b"abc"] * number), {"Transfer-Encoding": "chunked"},
                           encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {"path": f"/{number}", "length": 3 * number,
                                                               "method": "POST"}


def test_pipelined_requests_are_answered_in_order(server):
    heard = spoken(server, b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(30)) +
                   b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert [heard.index(b'"path": "/%d"' % n) for n in range(30)] == sorted(heard.index(b'"path": "/%d"' % n)
                                                                            for n in range(30))
    assert b"/last" in heard


def test_an_underscore_cannot_pass_for_a_dash_in_a_header(server):
    seen = {}

    def look(environ, start_response):
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    with contextlib.closing(Server(look, port=0)) as one:
        one.start()
        spoken(one, b"GET / HTTP/1.1\r\nX_Auth_Token: stolen\r\nConnection: close\r\n\r\n")
    assert "HTTP_X_AUTH_TOKEN" not in seen and seen["REQUEST_URI"] == "/"


def test_many_slow_clients_hold_nobody_up():
    with running(threads=4, patience=2.0) as server:
        slow = []
        try:
            for number in range(60):
                sock = socket.create_connection(("127.0.0.1", server.port))
                sock.sendall([b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nabc"][number % 3])
                slow.append(sock)
            began = time.monotonic()
            assert status_of(spoken(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")) == 200
            assert time.monotonic() - began < 5
            slow[1].settimeout(10)
            assert slow[1].recv(1000) == b""
            assert time.monotonic() - began < 15
        finally:
            for sock in slow:
                sock.close()


def test_clients_that_do_not_read_their_answers_hold_up_nobody_but_their_own_project():
    def large(environ, start_response):
        environ[WHOSE] = environ["HTTP_X_AUTH_TOKEN"]
        size = 1 << 24 if environ["PATH_INFO"] == "/large" else 2
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]

    def ask(who: str, path: str, buffer: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(f"GET {path} HTTP/1.1\r\nX-Auth-Token: {who}\r\n\r\n".encode())
        return sock

    server = Server(large, port=0, threads=4)
    with contextlib.closing(server), contextlib.ExitStack() as open_ones:
        server.start()
        for who in ("one", "two"):                     # from now on it is known whose their requests are
            open_ones.enter_context(ask(who, "/", 1 << 16)).recv(1000)
        for _ in range(8):
            open_ones.enter_context(ask("one", "/large", 2048))
        for _ in range(3):
            other = open_ones.enter_context(ask("two", "/", 1 << 16))
            other.settimeout(10)
            assert other.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_client_that_sends_a_byte_now_and_then_is_cut_off():
    with running(threads=2, patience=1.0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        began = time.monotonic()
        with pytest.raises(OSError), contextlib.closing(sock):
            while time.monotonic() - began < 10:
                sock.sendall(b"G")
                sock.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    if not sock.recv(10):
                        raise ConnectionResetError
        assert time.monotonic() - began < 5


_RIGHT = b"POST /v2.0/networks?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nX-Auth-Token: abc\r\n\r\nhello"
_PIECES = [b"\r\n", b"\n", b"\0", b" ", b":", b"\r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"HTTP/9.9", b"%", b"?", b"#",
           b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"\xff\xfe", b"9" * 30, b"GET", b"\t", b"-"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_RIGHT)), st.integers(0, 6), st.sampled_from(_PIECES)), min_size=1, max_size=5))
def test_no_bytes_stop_the_listener(changes):
    data = _RIGHT
    for place, cut, piece in changes:
        data = data[:place] + piece + data[place + cut:]
    heard = spoken(SHARED[0], data)
    assert heard == b"" or heard.startswith(b"HTTP/1.1 "), heard
    assert b" 500 " not in heard.split(b"\r\n", 1)[0]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_noise_stops_the_listener(data):
    heard = spoken(SHARED[0], data)
    assert heard == b"" or heard.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), heard


def test_plain_http_off_loopback_must_be_asked_for():
    with pytest.raises(ValueError, match="not loopback"):
        Server(echo, address="0.0.0.0", port=0)
    Server(echo, address="0.0.0.0", port=0, allow_plain=True)


def test_a_request_that_does_not_end_does_not_stop_it_from_closing():
    begun, go = threading.Event(), threading.Event()

    def stuck(environ, start_response):
        begun.set()
        go.wait(30)
        start_response("204 No Content", [])
        return []

    server = Server(stuck, port=0, threads=2)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert begun.wait(5)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 6
        go.set()


def test_an_address_that_is_taken_is_said_at_once(server):
    with pytest.raises(OSError):
        Server(echo, port=server.port).start()


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("tls")
    files = certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with running(tls=context, threads=4) as server:
        yield server, ssl.create_default_context(cafile=files.authority)


def test_it_speaks_tls_and_a_silent_handshake_holds_nobody_up(tls):
    server, context = tls
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    try:
        connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
        for size in (0, 10, 40000, 700000):
            connection.request("POST", "/", b"x" * size)
            assert json.loads(connection.getresponse().read())["length"] == size
        connection.close()
    finally:
        for sock in silent:
            sock.close()


def test_plain_http_to_a_tls_listener_gets_no_answer_and_does_no_harm(tls):
    server, context = tls
    assert b"200" not in spoken(server, b"GET / HTTP/1.1\r\n\r\n")
    connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200


def test_forty_clients_at_once_are_all_served(server):
    wrong: list[object] = []

    def ask():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            for _ in range(10):
                connection.request("GET", "/")
                if connection.getresponse().read() is None:
                    wrong.append("nothing")
        except Exception as error:   # the thread's only way to say so
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
