"""Retention: archived files whose time is over are removed, and the record says so first.

What is recorded is committed before anything is removed. A purge that was cut off in between is
finished by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import snapshot, writing
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.periods import Month
from ajpes_reporting.journal import purged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ajpes_reporting.journal.purged import ArchivedFile
    from ajpes_reporting.pipeline.context import Context


@dataclass(frozen=True, slots=True)
class Purged:
    """The files that were removed, or would be: of everything that was over before `before`."""

    before: datetime
    files: tuple[ArchivedFile, ...]
    leftovers: int = 0


def purge(context: Context, keep_months: int) -> Purged:
    """Removes every file whose time is over. Raises `Busy` while a backup is at work."""
    before = end_of_keeping(context.clock(), keep_months)
    with context.archive.removing():
        leftovers = _remove(context, _already_noted(context))
        with writing(context.engine) as connection:
            files = purged.over(connection, context.provider, before)
            purged.note(connection, context.provider, files, at=context.clock())
        _remove(context, (file.path for file in files))
    return Purged(before, tuple(files), leftovers)


def would_purge(context: Context, keep_months: int) -> Purged:
    """Returns the files that a purge would remove now; nothing is changed."""
    before = end_of_keeping(context.clock(), keep_months)
    with snapshot(context.engine) as connection:
        return Purged(before, tuple(purged.over(connection, context.provider, before)))


def end_of_keeping(now: datetime, keep_months: int) -> datetime:
    """The midnight in Ljubljana before which everything is over: that many months ago, or a bit more."""
    today = now.astimezone(LJUBLJANA).date()
    month = Month(today.year, today.month)
    for _ in range(keep_months):
        month = month.previous()
    day = month.first_day.replace(day=min(today.day, month.last_day.day))
    return datetime.combine(day, time(), LJUBLJANA)


def _already_noted(context: Context) -> list[str]:
    """Returns the files that a purge may have left behind when it was cut off."""
    with snapshot(context.engine) as connection:
        return list(purged.paths(connection, context.provider))


def _remove(context: Context, paths: Iterable[str]) -> int:
    return sum(context.archive.remove(path) for path in paths)
