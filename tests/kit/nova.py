"""A compute manager's metadata service, for tests: it checks who asks as Nova does, and may be silent."""

from __future__ import annotations

import hashlib
import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER_DATA = b"#!/bin/sh\n" + b"# user data, line after line\n" * 2340       # 64 KB and a little


class FakeNova:
    """Serves on a port of loopback until it is closed. `seen` has the headers of each request that was in order."""

    def __init__(self, secret: str) -> None:
        self.secret, self.silent = secret, threading.Event()
        self.seen: list[dict[str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._let_go = threading.Event()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """As Nova's MetadataRequestHandler: 400 without whose it is, 403 with a wrong signature, 404 for nobody's."""
        if self.silent.is_set():
            self._let_go.wait(30)
            return
        headers = {name.lower(): value for name, value in request.headers.items()}
        instance, tenant = headers.get("x-instance-id"), headers.get("x-tenant-id")
        expected = hmac.new(self.secret.encode(), (instance or "").encode(), hashlib.sha256).hexdigest()
        status, body = 200, b""
        if not instance or not tenant or "x-forwarded-for" not in headers:
            status = 400
        elif not hmac.compare_digest(expected, headers.get("x-instance-id-signature", "")):
            status = 403
        else:
            self.seen.append({**headers, "path": request.path, "method": request.command})
            length = int(headers.get("content-length", 0))
            posted = request.rfile.read(length)
            body = USER_DATA if request.path.endswith("user_data") else posted or f"of {instance}".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()
