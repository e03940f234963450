"""DNS messages (RFC 1035), as a server reads questions and writes answers; EDNS(0) as RFC 6891 says."""
from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

PORT = 53
A, NS, SOA, PTR, OPT, AAAA, ANY = 1, 2, 6, 12, 41, 28, 255
TRANSFERS = range(251, 255)             # IXFR, AXFR and their like
IN = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED, BAD_VERSION = 0, 1, 2, 3, 4, 5, 16
SMALLEST, USUAL = 512, 1232             # bytes of a message over UDP: all can have that; what passes unfragmented
LONGEST = 65535                         # over TCP

_HEADER = Struct("!HHHHHH")
_RECORD = Struct("!HHIH")
_QUESTION = Struct("!HH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _WANTS, _OFFERS = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_KEPT = 0x0110                          # RD and CD go back as they came
_DO = 0x8000


class Query(NamedTuple):
    """A question. `name` is in lower case, without the last dot; `raw` is it as it came."""
    id: int
    flags: int
    name: str
    raw: bytes
    type: int
    kind: int                           # class: IN, if it is one of ours
    size: int | None                    # bytes of an answer that the asker takes over UDP (EDNS); None: it says nothing
    signed: bool                        # it wants signatures (DO)
    version: int                        # of EDNS

    @property
    def wants_recursion(self) -> bool:
        return bool(self.flags & _WANTS)

    @property
    def limit(self) -> int:
        """Bytes of an answer over UDP."""
        return SMALLEST if self.size is None else max(SMALLEST, min(self.size, USUAL))


class Wrong(NamedTuple):
    """What came is no question that we understand: the answer says so."""
    id: int
    flags: int
    code: int


Record = tuple[bytes | None, int, bytes]        # owner's name on the wire, None: that of the question; type; data


def read(raw: bytes) -> Query | Wrong | None:
    """The question in a message. None if it is none at all: too short, or an answer."""
    if len(raw) < 12:
        return None
    id, flags, questions, answers, authorities, more = _HEADER.unpack_from(raw)
    if flags & _RESPONSE:
        return None
    if flags >> 11 & 15:
        return Wrong(id, flags, NOT_IMPLEMENTED)
    bad = Wrong(id, flags, FORMAT_ERROR)
    at = _name_end(raw, 12)
    if (questions, answers, authorities) != (1, 0, 0) or at is None or at + 4 > len(raw):
        return bad
    kind, of = _QUESTION.unpack_from(raw, at)
    try:
        name = ".".join(label.decode("ascii") for label in _labels(raw, 12)).lower()
    except UnicodeDecodeError:
        name = "?"                      # nobody's: it is answered as any name that is not there
    edns = _edns(raw, at + 4, more)
    if edns is None:
        return bad
    return Query(id, flags, name, raw[12:at], kind, of, *edns)


def _name_end(raw: bytes, at: int) -> int | None:
    """Where the name that begins here ends; None if it does not, or is compressed, which a question's need not be."""
    start = at
    while at < len(raw) and raw[at]:
        if raw[at] > 63 or at - start > 254:
            return None
        at += 1 + raw[at]
    return at + 1 if at < len(raw) and at - start < 255 else None


def _labels(raw: bytes, at: int) -> Iterable[bytes]:
    while raw[at]:
        yield raw[at + 1:at + 1 + raw[at]]
        at += 1 + raw[at]


def _edns(raw: bytes, at: int, records: int) -> tuple[int | None, bool, int] | None:
    """What the OPT record among the additional ones says: size, DO, version. None if they are cut short."""
    found: tuple[int | None, bool, int] = None, False, 0
    for _ in range(min(records, 16)):
        end = _name_end(raw, at)
        if end is None or end + 10 > len(raw):
            return None
        kind, size, ttl, length = _RECORD.unpack_from(raw, end)
        if end + 10 + length > len(raw):
            return None
        if kind == OPT:
            if found[0] is not None or end != at + 1:
                return None
            found = size, bool(ttl & _DO), ttl >> 16 & 255
        at = end + 10 + length
    return found


def name(text: str) -> bytes:
    """A name on the wire, not compressed. It is one that was checked when it was set."""
    labels = [label.encode("ascii") for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def soa(zone: str, ttl: int) -> Record:
    """The start of a zone of ours; `ttl` is how long it may be remembered that there is no such name (RFC 2308)."""
    data = name(f"ns.{zone}") + name(f"hostmaster.{zone}") + Struct("!IIIII").pack(1, 3600, 600, 86400, ttl)
    return name(zone), SOA, data


def answer(query: Query | Wrong, code: int, records: Iterable[Record] = (), authority: Iterable[Record] = (), *,
           ttl: int = 0, ours: bool = True, recursive: bool = False, limit: int = LONGEST) -> bytes:
    """The answer's bytes; if they are more than `limit`, what says to ask over TCP. `ours`: nobody knows better."""
    wrong = isinstance(query, Wrong)
    flags = _RESPONSE | query.flags & (0x7800 | _KEPT) | (_AUTHORITATIVE if ours and not wrong else 0) \
        | (_OFFERS if recursive else 0) | code & 15
    if isinstance(query, Wrong):
        return _HEADER.pack(query.id, flags, 0, 0, 0, 0)
    sections = [[_record(*one, ttl) for one in some] for some in (records, authority)]
    more = [] if query.size is None else [b"\0" + _RECORD.pack(
        OPT, USUAL, code >> 4 << 24 | (_DO if query.signed else 0), 0)]
    asked = query.raw + _QUESTION.pack(query.type, query.kind)
    whole = _HEADER.pack(query.id, flags, 1, len(sections[0]), len(sections[1]), len(more)) + asked + b"".join(
        [*sections[0], *sections[1], *more])
    if len(whole) <= limit:
        return whole
    return _HEADER.pack(query.id, flags | _TRUNCATED, 1, 0, 0, len(more)) + asked + b"".join(more)


def _record(owner: bytes | None, kind: int, data: bytes, ttl: int) -> bytes:
    return (b"\xc0\x0c" if owner is None else owner) + _RECORD.pack(kind, IN, ttl, len(data)) + data


def question(query: Query) -> bytes:
    """The question as it is passed on to somebody else: its own words and nothing else of what came."""
    more = b"\0" + _RECORD.pack(OPT, USUAL, _DO if query.signed else 0, 0)
    return _HEADER.pack(query.id, query.flags & 0x0130, 1, 0, 0, 1) + query.raw + _QUESTION.pack(query.type, query.kind) + more


def passed_on(query: Query, said: bytes, limit: int) -> bytes:
    """What somebody else answered, for the asker: as it is but for its number, if it answers the question and fits."""
    if not answers(query, said):
        return answer(query, SERVER_FAILURE, ours=False, recursive=True)
    if len(said) <= limit and (query.size is not None or not said[10:12].strip(b"\0")):
        return query.id.to_bytes(2, "big") + said[2:]
    if len(said) > limit:
        return answer(query, NO_ERROR, [(None, A, bytes(limit))], ours=False, recursive=True, limit=limit)
    return _without_opt(query, said)


def _without_opt(query: Query, said: bytes) -> bytes:
    """For who has not said EDNS: the OPT record, if it is the last one as it is everywhere, stays here (RFC 6891 §7)."""
    more = int.from_bytes(said[10:12], "big")
    if said[-11:-8] == b"\0\0\x29" and said[-2:] == b"\0\0":
        said, more = said[:-11], more - 1
    return query.id.to_bytes(2, "big") + said[2:10] + more.to_bytes(2, "big") + said[12:]


def answers(query: Query, said: bytes) -> bool:
    """Whether a message is an answer to the question, whatever its number."""
    end = 12 + len(query.raw)
    return (len(said) >= end + 4 and bool(said[2] & 0x80) and said[4:6] == b"\0\1"
            and said[12:end].lower() == query.raw.lower() and said[end:end + 4] == _QUESTION.pack(query.type, query.kind))


def is_truncated(said: bytes) -> bool:
    return bool(said[2] & 2)
