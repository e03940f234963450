"""TLS for the controller's own listeners: a server's context, client certificates asked for when a CA is given."""

from __future__ import annotations

import ssl
from pathlib import Path

Peer = tuple[tuple[tuple[str, str], ...], ...]


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
    """The common name in the certificate the peer has shown; empty if it has shown none."""
    subject: Peer = (sock.getpeercert() or {}).get("subject", ())  # type: ignore[assignment]
    return next((value for part in subject for name, value in part if name == "commonName"), "")
