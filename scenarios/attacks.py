"""Attacks on the fabric, each while two machines of another tenant talk: nothing moves, they lose nothing, an alarm names the port.

    python -m scenarios attacks

A ring of three switches. `blue` has a machine on the first two; `red` has one that attacks, and so do three that nobody
has claimed and that are in the default network.
"""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from scenarios import room

ABOUT = "forged, replayed and relayed discovery, hijacks, floods, flapping and doubled switches: nothing moves, an alarm tells"
LLDP = b"\x88\xcc"

ATTACKS: list[tuple[str, str, Callable[[Any], tuple[str, str | None]]]] = []


def attack(text: str, alarm: str | None) -> Callable[[Callable], Callable]:
    """Declare an attack: what it is, and the alarm it must raise; it gives who attacks (whose port the alarm must name)."""
    def declare(do: Callable) -> Callable:
        ATTACKS.append((text, alarm or "", do))
        return do
    return declare


def genuine(wired: Any, name: str) -> bytes:
    """The next frame of discovery's that a machine hears."""
    nic = wired.nic(name)
    try:
        return next(one for one in wired.until(lambda: [one for one in nic.frames() if one[12:14] == LLDP], "LLDP is heard", 20))
    finally:
        nic.close()


def send(wired: Any, name: str, *frames: bytes) -> None:
    nic = wired.nic(name)
    nic.send(*frames)
    nic.close()


def arp(wired: Any, name: str, mac: str, ip: str) -> bytes:
    """A machine tells everybody that it has this MAC and IP address."""
    own, address = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(ip)
    return b"\xff" * 6 + own + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + own + address + b"\xff" * 6 + address


@attack("a machine forges discovery's frames", "discovery")
def forge(wired: Any) -> str:
    frame = genuine(wired, "h2")
    here, there = (wired.place(name)[0].encode() for name in ("h2", "h6"))
    send(wired, "h2", frame.replace(here, there), frame[:-10] + bytes(8) + frame[-2:])
    return "h2"


@attack("it sends one back that it has heard", "discovery")
def replay(wired: Any) -> str:
    frame = genuine(wired, "h2")
    send(wired, "h2", frame)
    time.sleep(1.2)
    send(wired, "h2", frame)
    return "h2"


@attack("it passes one on at once to another machine, which sends it", "discovery")
def relay(wired: Any) -> str:
    send(wired, "h4", genuine(wired, "h2"))
    return "h4"


@attack("a tenant's machine sends one that was passed on to it", "discovery")
def relay_to_tenant(wired: Any) -> str:
    send(wired, "h5", genuine(wired, "h6"))
    return "h5"


@attack("a machine claims the IP address of another", "hijack")
def steal_ip(wired: Any) -> str:
    send(wired, "h2", arp(wired, "h2", wired.net["h2"].MAC(), wired.net["h4"].IP()))
    return "h2"


@attack("a machine uses the MAC address of another", "hijack")
def steal_mac(wired: Any) -> str:
    send(wired, "h6", arp(wired, "h6", wired.net["h2"].MAC(), "10.9.9.9"))
    return "h6"


@attack("a tenant's machine claims to be another tenant's", "spoof")
def claim_to_be_a_victim(wired: Any) -> str:
    victim = wired.net["h1"]
    send(wired, "h5", *(arp(wired, "h5", mac, victim.IP()) for mac in (victim.MAC(), wired.net["h5"].MAC()) for _ in range(50)))
    return "h5"


@attack("a machine floods the controller with two thousand new addresses a second", "flood")
def flood(wired: Any) -> str:
    nic = wired.nic("h2")
    begun, number = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < 3:
        while number < 2000 * passed:
            number += 1
            nic.send(b"\xff" * 6 + b"\x02\x66" + struct.pack("!I", number) + b"\x88\xb5" + bytes(46))
        time.sleep(0.005)
    nic.close()
    return "h2"


@attack("a switch loses its controller twenty times", None)
def flap(wired: Any) -> str:
    for port in 20 * (1, 6653):                 # nobody listens at the first
        subprocess.run(["ovs-vsctl", "set-controller", "s2", f"tcp:127.0.0.1:{port}"], check=True)
        time.sleep(0.2)
    wired.until(wired.active, "all ports are active again")
    return "s2"


@attack("a second switch says that it is the first", "twice")
def pose(wired: Any) -> str:
    with socket.create_connection(("127.0.0.1", 6653)) as peer:
        peer.settimeout(3)
        peer.sendall(struct.pack("!BBHIHHI", 5, 0, 16, 1, 1, 8, 1 << 5))
        peer.sendall(struct.pack("!BBHIQIBB2xII", 5, 6, 32, 2, int(wired.place("h1")[0], 16), 0, 254, 0, 0, 0))
        with contextlib.suppress(OSError):
            while peer.recv(65536):
                pass
    return "s1"


@attack("a wire loses all of discovery's frames for eight seconds", None)
def lose(wired: Any) -> str:
    flow = "table=0,priority=65000,dl_type=0x88cc"
    subprocess.run(["ovs-ofctl", "-OOpenFlow14", "add-flow", "s3", f"{flow},actions=drop"], check=True)
    time.sleep(8)
    subprocess.run(["ovs-ofctl", "-OOpenFlow14", "--strict", "del-flows", "s3", flow], check=True)
    return "s3"


# ---- what is measured

class Talk:
    """One machine pings another all the time; how many of the answers are lost."""

    def __init__(self, wired: Any) -> None:
        self._ping = wired.net["h1"].popen(["ping", "-n", "-q", "-i", "0.02", wired.net["h3"].IP()])
        time.sleep(0.5)

    def lost(self) -> int:
        self._ping.send_signal(signal.SIGINT)
        text = self._ping.communicate(timeout=10)[0].decode()
        sent, received = (int(number) for number in re.findall(r"(\d+) packets transmitted, (\d+)", text)[0])
        return max(0, sent - received - 1)                     # the last one may still be on its way


def judged(wired: Any, text: str, alarm: str, do: Callable) -> tuple[bool, str]:
    """Whether an attack has come to nothing, and what there is to say of it."""
    before, known = (wired.links(), wired.places()), {str(one) for one in wired.alarms(alarm)} if alarm else set()
    talk = Talk(wired)
    who = do(wired)
    found: list[dict[str, Any]] = []
    if alarm:
        with contextlib.suppress(TimeoutError):
            found = wired.until(lambda: [one for one in wired.alarms(alarm) if str(one) not in known], "an alarm", 10)
    lost, wrong = talk.lost(), []
    if lost:
        wrong.append(f"another tenant lost {lost} packets")
    after = wired.links(), wired.places()
    if after[0] != before[0] or not before[1].items() <= after[1].items():      # more may have been seen
        wrong.append("links or places have changed")
    if alarm and not any(names(wired, one, who) for one in found):
        wrong.append(f"no alarm names {who}")
    said = next((str(one.get("because") or one.get("object") or one.get("refused")) for one in found if names(wired, one, who)), "")
    return not wrong, "; ".join(wrong) or said


def names(wired: Any, alarm: dict[str, Any], who: str) -> bool:
    """Whether the alarm is about that machine's port, or that switch."""
    if who.startswith("s"):
        return bool(alarm["switch"] == str(wired.net[who].dpid).zfill(16))
    return (alarm["switch"], alarm.get("port")) == wired.place(who)


def experiment() -> int:
    from scenarios.topologies import Ring
    from scenarios.wired import Wired
    with Wired(Ring(switches=3, hosts=2), tenants={"h1": "blue", "h3": "blue", "h5": "red"}) as wired:
        wired.until(lambda: not wired.lost_pairs(), "everybody hears everybody of their network")
        failed = 0
        for text, alarm, do in ATTACKS:
            good, said = judged(wired, text, alarm, do)
            failed += not good
            print(f"{'withstood' if good else 'FAILED':9}  {text}{': ' + said if said else ''}", flush=True)
    print(f"VERDICT: {len(ATTACKS) - failed} of {len(ATTACKS)} attacks come to nothing")
    return 1 if failed else 0


def main(words: Sequence[str]) -> int:
    return room.experiment("attacks", words, experiment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
