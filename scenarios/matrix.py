"""The reachability matrix: who receives whose packets, measured at the receivers with real frames.

Each machine pings every address that any machine has, and a broadcast, with a pattern of bytes that is its own; all
machines record what reaches them. A machine "receives" another if the other's pattern is found in its frames: so it
does not matter that two tenants use the same addresses, and an answer from the wrong one cannot pass for the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from scenarios.vm import VM

Matrix = Mapping[tuple[str, str], bool]


def pattern_of(number: int) -> bytes:
    """Bytes that only machine `number` sends."""
    return bytes((0xA0, number & 0xFF, 0xC3, number ^ 0x5A & 0xFF)) * 2


def measure(machines: Sequence[VM], addresses: Iterable[str], *, broadcasts: Iterable[str] = ()) -> dict[tuple[str, str], bool]:
    """{(sender, receiver): did a frame of the sender reach the receiver}; for all pairs."""
    addresses, broadcasts = list(addresses), list(broadcasts)
    with ExitStack() as recording:
        seen = {vm.name: recording.enter_context(vm.capture("ip or ip6", direction="in")) for vm in machines}

        def send(number: int) -> None:
            pings = [_ping(address, number) for address in addresses]
            pings += [_ping(address, number, "-b") for address in broadcasts]
            machines[number].run(["sh", "-c", "".join(f"{ping} >/dev/null 2>&1 & " for ping in pings) + "wait"])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, range(len(machines))))
        for capture in seen.values():
            capture.stop()
        frames = {name: b"\0".join(capture.frames()) for name, capture in seen.items()}
    return {(sender.name, receiver.name): pattern_of(number) in frames[receiver.name]
            for number, sender in enumerate(machines) for receiver in machines if sender is not receiver}


def _ping(address: str, number: int, *flags: str) -> str:
    """The command that sends two echo requests, and waits no longer than it takes here."""
    return " ".join(["ping -n -q -c 2 -i 0.05 -W 0.3 -s 56 -p", pattern_of(number).hex(), *flags, address])


def draw(machines: Sequence[VM], measured: Matrix, expected: Matrix) -> str:
    """The matrix in text: rows send, columns receive. `+` reached as expected, `.` silent as expected, `!` not so."""
    names = [vm.name for vm in machines]
    width = max(map(len, names))
    lines = [" " * width + "  " + " ".join(name.rjust(5) for name in names)]
    for sender in names:
        cells = []
        for receiver in names:
            if sender == receiver:
                cells.append("-")
                continue
            got, wanted = measured[sender, receiver], expected[sender, receiver]
            cells.append(("+" if got else ".") if got == wanted else "!")
        lines.append(sender.rjust(width) + "  " + " ".join(cell.rjust(5) for cell in cells))
    return "\n".join(lines)
