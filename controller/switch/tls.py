"""TLS for the controller's own listeners: a server's context, client certificates asked for when a CA is given."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any


def server_context(
    certificate: str | Path, key: str | Path, *, client_ca: str | Path | None = None
) -> ssl.SSLContext:
    """What a listener needs to speak TLS 1.2 or later with switches.

    With `client_ca` a peer must show a certificate signed by it, or its handshake fails.
    Raises OSError or ssl.SSLError when a file is missing or is not PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(certificate), str(key))
    if client_ca is not None:
        context.load_verify_locations(str(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def peer_name(sock: ssl.SSLSocket) -> str:
    """Whose certificate the peer has shown: its common name, without what ovs-pki adds ("host1 id:<UUID>"); else its first
    DNS name, else its fingerprint. Empty if the peer was not asked for one.
    """
    shown: Mapping[str, Any] = sock.getpeercert() or {}
    subject = [value for part in shown.get("subject", ()) for name, value in part if name == "commonName"]
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"]
    name = next((name for name in [*(text.partition(" id:")[0] for text in subject), *names] if name), "")
    return name or (f"sha256:{sha256(sock.getpeercert(True) or b'').hexdigest()}" if shown else "")
