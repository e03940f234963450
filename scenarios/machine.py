"""One emulated machine: a namespace with one interface, eth0."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.capture import Capture
from scenarios.lease import Lease, NoLease, take_lease
from scenarios.lease6 import Lease6, addresses6, begin_ipv6, take_lease6
from scenarios.namespace import Namespace, run

# Without this the sender leaves checksums to a network card that is not there.
PLAIN_NIC = "ethtool -K eth0 tx off tso off gso off >/dev/null 2>&1"


@dataclass(frozen=True)
class Ping:
    """What ping counted; true if every request was answered."""

    sent: int
    received: int
    times: tuple[float, ...] = ()
    """Milliseconds until each answer, in order."""

    def __bool__(self) -> bool:
        return self.sent == self.received > 0


class Machine:
    """A machine, wherever its wire leads."""

    def __init__(self, prefix: str, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory
        self.namespace = Namespace(f"{prefix}-{name}")

    def run(self, command: Sequence[str], *, check: bool = True, timeout: float = 30,
            text: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command inside to its end. Raises CommandFailed if it fails."""
        return self.namespace.run(command, check=check, timeout=timeout, text=text)

    def start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start a command inside and leave it running; it ends with the cloud at the latest."""
        return self.namespace.start(command)

    def ping(self, address: str, count: int = 1, *, interval: float = 0.2, wait: float = 1, size: int = 56) -> Ping:
        """Send so many echo requests, each with `size` octets, `interval` seconds apart; wait so long for the last answer."""
        done = self.run(["ping", "-n", "-c", str(count), "-i", str(interval), "-W", str(wait), "-s", str(size), address],
                        check=False, timeout=30 + count * (interval + wait))
        counted = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
        if not counted:  # such as: no route
            return Ping(0, 0)
        times = tuple(float(each) for each in re.findall(r"time=([\d.]+) ms", done.stdout))
        return Ping(int(counted[1]), int(counted[2]), times)

    def address(self, address: str, *, gateway: str | None = None) -> None:
        """Set an address with its prefix length by hand, IPv4 or IPv6 (without the wait for duplicates), and a gateway."""
        family, wait = ("-6", ["nodad"]) if ":" in address else ("-4", [])
        ip = ["ip", "-n", self.namespace.name, family]
        run([*ip, "addr", "replace", address, "dev", "eth0", *wait])
        if gateway:
            run([*ip, "route", "replace", "default", "via", gateway, "dev", "eth0"])

    def dhcp(self, *, client: str = "udhcpc", seconds: float = 10, request: str | None = None,
             options: Mapping[str, str] | None = None) -> Lease:
        """Take an IPv4 lease with a real client (udhcpc or dhclient), use it, and say what it was. Raises NoLease."""
        return take_lease(self.namespace, self.directory / f"{self.name}.lease", client=client, seconds=seconds,
                          request=request, options=options or {})

    def slaac(self, *, seconds: float = 10, dad: bool = False) -> tuple[str, ...]:
        """Have the kernel solicit routers, and wait for the addresses that it makes of what they say. Raises NoLease.

        `dad`: it makes sure that nobody has them, which takes it a second for each.
        """
        begin_ipv6(self.namespace, dad=dad)
        deadline = time.monotonic() + seconds
        while not (found := addresses6(self.namespace)):
            if time.monotonic() > deadline:
                raise NoLease(f"{self.name}: no IPv6 address in {seconds} s")
            time.sleep(0.01)
        return found

    def dhcp6(self, *, seconds: float = 10, stateless: bool = False, send: Sequence[str] = (), afresh: bool = True) -> Lease6:
        """Ask a DHCPv6 server with dhclient, use what it gives, and say what that was. As take_lease6; raises NoLease."""
        return take_lease6(self.namespace, self.directory / f"{self.name}.lease6", seconds=seconds, stateless=stateless,
                           send=send, afresh=afresh)

    def capture(self, expression: str = "", *, device: str = "eth0", direction: str = "inout") -> Capture:
        """Record the frames that fit a tcpdump expression: `with machine.capture("icmp", direction="in") as seen: ...`."""
        return Capture(self.namespace, device, expression, direction)


def begin(namespace: Namespace) -> None:
    """Bring a machine's interfaces up."""
    namespace.script(f"ip link set lo up; {PLAIN_NIC}; ip link set eth0 up")
