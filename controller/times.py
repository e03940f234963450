"""Times as documents say them: UTC, to the second, ISO 8601."""
from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float | None = None) -> str:
    """The time of a moment in seconds since 1970, or of now."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
