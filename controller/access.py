"""Who is let in: what the configuration's `auth` means, and the identity listener where Hadron has users of its own."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.config import Config
from rest.auth import Authenticator, authenticator
from rest.directory import Directory
from rest.identity import Identity
from rest.identity_shapes import Places
from rest.server import Server
from rest.signed import Signed, read_key

REVOKED = "revoked_tokens"
_SHORTEST, _LONGEST = 60, 7 * 86400


class Access:
    """The authenticator of requests, and the identity endpoint where there is one.

    `keep(name, value)` is told of what `restore` must be given after a restart.
    """

    def __init__(self, config: Config, *, keep: Callable[[str, Any], Any], rest_port: Callable[[], int]) -> None:
        auth, self._config, self._rest_port = config.auth, config, rest_port
        self.directory: Directory | None = None
        self.signed: Signed | None = None
        if auth.get("mode") == "identity":
            self.directory = Directory(auth.get("users"), auth.get("projects"))
            beside = "" if config.store == "memory" else f"{config.store}.key"
            self.signed = Signed(read_key(auth.get("key"), auth.get("key_file"), beside), self.directory,
                                 seconds=_seconds(auth), keep=lambda revoked: keep(REVOKED, revoked))
        self.authenticate: Authenticator = authenticator(
            {name: value for name, value in auth.items() if name != "allow_remote"}, address=config.rest.address,
            allow_remote=bool(auth.get("allow_remote")), signed=self.signed, directory=self.directory)

    def restore(self, notes: Mapping[str, Any]) -> None:
        """Before anybody is served: the tokens that were revoked before the last stop stay so."""
        if self.signed is not None:
            self.signed.restore(notes.get(REVOKED, {}))

    def server(self, tls: Any) -> Server | None:
        """The listener of the identity endpoint, not yet started; None where there is none."""
        if self.directory is None or self.signed is None:
            return None
        listener, rest = self._config.identity, self._config.rest
        places = Places(network=str(self._config.auth.get("endpoint", "")), network_port=self._rest_port,
                        network_tls=rest.tls is not None)
        return Server(Identity(self.directory, self.signed, places), address=listener.address, port=listener.port,
                      tls=tls, allow_plain=listener.allow_plain, threads=8)


def _seconds(auth: Mapping[str, Any]) -> int:
    given = auth.get("token_seconds", 3600)
    if not isinstance(given, int) or isinstance(given, bool) or not _SHORTEST <= given <= _LONGEST:
        raise ValueError(f"auth.token_seconds: must be a number of seconds from {_SHORTEST} to {_LONGEST}")
    return given
