"""A DHCPv6 client's side of the talk, and one port to talk to. Apart from controller/packet."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from scapy.layers.dhcp6 import DUID_LL, DHCP6OptClientId, DHCP6OptServerId
from scapy.layers.inet6 import UDP, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from apps import dhcp6
from tests.kit import frames
from tests.kit.frames import link_local, raw_ip
from tests.kit.tenant import Tenant

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION = range(1, 12)
CLIENT, SERVER, IA_NA, IA_TA, IA_ADDRESS, ORO, PREFERENCE, ELAPSED = range(1, 9)
STATUS, RAPID, DNS, SEARCH, IA_PD, IA_PREFIX, REFRESH = 13, 14, 23, 24, 25, 26, 32
MAC, OTHER_MAC = "fa:16:3e:00:00:05", "fa:16:3e:00:00:66"
OURS, SECOND, ALIEN, ELSEWHERE = "2001:db8::5", "2001:db8::6", "2001:db8::77", "2001:db8:9::1"
SERVER_MAC = "fa:16:3f:00:01:02"
LINK_LOCAL, SERVER_LINK_LOCAL = link_local(MAC), link_local(SERVER_MAC)
MY_DUID = b"\0\1\0\1\x11\x22\x33\x44" + bytes.fromhex(MAC.replace(":", ""))
SERVER_DUID = b"\0\3\0\1" + bytes.fromhex(SERVER_MAC.replace(":", ""))

Option = tuple[int, bytes]


def option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def ia(id: int = 1, *addresses: str, kind: int = IA_NA, times: tuple[int, int] = (0, 0)) -> Option:
    """An association that asks for these addresses."""
    parts = b"".join(option(IA_ADDRESS, raw_ip(one) + bytes(8)) for one in addresses)
    return kind, struct.pack("!I", id) + (b"" if kind == IA_TA else struct.pack("!II", *times)) + parts


def oro(*codes: int) -> Option:
    return ORO, b"".join(code.to_bytes(2, "big") for code in codes)


def message(kind: int, options: Iterable[Option], transaction: int = 0x123456) -> bytes:
    return bytes((kind,)) + transaction.to_bytes(3, "big") + b"".join(option(*each) for each in options)


def carried(payload: bytes, **fields: Any) -> bytes:
    """The frame in which a client says it."""
    said = {"mac": MAC, "to_mac": "33:33:00:01:00:02", "source": LINK_LOCAL, "destination": "ff02::1:2",
            "ports": (546, 547), **fields}  # fmt: skip
    return frames.udp(said["mac"], said["to_mac"], said["source"], said["destination"], *said["ports"], payload)


def ask(kind: int, *more: Option, client: bytes | None = MY_DUID, server: bytes | None = None, **fields: Any) -> bytes:
    """A client's frame: its identifier, the server's if it names one, and `more`."""
    ids = [(CLIENT, client)] if client is not None else []
    ids += [(SERVER, server)] if server is not None else []
    return carried(message(kind, [*ids, *more]), **fields)


def one_port(
    mode: str = "dhcpv6-stateful", *, settings: Mapping[str, Any] = MappingProxyType({}), **subnet: Any
) -> Tenant:
    """A network with one IPv6 subnet, and on it the port that `talk` speaks for."""
    net = Tenant(**settings)
    net.put("network", "n", key=0x0102, mtu=1450)
    net.put(
        "subnet",
        "s",
        **{"network_id": "n", "ip_version": 6, "cidr": "2001:db8::/64", "gateway_ip": "2001:db8::1",
           "ipv6_ra_mode": mode, "ipv6_address_mode": mode, **subnet},  # fmt: skip
    )
    net.put(
        "port",
        "p",
        network_id="n",
        mac_address=MAC,
        port_security_enabled=True,
        fixed_ips=[{"subnet_id": "s", "ip_address": OURS}],
    )
    return net


def talk(net: Tenant, frame: bytes) -> bytes | None:
    """What port p hears when it sends a frame."""
    heard: Sequence[bytes] = dhcp6.reply(net.world, net.model.get("port", "p"), frame)
    assert len(heard) <= 1
    return heard[0] if heard else None


def answer(head: Packet, *more: Packet, client: bytes | None = MY_DUID) -> bytes:
    """The frame that the server should send, as scapy writes it: what `head` and `more` say, after the identifiers."""
    ids: Packet = DHCP6OptServerId(duid=DUID_LL(lladdr=SERVER_MAC))
    if client is not None:
        ids = ids / DHCP6OptClientId(duid=client)
    made = Ether(dst=MAC, src=SERVER_MAC) / IPv6(src=SERVER_LINK_LOCAL, dst=LINK_LOCAL) / UDP(sport=547, dport=546)
    head.trid = 0x123456
    made = made / head / ids
    for each in more:
        made = made / each
    return bytes(made)


def options_of(frame: bytes) -> list[tuple[int, bytes]]:
    """The options in a server's frame, in order; AssertionError if it is no right one."""
    assert frame[12:14] == b"\x86\xdd" and frame[20] == 17 and frame[54:58] == struct.pack("!HH", 547, 546)
    length = int.from_bytes(frame[18:20], "big")
    assert length == len(frame) - 54 == int.from_bytes(frame[58:60], "big"), "lengths disagree"
    assert frames.checksum(frame[22:54] + struct.pack("!II", length, 17) + frame[54:]) == 0, "wrong checksum"
    return list(listed(frame[66:]))


def listed(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        code, size = struct.unpack_from("!HH", raw, at)
        assert at + 4 + size <= len(raw), "an option beyond the end"
        yield code, raw[at + 4 : at + 4 + size]
        at += 4 + size
