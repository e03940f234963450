"""Times as documents say them: UTC, to the second, ISO 8601."""
from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float | None = None) -> str:
    """The time of a moment in seconds since 1970, or of now."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> int:
    """The moment that a date and time means, or a number of seconds since 1970. ValueError if it is neither."""
    if text.isdecimal() and len(text) < 12:
        return int(text)
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
