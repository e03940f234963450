"""DHCPv6 messages (RFC 8415), as a server reads and writes them."""
from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

CLIENT_PORT, SERVER_PORT = 546, 547
SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE = range(1, 10)
INFORMATION_REQUEST = 11

# Options
CLIENT_ID, SERVER_ID, IA_NA, IA_TA, IA_ADDRESS, WANTED, PREFERENCE, ELAPSED = range(1, 9)
STATUS, RAPID_COMMIT, IA_PD, IA_PREFIX = 13, 14, 25, 26
DNS, DOMAIN_SEARCH, REFRESH_TIME = 23, 24, 32
SUCCESS, UNSPECIFIED, NO_ADDRESSES, NO_BINDING, NOT_ON_LINK, USE_MULTICAST, NO_PREFIX = range(7)    # what STATUS says

MOST_ASSOCIATIONS = 8               # in one message; clients ask for one or two, and each costs bytes of the answer
_LONGEST = 1500 - 48                # a client's message fits one Ethernet frame; a longer one is no client's
_SHORTEST_DUID, _LONGEST_DUID = 3, 130
_ONCE = {CLIENT_ID, SERVER_ID, WANTED, ELAPSED, RAPID_COMMIT}
_EXACT = {ELAPSED: 2, RAPID_COMMIT: 0}
_HEAD = {IA_NA: 12, IA_TA: 4, IA_PD: 12}                # bytes of an association before its own options
_PART = {IA_ADDRESS: 24, IA_PREFIX: 25}                 # bytes of what is in one before its own options
_OPTION = Struct("!HH")

Option = tuple[int, bytes]


class Association(NamedTuple):
    """An identity association: what a client calls one set of its addresses (or, IA_PD, of its prefixes)."""
    kind: int                       # IA_NA, IA_TA or IA_PD
    id: bytes                       # four bytes of the client's choice
    addresses: tuple[bytes, ...]    # that it asks for or has; none for IA_PD


class Message(NamedTuple):
    """What a client says."""
    kind: int
    transaction: bytes
    client: bytes | None            # its DUID, and the server's that it means
    server: bytes | None
    wanted: tuple[int, ...] | None  # codes of options that it asks for; None if it does not say
    rapid: bool                     # a REPLY will do instead of an ADVERTISE
    associations: tuple[Association, ...]


def options(raw: bytes) -> list[Option] | None:
    """The options in some bytes, or None if one claims more than there is."""
    found: list[Option] = []
    at, size = 0, len(raw)
    while at < size:
        if at + 4 > size:
            return None
        code, length = _OPTION.unpack_from(raw, at)
        start = at + 4
        at = start + length
        if at > size:
            return None
        found.append((code, raw[start:at]))
    return found


def read(raw: bytes) -> Message | None:
    """A client's message, or None: too short, too long, lengths that disagree, an option twice that may be there once."""
    if not 4 <= len(raw) <= _LONGEST:
        return None
    listed = options(raw[4:])
    if listed is None:
        return None
    found: dict[int, bytes] = {}
    associations: list[Association] = []
    for code, value in listed:
        if code in _HEAD:
            association = _association(code, value)
            if association is None or len(associations) == MOST_ASSOCIATIONS:
                return None
            associations.append(association)
        elif code in _ONCE:
            if code in found or len(value) != _EXACT.get(code, len(value)):
                return None
            found[code] = value
    if not all(_SHORTEST_DUID <= len(found[id]) <= _LONGEST_DUID for id in (CLIENT_ID, SERVER_ID) if id in found):
        return None
    wanted = found.get(WANTED)
    if wanted is not None and len(wanted) % 2:
        return None
    codes = None if wanted is None else tuple(dict.fromkeys(
        wanted[at] << 8 | wanted[at + 1] for at in range(0, len(wanted), 2)))
    return Message(raw[0], raw[1:4], found.get(CLIENT_ID), found.get(SERVER_ID), codes, RAPID_COMMIT in found,
                   tuple(associations))


def _association(kind: int, value: bytes) -> Association | None:
    """None if it, or something in it, is shorter than it must be."""
    head = _HEAD[kind]
    parts = options(value[head:]) if len(value) >= head else None
    if parts is None:
        return None
    addresses = []
    for code, part in parts:
        size = _PART.get(code, 0)
        if len(part) < size or (size and options(part[size:]) is None):
            return None
        if code == IA_ADDRESS and kind != IA_PD:
            addresses.append(part[:16])
    return Association(kind, value[:4], tuple(dict.fromkeys(addresses)))


# ---- writing

def duid(mac: bytes) -> bytes:
    """A DHCP identifier made of a MAC (DUID-LL, RFC 8415 §11.4)."""
    return b"\0\3\0\1" + mac


def option(code: int, value: bytes) -> bytes:
    """One option; its value is at most 65535 bytes."""
    return _OPTION.pack(code, len(value)) + value


def status(code: int, said: bytes = b"") -> Option:
    """How it went, and in words."""
    return STATUS, code.to_bytes(2, "big") + said


def address(raw: bytes, lifetime: int) -> Option:
    """An address of an association, for so many seconds; 0 says that it should go."""
    return IA_ADDRESS, raw + lifetime.to_bytes(4, "big") * 2


def association(asked: Association, times: tuple[int, int], parts: Iterable[Option]) -> Option:
    """The answer to an association. `times`: seconds after which to ask this server, and any server, to renew."""
    head = asked.id if asked.kind == IA_TA else asked.id + b"".join(time.to_bytes(4, "big") for time in times)
    return asked.kind, head + b"".join(option(*part) for part in parts)


def write(kind: int, transaction: bytes, told: Iterable[Option], room: int) -> bytes:
    """A server's message: options in order of importance, as many as fit into `room` bytes, each whole or not at all."""
    parts, left = [bytes((kind,)), transaction], room - 4
    for code, value in told:
        if len(value) + 4 <= left:
            left -= len(value) + 4
            parts.append(option(code, value))
    return b"".join(parts)
