"""Watches: what a watched port sends and receives is counted once more, by its address and by the block its peer is in.

    from a port    admit ─► count_out ─► police or whoever judges first
    to a port      deliver, hand_over ─► count_in, which hands it over

Each frame passes one flow of each table, so what is told apart adds up to the whole; what has no address of the port (ARP,
router solicitations, whatever an unguarded machine makes up) is counted as `*`. A port that nobody watches passes neither.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.guards import first_judge, pairs
from apps.limits import limits_of
from apps.pipeline import COUNT_IN, COUNT_OUT, POLICE, RECEIVER, SENDER
from apps.places import here, home
from apps.protocols import PACKET
from apps.seats import Seat, carried_by
from apps.watched import account, peers_of, where_watched
from controller.app import flows
from controller.openflow.actions import IN_PORT
from controller.openflow.match import match

APP = 52
ANY = "*"
_LONGEST = 129               # more than any block's length: a port's own addresses come first, then the peer's block


def watched_here(world: Any, port: Any) -> tuple:
    """Where the port is, if it is watched."""
    return () if world.ask(peers_of, port.id) is None else home(world, port)


@flows(per="port", on=where_watched)
def count_sent(world: Any, port: Any) -> Any:
    onward = POLICE if world.ask(limits_of, port.id).sending else first_judge(world, port)
    for level, fields, about in _kinds(world, port, PACKET.source, PACKET.destination):
        yield COUNT_OUT, level, match({SENDER: port.key, **fields}), (account(port, "sent", about), onward)


@flows(per="port", on=watched_here)
def count_received(world: Any, port: Any) -> Any:
    yield from counted_in(world, port, here(world, port))


def counted_in(world: Any, port: Any, seen: Seat) -> Any:
    """What a watched port is handed, told apart; nothing of one that is not watched."""
    if world.ask(peers_of, port.id) is None:
        return
    for level, fields, about in _kinds(world, port, PACKET.destination, PACKET.source):
        told, whole = account(port, "received", about), {RECEIVER: port.key, **fields}
        yield COUNT_IN, level, match(whole), (told, *seen.out)
        if seen.trunk:                                   # from a port of the same trunk: see trunks.py
            twin = ("twin", level[1]) if isinstance(level, tuple) else "twin_rest"
            yield COUNT_IN, twin, match({**whole, "in_port": seen.ofport}), (told, *carried_by(seen.tag, IN_PORT))


def _kinds(world: Any, port: Any, own: Any, other: Any) -> Iterator[tuple[Any, dict[str, Any], str]]:
    """(level, fields, what it is about) for each of a port's addresses and each block, and for everything else."""
    for ip in dict.fromkeys(ip for _, ip in pairs(port) if not ip.endswith("/0")):
        family = 0x86dd if ":" in ip else 0x800
        first = _LONGEST * (int(ip.partition("/")[2] or 128))
        yield ("peer", first), {"eth_type": family, own[family]: ip}, f"{ip} {ANY}"
        for block in world.ask(peers_of, port.id) or ():
            length = int(block.rpartition("/")[2])
            if (":" in block) == (":" in ip) and length:
                yield ("peer", first + length), {"eth_type": family, own[family]: ip, other[family]: block}, f"{ip} {block}"
    yield "rest", {}, f"{ANY} {ANY}"
