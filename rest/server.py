"""The HTTP listener: cheroot's threads and keep-alive, with limits that hold against slow and hostile clients."""
import io
import ipaddress
import logging
import re
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from cheroot import errors
from cheroot.server import HeaderReader, HTTPRequest
from cheroot.ssl import Adapter
from cheroot.workers.threadpool import ThreadPool
from cheroot.wsgi import Server as WsgiServer

from rest import errors as answers
from rest.connection import AHEAD, LARGEST_HEAD, PATIENCE, TAKER, Connection, read_chunks, streams
from rest.turns import WHOSE, Parties, Turns

log = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20
"""Bytes of a request's body."""
MOST_CONNECTIONS = 20_000
"""… as long as that is not more than three quarters of the files that this process may open."""
IDLE = 75
"""Seconds that a kept connection may be silent between two requests."""
FIRST = 10
"""Seconds that a new connection may be silent before its first request."""
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ONCE = (b"Content-Length", b"Host", b"Transfer-Encoding", b"X-Auth-Token", b"If-Match")


class _Headers(HeaderReader):
    """Reads header lines strictly (RFC 9112 section 5): no folded lines, no odd names, no control characters.

    Names with `_` are dropped: in WSGI's environment they would pass for the ones with `-`.
    """

    def __call__(self, rfile: Any, hdict: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
        """The headers by name, a repeated one joined by commas. ValueError says what is wrong."""
        found: dict[bytes, bytes] = {} if hdict is None else hdict
        while (line := rfile.readline()) != b"\r\n":
            name, colon, value = line[:-2].partition(b":")
            if not line.endswith(b"\r\n") or not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
                raise ValueError("a header line is not NAME: VALUE")
            name, value = name.title(), value.strip()
            if name in found and name in _ONCE:
                raise ValueError(f"{name.decode('latin-1')} is there twice")
            if b"_" not in name:
                found[name] = b", ".join((found[name], value)) if name in found else value
        return found


class _Request(HTTPRequest):
    """One request: stricter framing, and refusals with a NeutronError body like every other answer."""

    header_reader = _Headers()

    def read_request_headers(self) -> bool:
        """Read the headers; False after having answered a wrong one."""
        if not super().read_request_headers():
            return False
        length = self.inheaders.get(b"Content-Length")
        if length is not None and not (length.isdigit() and len(length) < 16):
            self.simple_response("400 Bad Request", "Content-Length is not a number")
            return False
        if length is not None and self.chunked_read:
            self.simple_response("400 Bad Request", "Content-Length and Transfer-Encoding exclude each other")
            return False
        self.conn.wfile.flush()
        return True

    def respond(self) -> None:
        """Read the body, call the application and write its answer."""
        body = self._body()
        if body is None:
            return
        self.rfile = io.BytesIO(body)
        gateway = self.server.gateway(self)
        gateway.respond()
        if self.conn.shown is not None and (whose := gateway.env.get(WHOSE)) is not None:
            self.server.parties.learn(self.conn.shown, whose)
        if self.ready:
            self.ensure_headers_sent()
        if (taker := gateway.env.get(TAKER)) is not None:
            self.conn.wfile.flush()
            self.conn.taken, self.close_connection = taker, True
            return
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes | None:
        """The request's body; None after having answered one that is wrong, too big or one too many."""
        length = int(self.inheaders.get(b"Content-Length", 0))
        if not self.chunked_read and length <= AHEAD:
            return self.conn.rfile.read(length)
        if not self.server.large_bodies.acquire(blocking=False):
            self.simple_response("503 Service Unavailable", "Too many large requests at once; try again.")
            return None
        try:
            return self.conn.rfile.read(length) if not self.chunked_read else read_chunks(self.conn.rfile, LARGEST_BODY)
        except errors.MaxSizeExceeded:
            self.simple_response("413 Request Entity Too Large", "The body is larger than the allowed bytes.")
        except ValueError as wrong:
            self.simple_response("400 Bad Request", str(wrong))
        finally:
            self.server.large_bodies.release()
        return None

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer in cheroot's own name, before or instead of the application."""
        body = answers.body_of_status(int(status[:3]), msg)
        self.close_connection = True
        head = (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n")
        self.conn.wfile.write(head.encode("latin-1") + (b"" if getattr(self, "method", b"") == b"HEAD" else body))
        self.conn.drain(8 * LARGEST_BODY)


Connection.RequestHandlerClass = _Request


class _Tls(Adapter):
    """Wraps sockets without a handshake: that is the worker's work, not the accepting thread's."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        """The listening socket stays as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> tuple[socket.socket, dict]:
        """The client's socket under TLS, and nothing to add to the WSGI environment."""
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {}

    def get_environ(self) -> dict:
        """The listener says nothing of its own certificate."""
        return {}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = 0) -> Any:
        """The two ends of a connection."""
        return streams(sock, mode)


class _Workers(ThreadPool):
    """cheroot's threads, who take connections by turns."""

    def __init__(self, server: WsgiServer, threads: int) -> None:
        super().__init__(server, min=threads)
        self._queue = self.turns = Turns()
        self.get = self.turns.get


def most_connections() -> int:
    """How many connections are kept."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, files * 3 // 4)


class _Listener(WsgiServer):
    """cheroot's server, where a connection takes a worker only when a whole request is there."""

    ConnectionClass = Connection
    patience = PATIENCE
    large_bodies: threading.BoundedSemaphore
    parties: Parties
    _connections: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.parties = Parties()

    def process_conn(self, conn: Connection) -> None:
        """Give a connection with a whole request to a worker; let the others wait without a thread."""
        if conn.rfile.has_data():
            conn.join(self.parties)
            super().process_conn(conn)
            return
        if not conn.served and conn.since is None:
            self._make_room()
        if conn.since is None:
            conn.since = time.time()
        self._connections.put(conn)
        conn.last_used = conn.since - self.timeout + (self.patience if conn.rfile.started else FIRST)

    def _make_room(self) -> None:
        """Close the longest silent connection when there are too many."""
        if self._connections._num_connections < self.keep_alive_conn_limit:
            return
        idle = [(conn.last_used, number, conn) for number, conn in self._connections._selector.connections
                if conn is not self]
        _, number, oldest = min(idle, key=lambda one: one[:2])
        self._connections._selector.unregister(number)
        oldest.close()

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """cheroot's complaints go where all others go."""
        log.log(level, "%s", msg, exc_info=traceback)


class Server:
    """Serves one WSGI application on one address, over TLS if given a context.

    Port 0 takes any free port; `port` says which. ValueError for a plain listener off loopback unless
    `allow_plain`: tokens would cross the network in the clear.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], *, address: str = "127.0.0.1", port: int = 9696,
                 tls: ssl.SSLContext | None = None, allow_plain: bool = False, threads: int = 32,
                 patience: float = PATIENCE) -> None:
        if tls is None and not allow_plain and not is_loopback(address):
            raise ValueError(f"listen: {address} is not loopback and has no TLS; give a certificate and key, "
                             "or allow plain HTTP explicitly")
        self._server = _Listener((address, port), application, numthreads=threads, server_name="hadron",
                                 request_queue_size=512, timeout=IDLE, shutdown_timeout=2)
        self._server.max_request_body_size = LARGEST_BODY
        self._server.max_request_header_size = LARGEST_HEAD
        self._server.requests = _Workers(self._server, threads)
        self._server.keep_alive_conn_limit = most_connections()
        self._server.patience = patience
        self._server.large_bodies = threading.BoundedSemaphore(max(1, threads // 2))
        self._server.software = "hadron"
        if tls is not None:
            self._server.ssl_adapter = _Tls(tls)
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """The address it listens on."""
        return self._server.bind_addr[0]

    @property
    def port(self) -> int:
        """The port it listens on; right once started."""
        return self._server.bind_addr[1]

    def start(self) -> None:
        """Bind and serve on threads of its own. OSError when the address cannot be taken.

        Threads started by a daemon thread are daemons: a request that still waits for a switch delays no exit.
        """
        bound: Future[None] = Future()

        def run() -> None:
            try:
                self._server.prepare()
            except Exception as wrong:
                bound.set_exception(wrong)
                return
            bound.set_result(None)
            self._server.serve()

        self._thread = threading.Thread(target=run, name="rest", daemon=True)
        self._thread.start()
        bound.result()

    def close(self) -> None:
        """Stop listening, let running requests end for two seconds, close what is left."""
        stopping = threading.Thread(target=self._server.stop, name="rest-stop", daemon=True)
        stopping.start()
        stopping.join(4)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a listener on this address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
