"""Passwords as they are kept: salted scrypt hashes (RFC 7914), which say what they cost.

    scrypt:LOG2N:R:P:SALT:HASH          salt and hash in unpadded URL-safe base64

`hadron password` prints one. The cost is what OWASP advises: 32 MiB and about a tenth of a second for each try.
"""
import base64
import hashlib
import hmac
import os
import re
import threading

from rest.errors import Answered

_FORM = re.compile(r"scrypt:(\d{1,2}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9_-]{16,64}):([A-Za-z0-9_-]{43,86})")
_COST = (15, 8, 3)
_MOST_MEMORY = 256 << 20
LONGEST = 1024
"""Characters of a password."""
_AT_ONCE = threading.BoundedSemaphore(4)
"""So many are hashed at a time: each takes memory, and whoever sends many must not get all of it."""
_PATIENCE = 10.0


def hashed(password: str, cost: tuple[int, int, int] = _COST) -> str:
    """What a configuration keeps of a password. `cost` is (log2 N, r, p)."""
    salt = os.urandom(16)
    return "scrypt:{}:{}:{}:{}:{}".format(*cost, _text(salt), _text(_scrypt(password, salt, cost, 32)))


def check_form(text: object) -> None:
    """ValueError, saying what is wrong but not what was given, for what is no hash that can be used."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError("must be a hash that `hadron password` prints")
    log2n, r, p = (int(part) for part in found.groups()[:3])
    if not 10 <= log2n <= 20 or not 1 <= r <= 32 or not 1 <= p <= 16 or 128 * r << log2n > _MOST_MEMORY:
        raise ValueError("costs too little or too much; take the one that `hadron password` prints")


def nobodys(like: str) -> str:
    """A hash that no password has, and that costs as much as another to find that out."""
    return "{}:{}:{}".format(like.rpartition(":")[0].rpartition(":")[0], _text(os.urandom(16)), _text(os.urandom(32)))


def matches(password: str, kept: str) -> bool:
    """Whether it is the password of a hash; takes as long for a wrong one. Refused (503) when too many ask at once."""
    found = _FORM.fullmatch(kept)
    if found is None or len(password) > LONGEST:
        return False
    cost = (int(found[1]), int(found[2]), int(found[3]))
    wanted = _bytes(found[5])
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise Answered(503, "ServiceUnavailable", "Too many passwords to check at once; try again.",
                       (("Retry-After", "5"),))
    try:
        return hmac.compare_digest(_scrypt(password, _bytes(found[4]), cost, len(wanted)), wanted)
    finally:
        _AT_ONCE.release()


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    log2n, r, p = cost
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=1 << log2n, r=r, p=p, dklen=length,
                          maxmem=(128 * r << log2n) + (1 << 20) + 256 * r * p)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
