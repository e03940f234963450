"""DHCP messages (RFC 2131), as a server reads and writes them."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet import dhcp_options as options

SERVER_PORT, CLIENT_PORT = 67, 68
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
BROADCAST_FLAG = 0x8000
SMALLEST_LIMIT = 576                # every client takes an IP packet of this size (RFC 2131 §2)

_ASKS, _ANSWERS, _ETHERNET = 1, 2, 1
_COOKIE = b"\x63\x82\x53\x63"
_FIXED = Struct("!BBBB4sHH4s4s4s4s6s10s64s128s4s")
_AROUND = 28 + _FIXED.size          # IP and UDP headers, and all of the message that is not options
_LONGEST = 1500 - 28                # a client's message fits one Ethernet frame; a longer one is no client's
_SMALLEST = 300                     # old clients and relays want at least a BOOTP message's size (RFC 951)
_EXACT = {options.REQUESTED_ADDRESS: 4, options.OVERLOAD: 1, options.MESSAGE_TYPE: 1, options.SERVER_ID: 4,
          options.MAX_SIZE: 2}


class Message(NamedTuple):
    """What a client says. Addresses are 4 raw bytes, `hardware` its MAC address, `options` by code."""
    kind: int
    transaction: bytes
    flags: int
    client: bytes                   # ciaddr: the address it already uses, or 0.0.0.0
    relay: bytes                    # giaddr
    hardware: bytes                 # chaddr
    options: dict[int, bytes]

    @property
    def limit(self) -> int:
        """The largest IP packet that the client takes, in bytes (option 57)."""
        return max(SMALLEST_LIMIT, int.from_bytes(self.options.get(options.MAX_SIZE, b""), "big"))


class Reply(NamedTuple):
    """What a server answers, but for the options."""
    yours: bytes                    # yiaddr: the address given
    client: bytes                   # ciaddr, as the client said it
    next_server: bytes              # siaddr: where to boot from
    server_name: bytes              # sname, at most 63 bytes
    boot_file: bytes                # file, at most 127 bytes


def read(raw: bytes) -> Message | None:
    """A client's message over Ethernet, or None: too short, too long, not asked by a client, lengths that disagree."""
    if not _FIXED.size <= len(raw) <= _LONGEST:
        return None
    (op, hardware_type, hardware_size, _, transaction, _, flags, client, _, _, relay, hardware, _,
     name, file, cookie) = _FIXED.unpack_from(raw)
    if op != _ASKS or hardware_type != _ETHERNET or hardware_size != 6 or cookie != _COOKIE:
        return None
    found: dict[int, bytes] = {}
    if not options.read(raw[_FIXED.size:], found):
        return None
    overload = found.get(options.OVERLOAD)
    if overload is not None and not _read_overload(overload, file, name, found):
        return None
    for code, size in _EXACT.items():
        if code in found and len(found[code]) != size:
            return None
    kind = found.get(options.MESSAGE_TYPE)
    return Message(kind[0], transaction, flags, client, relay, hardware, found) if kind else None


def _read_overload(overload: bytes, file: bytes, name: bytes, found: dict[int, bytes]) -> bool:
    """Options that went on in the fields of the boot file (1), the server's name (2) or both (3): RFC 2132 §9.3."""
    if overload not in (b"\1", b"\2", b"\3"):
        return False
    fields = [field for bit, field in ((1, file), (2, name)) if overload[0] & bit]
    return all(options.read(field, found) for field in fields)


def write(message: Message, reply: Reply, told: list[options.Option], limit: int) -> bytes:
    """The answer to `message`: options in order of importance, as many as an IP packet of `limit` bytes holds."""
    fixed = _FIXED.pack(_ANSWERS, _ETHERNET, 6, 0, message.transaction, 0, message.flags, reply.client, reply.yours,
                        reply.next_server, message.relay, message.hardware, b"", reply.server_name, reply.boot_file,
                        _COOKIE)
    return (fixed + options.write(told, limit - _AROUND)).ljust(_SMALLEST, b"\0")
