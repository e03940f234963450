"""DHCP options by name, as ports' `extra_dhcp_opts` say them: what each may hold, and its bytes.

Names are dnsmasq's, which are Neutron's, `option:` before them or not; a few are OVN's; a bare number from 1 to 254
also stands for an option. An unknown name is refused rather than accepted without effect.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from apps.extra_options import Found, Options
from controller.packet import dhcp_options as wire

INFINITE = 0xFFFFFFFF
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


# ---- values

def _address(value: str) -> bytes:
    return IPv4Address(value.strip()).packed


def _addresses(value: str) -> bytes:
    return b"".join(map(_address, value.split(",")))


def _address_pairs(value: str) -> bytes:
    raw = _addresses(value)
    if len(raw) % 8:
        raise ValueError("give pairs of addresses: destination,router,...")
    return raw


def _static_routes(value: str) -> bytes:
    raw = _address_pairs(value)
    if any(raw[at:at + 4] == bytes(4) for at in range(0, len(raw), 8)):
        raise ValueError("0.0.0.0 is no destination here (RFC 2132): use classless-static-route")
    return raw


def _routes(value: str) -> bytes:
    """`destination/width,router,...` as RFC 3442 writes it; the router 0.0.0.0 means that it is on the link."""
    words = [word.strip() for word in value.split(",")]
    if len(words) % 2:
        raise ValueError("give pairs: destination/width,router,...")
    parts = []
    for destination, router in zip(words[::2], words[1::2], strict=True):
        network = IPv4Network(destination)
        parts.append(wire.route(network.network_address.packed, network.prefixlen, _address(router)))
    return b"".join(parts)


def _number(size: int, low: int = 0, high: int | None = None) -> Callable[[str], bytes]:
    top = (1 << 8 * size) - 1 if high is None else high

    def read(value: str) -> bytes:
        if not re.fullmatch(r"-?[0-9]{1,11}", value) or not low <= int(value) <= top:
            raise ValueError(f"give a whole number from {low} to {top}")
        return int(value).to_bytes(size, "big", signed=low < 0)
    return read


def _flag(value: str) -> bytes:
    if value.lower() not in ("0", "1", "true", "false"):
        raise ValueError("give 1 or 0")
    return b"\1" if value.lower() in ("1", "true") else b"\0"


def seconds(value: str) -> bytes:
    if value == "infinite":
        return INFINITE.to_bytes(4, "big")
    found = re.fullmatch(r"([0-9]{1,10})([smhdw]?)", value)
    number = int(found[1]) * _UNITS[found[2] or "s"] if found else 0
    if not 0 < number <= INFINITE:
        raise ValueError("give seconds, or a number with s, m, h, d or w, or infinite")
    return number.to_bytes(4, "big")


def _text(value: str) -> bytes:
    return value.encode()


def _name(value: str) -> bytes:
    domains(value)
    return value.encode()


def domains(value: str) -> bytes:
    for name in value.split(","):
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name.strip()):
            raise ValueError(f"{name.strip()!r} is not a domain name")
    return b"".join(wire.domain(name.strip()) for name in value.split(","))


def _sip_servers(value: str) -> bytes:
    """Names or addresses, told apart by the first byte (RFC 3361)."""
    try:
        return b"\1" + _addresses(value)
    except ValueError:
        return b"\0" + domains(value)


def raw_bytes(value: str) -> bytes:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})*", value):
        raise ValueError("give bytes as 01:0a:ff")
    return bytes(int(byte, 16) for byte in value.split(":"))


def _guess(value: str) -> bytes:
    """For an option without a name here, as dnsmasq reads it: addresses, bytes as 01:0a:ff, a number, or text."""
    for read in (_addresses, raw_bytes) if ":" in value or "." in value else ():
        try:
            return read(value)
        except ValueError:
            continue
    if re.fullmatch(r"[0-9]{1,10}", value) and int(value) < 1 << 32:
        number = int(value)
        return number.to_bytes(1 if number < 1 << 8 else 2 if number < 1 << 16 else 4, "big")
    return _text(value)


# ---- names

_BYTE, _SHORT, _LONG = _number(1), _number(2), _number(4)

KNOWN: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "netmask": (1, _address), "time-offset": (2, _number(4, -86400, 86400)), "router": (3, _addresses),
    "time-server": (4, _addresses), "dns-server": (6, _addresses), "log-server": (7, _addresses),
    "lpr-server": (9, _addresses), "hostname": (12, _name), "boot-file-size": (13, _SHORT), "domain-name": (15, _name),
    "swap-server": (16, _address), "root-path": (17, _text), "extension-path": (18, _text),
    "ip-forward-enable": (19, _flag), "non-local-source-routing": (20, _flag), "policy-filter": (21, _address_pairs),
    "max-datagram-reassembly": (22, _number(2, 576)), "default-ttl": (23, _number(1, 1)), "mtu": (26, _number(2, 68)),
    "all-subnets-local": (27, _flag), "broadcast": (28, _address), "router-discovery": (31, _flag),
    "router-solicitation": (32, _address), "static-route": (33, _static_routes), "trailer-encapsulation": (34, _flag),
    "arp-timeout": (35, _LONG), "ethernet-encap": (36, _flag), "tcp-ttl": (37, _number(1, 1)),
    "tcp-keepalive": (38, _LONG), "nis-domain": (40, _text), "nis-server": (41, _addresses),
    "ntp-server": (42, _addresses), "vendor-encap": (43, raw_bytes), "netbios-ns": (44, _addresses),
    "netbios-dd": (45, _addresses), "netbios-nodetype": (46, _number(1, 1, 8)), "netbios-scope": (47, _text),
    "x-windows-fs": (48, _addresses), "x-windows-dm": (49, _addresses), "lease-time": (51, seconds), "T1": (58, seconds),
    "T2": (59, seconds), "vendor-class": (60, _text), "nis+-domain": (64, _text), "nis+-server": (65, _addresses),
    "tftp-server": (66, _text), "bootfile-name": (67, _text), "mobile-ip-home": (68, _addresses),
    "smtp-server": (69, _addresses), "pop3-server": (70, _addresses), "nntp-server": (71, _addresses),
    "irc-server": (74, _addresses), "user-class": (77, _text), "posix-timezone": (100, _text),
    "tzdb-timezone": (101, _text), "ipv6-only": (108, _LONG), "domain-search": (119, domains),
    "sip-server": (120, _sip_servers), "classless-static-route": (121, _routes), "vendor-id-encap": (125, raw_bytes),
    "tftp-server-address": (150, _addresses), "path-prefix": (210, _text), "ms-classless-static-route": (249, _routes),
    "wpad": (252, _text), "server-ip-address": (wire.NEXT_SERVER, _address),
}
_BY_CODE = dict(KNOWN.values())
_OURS = {0: "pad", 50: "requested-address", 52: "option-overload", 53: "message-type", 54: "server-identifier",
         55: "parameter-request", 56: "message", 57: "max-message-size", 61: "client-id", 81: "FQDN", 82: "agent-info",
         118: "subnet-select"}
_NOT_TO_SET = {name: code for code, name in _OURS.items()} | {"server-id": 54, "agent-id": 82}
MAY_BE_BLANK = ("router", "classless-static-route", "ms-classless-static-route")


def _split_tag(name: str) -> tuple[str, bool | None]:
    found = re.match(r"tag:(!?)ipxe,", name)
    if found:
        return name[found.end():], not found[1]
    return ("bootfile-name", False) if name == "bootfile-name-alt" else (name, None)


def _find(name: str) -> Found:
    """An option's code and what reads its value."""
    name, boots = _split_tag(name)
    plain = name.removeprefix("option:")
    if plain in KNOWN:
        return Found(*KNOWN[plain], boots)
    code = int(plain) if re.fullmatch(r"[0-9]{1,3}", plain) else _NOT_TO_SET.get(plain)
    if code in _OURS:
        raise ValueError(f"name: option {code} ({_OURS[code]}) is the DHCP server's own; it cannot be set")
    if code is None or code > wire.NEXT_SERVER:
        raise ValueError(f"name: {name!r} is no DHCP option; use a name that dnsmasq knows, or a number from 1 to 254")
    return Found(code, _BY_CODE.get(code, _guess), boots)


_OPTIONS = Options(_find, (4, None), ((name, KNOWN[name][0]) for name in MAY_BE_BLANK))
check, read = _OPTIONS.check, _OPTIONS.read
extras = lru_cache(maxsize=8192)(_OPTIONS.of)
