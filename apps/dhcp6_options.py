"""DHCPv6 options by name, as ports' `extra_dhcp_opts` with ip_version 6 say them: what each may hold, and its bytes.

Names are dnsmasq's, which are Neutron's, `option6:` before them or not; a bare number up to 65535 also stands for an
option. What the server itself says, and what only clients say, cannot be set.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address

from apps.dhcp_options import domains, raw_bytes, seconds
from apps.extra_options import Found, Options
from controller.packet import dhcp6, ipv6

_SOONEST = 600                      # seconds: nobody asks for information more often (RFC 8415 §7.6, IRT_MINIMUM)
_NTP_ADDRESS, _NTP_GROUP, _NTP_NAME = 1, 2, 3       # RFC 5908 §4


# ---- values

def _address(value: str) -> bytes:
    """Brackets around it, as dnsmasq writes them, do not matter."""
    text = value.strip()
    found = IPv6Address(text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text)
    if found.scope_id:
        raise ValueError("give the address without a zone")
    return found.packed


def _addresses(value: str) -> bytes:
    return b"".join(map(_address, value.split(",")))


def _domain(value: str) -> bytes:
    if "," in value:
        raise ValueError("give one domain name")
    return domains(value)


def _text(value: str) -> bytes:
    return value.encode()


def _number(value: str) -> bytes:
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) >= 1 << 32:
        raise ValueError("give a whole number from 0 to 4294967295")
    return int(value).to_bytes(4, "big")


def _refresh(value: str) -> bytes:
    raw = seconds(value)
    if int.from_bytes(raw, "big") < _SOONEST:
        raise ValueError(f"give at least {_SOONEST} seconds")
    return raw


def _time_servers(value: str) -> bytes:
    """Each is a suboption of its own: an address, a group, or a name."""
    parts = []
    for one in value.split(","):
        try:
            raw = _address(one)
            kind = _NTP_GROUP if raw[0] == 0xFF else _NTP_ADDRESS
        except ValueError:
            raw, kind = domains(one), _NTP_NAME
        parts.append(dhcp6.option(kind, raw))
    return b"".join(parts)


def _parameters(value: str) -> bytes:
    """Each with its length before it (RFC 5970 §3.2)."""
    raw = [one.strip().encode() for one in value.split(",")]
    return b"".join(len(one).to_bytes(2, "big") + one for one in raw)


def _guess(value: str) -> bytes:
    """For an option without a name here, as dnsmasq reads it: addresses, bytes as 01:0a:ff, a number, or text."""
    for read in (_addresses, raw_bytes) if ":" in value else ():
        try:
            return read(value)
        except ValueError:
            continue
    if re.fullmatch(r"[0-9]{1,10}", value) and int(value) < 1 << 32:
        number = int(value)
        return number.to_bytes(1 if number < 1 << 8 else 2 if number < 1 << 16 else 4, "big")
    return _text(value)


# ---- names

KNOWN: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "sip-server-domain": (21, domains), "sip-server": (22, _addresses), "dns-server": (dhcp6.DNS, _addresses),
    "domain-search": (dhcp6.DOMAIN_SEARCH, domains), "nis-server": (27, _addresses), "nis+-server": (28, _addresses),
    "nis-domain": (29, _domain), "nis+-domain": (30, _domain), "sntp-server": (31, _addresses),
    "information-refresh-time": (dhcp6.REFRESH_TIME, _refresh), "posix-timezone": (41, _text),
    "tzdb-timezone": (42, _text), "ntp-server": (56, _time_servers), "bootfile-url": (59, _text),
    "bootfile-name": (59, _text), "bootfile-param": (60, _parameters), "sol-max-rt": (82, _number),
    "inf-max-rt": (83, _number), "captive-portal": (103, _text),
}
_BY_CODE = dict(KNOWN.values())
_OURS = {1: "client-id", 2: "server-id", 3: "ia-na", 4: "ia-ta", 5: "ia-addr", 6: "oro", 7: "preference",
         8: "elapsed-time", 9: "relay-msg", 11: "auth", 12: "unicast", 13: "status-code", 14: "rapid-commit",
         15: "user-class", 16: "vendor-class", 18: "interface-id", 19: "reconf-msg", 20: "reconf-accept",
         25: "ia-pd", 26: "ia-prefix", 39: "FQDN"}
_NOT_TO_SET = {name: code for code, name in _OURS.items()}


def _find(name: str) -> Found:
    """An option's code and what reads its value."""
    plain = name.removeprefix("option6:")
    if plain in KNOWN:
        return Found(*KNOWN[plain])
    code = int(plain) if re.fullmatch(r"[0-9]{1,5}", plain) else _NOT_TO_SET.get(plain)
    if code in _OURS:
        raise ValueError(f"name: option {code} ({_OURS[code]}) is the client's or the DHCPv6 server's own; "
                         "it cannot be set")
    if code is None or not 0 < code < 1 << 16:
        raise ValueError(f"name: {name!r} is no DHCPv6 option; use a name that dnsmasq knows, or a number")
    return Found(code, _BY_CODE.get(code, _guess))


_OPTIONS = Options(_find, (6,))
check, read = _OPTIONS.check, _OPTIONS.read
extras = lru_cache(maxsize=8192)(_OPTIONS.of)


def packed(texts: Iterable[str]) -> list[bytes]:
    """IPv6 addresses as they go on the wire, each once; `::` is Neutron's word for none."""
    return [ipv6.address(text) for text in dict.fromkeys(texts) if ":" in text and text != "::"]
