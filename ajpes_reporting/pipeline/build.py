"""From the ledger to a checked file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.check.file import check_file
from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.domain.periods import Period, file_name
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.reports.kind import ReportKind, Request
from ajpes_reporting.xmlread import read_root

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.check.log import FindingLog
    from ajpes_reporting.pipeline.desk import Desk

_PREPARED_AT = re.compile(rb' datumPriprave="[^"]*"')


@dataclass(frozen=True, slots=True)
class Built:
    """A report file, checked. `content_sha256` leaves out when it was prepared."""

    path: Path
    request: Request
    record_count: int
    totals: dict[str, str]
    content_sha256: str
    log: FindingLog


def rehearse(
    desk: Desk, kind: ReportKind, period: Period, folder: Path, progress: Progress = no_progress
) -> Built | None:
    """Builds the report that a run would send now, and changes nothing else.

    The ledger is brought up to date inside a transaction that is rolled back.
    """
    with rehearsing(desk.engine) as connection:
        return build(connection, desk, kind, period, folder, progress)


def build(
    connection: Connection,
    desk: Desk,
    kind: ReportKind,
    period: Period,
    folder: Path,
    progress: Progress = no_progress,
    *,
    as_it_stands: bool = False,
) -> Built | None:
    """Selects, writes and checks within one transaction; nothing if there is nothing to report.

    Memory does not grow with the report.
    """
    desk.refresh_ledger(connection, kind, period.key)
    request = _request(desk, kind, period, as_it_stands)
    selection = kind.select(connection, request)
    if selection.record_count == 0:
        _refuse_omission(kind, period)
        return None
    path = folder / file_name(kind.name, period, desk.provider)
    content_sha256 = _write(kind.write(request, selection), path)
    report = check_file(path, read_root(path), desk.file_kind(kind), strict=desk.strict, progress=progress)
    report.log.add(selection.findings)
    return Built(path, request, selection.record_count, dict(selection.totals), content_sha256, report.log)


def cutoff(period: Period, now: datetime) -> datetime:
    """The last moment that counts: the moment of the run, at most the last one of the period."""
    return min(now, period.end - timedelta(microseconds=1))


def _refuse_omission(kind: ReportKind, period: Period) -> None:
    if kind.nothing_is_an_omission:
        raise ChecksRefused(
            f"{kind.code} for {period.spoken} was not made: the ledger has no {kind.record_noun} for it.",
            kind.nothing_is_an_omission,
        )


def _request(desk: Desk, kind: ReportKind, period: Period, as_it_stands: bool) -> Request:
    now = desk.clock().astimezone(LJUBLJANA)
    return Request(
        provider=desk.provider,
        provider_name=desk.provider_name,
        period=period,
        cutoff=now if as_it_stands else cutoff(period, now),
        prepared_at=now.replace(microsecond=0),
        amounts=desk.amounts[kind.code],
        rules=desk.rules,
    )


def _write(blocks: Iterable[bytes], path: Path) -> str:
    """Writes the file; returns the hash of all of it but the time of preparation in its head."""
    digest = hashlib.sha256()
    first = True
    with path.open("wb") as out:
        for block in blocks:
            out.write(block)
            digest.update(_PREPARED_AT.sub(b"", block, count=1) if first else block)
            first = False
    return digest.hexdigest()
