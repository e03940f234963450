"""A crowd of hostile peers in a process of its own: `python -m tests.faults.crowd ADDRESS OPENFLOW OVSDB VICTIM`.

A hundred connections, each coming again as soon as it is closed: malformed OpenFlow, strangers that greet and fall
silent, peers that send byte by byte or never read, one that claims to be the switch VICTIM, OVSDB garbage, and a made-up
host whose interfaces come and go as fast as it can tell. Prints a line when all have connected, and the number of
connections they have made when it is told to end.
"""
from __future__ import annotations

import itertools
import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from controller.switch.ovsdb_rows import NEEDED
from tests.kit.raw_peer import HELLO, RawPeer, message
from tests.switch.test_ovsdb_hostile import GARBAGE
from tests.switch.test_rogue_switches import AFTER_GREETING, BEFORE_GREETING

Act = Callable[[RawPeer], None]
PAUSE = 0.1             # seconds before a peer comes again
STRANGER = "hostile.example"
SCHEMA = {"tables": {table: {"columns": {column: {} for column in columns}} for table, columns in NEEDED.items()}}

source = random.Random(3)
connections = itertools.count()
begun = threading.Semaphore(0)


def before_greeting(peer: RawPeer) -> None:
    peer.send(source.choice(list(BEFORE_GREETING.values())))
    peer.seconds_until_closed()


def after_greeting(peer: RawPeer) -> None:
    peer.greet(os.urandom(8).hex())
    peer.send(source.choice(list(AFTER_GREETING.values())))
    peer.seconds_until_closed()


def silent_stranger(peer: RawPeer) -> None:
    peer.greet(os.urandom(8).hex())
    peer.seconds_until_closed(within=60)


def nothing_at_all(peer: RawPeer) -> None:
    peer.seconds_until_closed(within=60)


def byte_by_byte(peer: RawPeer) -> None:
    for byte in HELLO * 100:
        peer.send(bytes((byte,)))
        time.sleep(0.05)


def never_reads(peer: RawPeer) -> None:
    """Asks for echoes and takes no answer."""
    peer.greet(os.urandom(8).hex())
    while True:
        peer.send(message(2, bytes(60_000)))


def pretender(peer: RawPeer) -> None:
    """Says it is a switch that is there, whose own connection answers."""
    peer.greet(VICTIM)
    peer.seconds_until_closed(within=60)


def garbage(peer: RawPeer) -> None:
    peer.send(source.choice(GARBAGE))
    peer.seconds_until_closed(within=60)


def say(peer: RawPeer, **words: object) -> None:
    peer.send(json.dumps(words).encode())


def fickle_host(peer: RawPeer) -> None:
    """A host that is taken in, and whose interfaces come and go without pause."""
    say(peer, id="1", error=None, result=SCHEMA)
    root = {"external_ids": ["map", [["system-id", STRANGER]]], "datapath_types": ["set", ["system"]]}
    bridge = {"name": "br-int", "datapath_id": "00000000000bad00", "fail_mode": "secure",
              "other_config": ["map", [["datapath-id", "00000000000bad00"]]], "ports": ["set", [["uuid", "p"]]]}
    interface = {"name": "tap0", "ofport": 1,
                 "external_ids": ["map", [["iface-id", "00000000-0000-4000-8000-00000000bad0"]]]}
    say(peer, id="2", error=None, result={
        "Open_vSwitch": {"root": {"initial": {**root, "bridges": ["uuid", "b"]}}}, "Bridge": {"b": {"initial": bridge}},
        "Port": {"p": {"initial": {"name": "tap0", "interfaces": ["uuid", "i"]}}}, "Interface": {"i": {"initial": interface}}})
    threading.Thread(target=drain, args=(peer.socket,), daemon=True).start()
    for number in itertools.count(2):
        say(peer, id=None, method="update2",
            params=["hadron", {"Interface": {"i": {"modify": {"ofport": number % 1000 + 1}}}}])


def drain(sock: socket.socket) -> None:
    with suppress(OSError):
        while sock.recv(65536):
            pass


def again_and_again(address: tuple[str, int], act: Act) -> None:
    """One peer's life."""
    first = True
    while True:
        with suppress(OSError, AssertionError), RawPeer(address) as peer:
            next(connections)
            if first:
                begun.release()
                first = False
            act(peer)
        time.sleep(PAUSE)


CROWD: dict[Act, int] = {before_greeting: 15, after_greeting: 15, silent_stranger: 15, nothing_at_all: 8, byte_by_byte: 8,
                         never_reads: 4, pretender: 4}
HOSTS: dict[Act, int] = {garbage: 20, nothing_at_all: 10, fickle_host: 1}


def main() -> None:
    for port, crowd in ((int(sys.argv[2]), CROWD), (int(sys.argv[3]), HOSTS)):
        for act, count in crowd.items():
            for _ in range(count):
                threading.Thread(target=again_and_again, args=((sys.argv[1], port), act), daemon=True).start()
    for _ in range(sum(CROWD.values()) + sum(HOSTS.values())):
        begun.acquire()
    print("begun", flush=True)
    sys.stdin.read()
    print(next(connections), flush=True)
    os._exit(0)


if __name__ == "__main__":
    VICTIM = sys.argv[4]
    main()
