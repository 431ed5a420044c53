"""Facts of the ledger as the domain knows them, out of rows."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from ajpes_reporting.domain.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

EVENT_FIELDS = tuple(field.name for field in fields(Event))


def event_of(row: Mapping[Any, Any], prefix: str = "") -> Event:
    """The event in the columns of this row; their names may have a prefix."""
    return Event(**{name: row[prefix + name] for name in EVENT_FIELDS})
