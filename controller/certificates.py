"""Whose certificate: which one a host, and its switch, must show. A certificate alone says that somebody is one of ours.

    first (the usual)   who comes first under a name has it: that is a fact of kind `certificate`, and nobody with another
                        certificate is believed until `hadron forget` lets go of it
    named               the certificate must name the host: its common name is the system-id

A switch belongs to the certificate of its host. One of whose host no certificate is known, because there is none or
OVSDB is without TLS, belongs to the one that it has shown first itself (`named`: to the one with its datapath id).
Who shows none is not asked: its listener does not ask either.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

KIND = "certificate"


class Certificates:
    """`rows` are the model's; `learn` is Writer.learn. Any thread may ask `of_host` and `of_switch`; the rest is the desk's."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], learn: Callable[..., Any] = lambda *_: None, *,
                 named: bool = False, now: Callable[[], str | None] = lambda: None) -> None:
        self._rows, self._learn, self._named, self._now = rows, learn, named, now
        self._first: dict[str, str] = {}        # what was shown first; ahead of the rows by what is on its way to the desk

    def load(self) -> None:
        """Who was first before a restart still is."""
        self._first.update((row.id, row.name) for row in self._rows[KIND].values())

    def of_host(self, host: str, shown: str) -> str | None:
        """The certificate of this host, if it is another than the one shown. Who is the first to ask has it from now on."""
        if not shown:
            return None
        own = host if self._named else self._first.setdefault(f"host:{host}", shown)
        return own if own != shown else None

    def of_switch(self, switch: str, shown: str) -> str | None:
        """The certificate of this switch, if it is known and another than the one shown."""
        own = self._of_switch(switch) if shown else None
        return own if own != shown else None

    def _of_switch(self, switch: str) -> str | None:
        row = self._rows["switch"].get(switch)
        host = row.host_id if row is not None else None
        if self._named:
            return host or (switch if row is not None else None)
        return self._first.get(f"host:{host}") or self._first.get(f"switch:{switch}")

    def keep_host(self, host: str, shown: str) -> bool:
        """What a host has shown is remembered; whether that is news."""
        return bool(shown) and self._keep(f"host:{host}", shown)

    def keep_switch(self, switch: str, shown: str) -> None:
        """A switch is ours: what it has shown is remembered, unless its host's certificate is known."""
        if shown and self._of_switch(switch) is None:
            self._keep(f"switch:{switch}", shown)

    def _keep(self, id: str, shown: str) -> bool:
        if self._named or id in self._rows[KIND]:
            return False
        self._learn([(KIND, {"id": id, "name": self._first.setdefault(id, shown), "first_seen": self._now()})], [])
        return True

    def forget(self, host: str | None, switches: Iterable[str]) -> int:
        """Whoever comes next may have these names, with any certificate; says how many were somebody's."""
        ids = [f"switch:{switch}" for switch in switches] + ([f"host:{host}"] if host else [])
        for id in ids:
            self._first.pop(id, None)
        gone = [(KIND, id) for id in ids if id in self._rows[KIND]]
        self._learn([], gone)
        return len(gone)
