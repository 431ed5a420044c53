"""The clock of this machine, where nothing else is passed in."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)
