"""DHCP options on the wire: code, length, value (RFC 2132), long ones in pieces (RFC 3396)."""
from __future__ import annotations

from collections.abc import Iterable

PAD, END = 0, 255
NETMASK, ROUTER, DNS, HOSTNAME, DOMAIN, MTU, BROADCAST_ADDRESS = 1, 3, 6, 12, 15, 26, 28
REQUESTED_ADDRESS, LEASE_TIME, OVERLOAD, MESSAGE_TYPE, SERVER_ID, WANTED, MESSAGE = 50, 51, 52, 53, 54, 55, 56
MAX_SIZE, RENEW_TIME, REBIND_TIME, CLIENT_ID, TFTP_SERVER, BOOT_FILE = 57, 58, 59, 61, 66, 67
STATIC_ROUTES, DOMAIN_SEARCH, ROUTES, ETHERBOOT, ROUTES_OF_MICROSOFT = 33, 119, 121, 175, 249
NEXT_SERVER = 255                   # dnsmasq's and Ironic's number for what is a field and no option: siaddr

Option = tuple[int, bytes]


def read(raw: bytes, into: dict[int, bytes]) -> bool:
    """Add the options in one field to `into`; False if one claims more bytes than there are.

    A value in several pieces is joined. A field may lack its END: what is whole up to its last byte counts.
    """
    at, size = 0, len(raw)
    while at < size:
        code = raw[at]
        if code == PAD:
            at += 1
            continue
        if code == END:
            return True
        if at + 2 > size:
            return False
        start = at + 2
        at = start + raw[at + 1]
        if at > size:
            return False
        into[code] = into[code] + raw[start:at] if code in into else raw[start:at]
    return True


def write(options: Iterable[Option], room: int) -> bytes:
    """The options in the order given, and END, in at most `room` bytes; what does not fit is left out whole."""
    parts, left = [], room - 1
    for code, value in options:
        size = len(value)
        needed = size + 2 * (-(-size // 255) or 1)
        if needed > left:
            continue
        left -= needed
        if size <= 255:
            parts.append(bytes((code, size)))
            parts.append(value)
        else:
            parts.extend(bytes((code, len(piece))) + piece for piece in _pieces(value))
    parts.append(b"\xff")
    return b"".join(parts)


def _pieces(value: bytes) -> Iterable[bytes]:
    return (value[at:at + 255] for at in range(0, len(value), 255))


def route(destination: bytes, width: int, router: bytes) -> bytes:
    """One classless static route (RFC 3442): the width, only the bytes of the destination that count, the router."""
    return bytes((width,)) + destination[:(width + 7) // 8] + router


def read_routes(raw: bytes) -> list[tuple[str, str]]:
    """Classless static routes as text: (destination, router) each. ValueError if they are cut short."""
    found, at = [], 0
    while at < len(raw):
        width, size = raw[at], (raw[at] + 7) // 8
        if width > 32 or at + size + 5 > len(raw):
            raise ValueError("these are no classless static routes")
        destination = raw[at + 1:at + 1 + size] + bytes(4 - size)
        router, at = raw[at + 1 + size:at + 5 + size], at + 5 + size
        found.append((f"{'.'.join(map(str, destination))}/{width}", ".".join(map(str, router))))
    return found


def domain(name: str) -> bytes:
    """A domain name as DNS writes it (RFC 1035), not compressed. ValueError if a label or the name is too long."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is not a domain name: a label must have 1 to 63 characters")
    raw = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(raw) > 255:
        raise ValueError(f"{name!r} is not a domain name: longer than 253 characters")
    return raw


def read_domains(raw: bytes) -> list[str]:
    """The domain names in `raw`, one after the other, none compressed; as many as are whole."""
    found, labels, at = [], [], 0
    while at < len(raw) and raw[at] < 64:
        size = raw[at]
        if size:
            labels.append(raw[at + 1:at + 1 + size].decode("ascii", "replace"))
        else:
            found.append(".".join(labels))
            labels = []
        at += 1 + size
    return found
