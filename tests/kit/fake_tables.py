"""What a fake switch holds, and what OpenFlow 1.4's flow, group and meter messages do to it."""
from __future__ import annotations

import struct

Key = tuple          # (table, priority, match) | ("group", id) | ("meter", id)

_PART = 60000        # bytes of one multipart reply
_ADD, _MODIFY, _DELETE, _DELETE_STRICT = 0, 1, 3, 4


class Refusal(Exception):
    """The switch refuses: type and code of its error."""


def pack(layout: str, *values: int) -> bytes:
    return struct.pack("!" + layout, *values)


def u16(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at:at + 2], "big")


def u32(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at:at + 4], "big")


def u64(data: bytes | bytearray, at: int) -> int:
    return int.from_bytes(data[at:at + 8], "big")


class Tables:
    """Flows, groups and meters of one switch, by key: (cookie, body). Groups and meters have cookie 0."""

    def __init__(self) -> None:
        self.flows: dict[Key, tuple[int, bytes]] = {}
        self.groups: dict[int, bytes] = {}
        self.meters: dict[int, bytes] = {}

    def copy(self) -> Tables:
        other = Tables()
        other.flows, other.groups, other.meters = dict(self.flows), dict(self.groups), dict(self.meters)
        return other

    def held(self) -> dict[Key, tuple[int, bytes]]:
        found: dict[Key, tuple[int, bytes]] = dict(self.flows)
        found.update({("group", number): (0, body) for number, body in self.groups.items()})
        found.update({("meter", number): (0, body) for number, body in self.meters.items()})
        return found

    # ---- what messages say

    @staticmethod
    def key(message: bytes) -> Key:
        """The key that a flow, group or meter message is about."""
        if message[1] == 15:
            return "group", u32(message, 12)
        if message[1] == 29:
            return "meter", u32(message, 12)
        return message[24], u16(message, 30), message[48:48 + _padded(u16(message, 50))]

    @staticmethod
    def comes(message: bytes) -> bool:
        """True if the message puts something rather than deletes it."""
        command = message[25] if message[1] == 14 else u16(message, 8)
        return command in (_ADD, _MODIFY)

    def apply(self, message: bytes) -> None:
        """Carry a message out, or raise Refusal and change nothing."""
        {14: self._flow, 15: self._group, 29: self._meter}[message[1]](message)

    def _flow(self, message: bytes) -> None:
        command, key = message[25], self.key(message)
        body = message[48 + len(key[2]):]
        if command == _ADD:
            groups, meters = references(body)
            if groups - self.groups.keys():
                raise Refusal(2, 9)
            if meters - self.meters.keys():
                raise Refusal(12, 2)
            self.flows[key] = u64(message, 8), body
        elif command == _DELETE_STRICT:
            self.flows.pop(key, None)
        elif command == _DELETE and key[2][:4] == b"\0\1\0\4":
            self.flows = {other: held for other, held in self.flows.items() if key[0] not in (0xFF, other[0])}
        else:
            raise Refusal(5, 6)

    def _group(self, message: bytes) -> None:
        command, number = u16(message, 8), u32(message, 12)
        body = message[10:12] + message[16:]
        if command == _ADD and number in self.groups:
            raise Refusal(6, 0)
        if command == _MODIFY and number not in self.groups:
            raise Refusal(6, 8)
        if command in (_ADD, _MODIFY):
            self.groups[number] = body
        elif self.groups.pop(number, None) is not None:
            self.flows = {key: held for key, held in self.flows.items() if number not in references(held[1])[0]}

    def _meter(self, message: bytes) -> None:
        command, number = u16(message, 8), u32(message, 12)
        if command == _ADD and number in self.meters:
            raise Refusal(12, 1)
        if command == _MODIFY and number not in self.meters:
            raise Refusal(12, 3)
        if command in (_ADD, _MODIFY):
            self.meters[number] = message[10:12] + message[16:]
        elif self.meters.pop(number, None) is not None:
            self.flows = {key: held for key, held in self.flows.items() if number not in references(held[1])[1]}

    # ---- what it tells

    def parts(self, kind: int) -> list[bytes]:
        """The bodies of the multipart replies to a question of this kind (at least one)."""
        entries: list[bytes] = []
        if kind == 1:
            for (table, priority, match), (cookie, body) in self.flows.items():
                size = 48 + len(match) + len(body)
                head = pack("HBBIIHHHHIQQQ", size, table, 0, 0, 0, priority, 0, 0, 0, 0, cookie, 0, 0)
                entries.append(head + match + body)
        elif kind == 3:
            entries = [pack("IIQQ", table << 24, sum(key[0] == table for key in self.flows), 0, 0) for table in range(254)]
        elif kind == 7:
            entries = [pack("H", 8 + len(body) - 2) + body[:2] + pack("I", number) + body[2:]
                       for number, body in self.groups.items()]
        elif kind == 10:
            entries = [pack("H", 8 + len(body) - 2) + body[:2] + pack("I", number) + body[2:]
                       for number, body in self.meters.items()]
        return parts_of(entries)


def parts_of(entries: list[bytes]) -> list[bytes]:
    """As many bodies as it takes for none to be too long."""
    found, now, size = [], list[bytes](), 0
    for entry in entries:
        if size + len(entry) > _PART:
            found.append(b"".join(now))
            now, size = [], 0
        now.append(entry)
        size += len(entry)
    return [*found, b"".join(now)]


def _padded(length: int) -> int:
    return length + -length % 8


def references(body: bytes) -> tuple[set[int], set[int]]:
    """The groups and meters that a flow's instructions use."""
    groups, meters, at = set(), set(), 0
    while at < len(body):
        kind, length = u16(body, at), u16(body, at + 2)
        if kind == 6:
            meters.add(u32(body, at + 4))
        elif kind == 4:
            place = at + 8
            while place < at + length:
                if u16(body, place) == 22:
                    groups.add(u32(body, place + 4))
                place += u16(body, place + 2)
        at += length
    return groups, meters
