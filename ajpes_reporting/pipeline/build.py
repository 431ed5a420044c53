"""From the ledger to a checked file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.check.file import explained
from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused
from ajpes_reporting.domain.periods import Period, file_name
from ajpes_reporting.i18n import _
from ajpes_reporting.journal.archive import pack
from ajpes_reporting.pipeline.moved import moved_findings
from ajpes_reporting.pipeline.tee import feed
from ajpes_reporting.private import open_private
from ajpes_reporting.reports.kind import ReportKind, Request
from ajpes_reporting.xmlread import load_schema, schema_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.pipeline.context import Context, Task
    from ajpes_reporting.reports.left_out import LeftOut

_PREPARED_AT = re.compile(rb' datumPriprave="[^"]*"')


@dataclass(frozen=True, slots=True)
class Built:
    """A report file, checked; `packed` is the same as the archive keeps it.

    `content_sha256` leaves out when it was prepared. `to_be_released` says what a person has to look at.
    """

    path: Path
    packed: Path
    request: Request
    record_count: int
    totals: dict[str, str]
    size_bytes: int
    sha256: str
    content_sha256: str
    log: FindingLog
    left_out: LeftOut
    to_be_released: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to report, but perhaps something that was left out."""

    log: FindingLog
    left_out: LeftOut


def build(connection: Connection, task: Task) -> Built | Nothing:
    """Selects, writes and checks a report within one transaction.

    Written, hashed, packed and held against its schema in one go. The rules need no file: they were
    asked when the facts came in (`Selection.findings`). Memory does not grow with the report.
    """
    context, kind, period = task.context, task.kind, task.period
    context.refresh_ledger(connection, kind, period.key)
    request = request_for(context, kind, period, as_it_stands=task.as_it_stands)
    selection = kind.select(connection, request)
    log = FindingLog(strict=context.strict)
    log.add(selection.left_out.notes())
    if selection.record_count == 0:
        _refuse_omission(kind, period)
        return Nothing(log, selection.left_out)
    path = task.folder / file_name(kind.name, period, context.provider)
    packed = path.with_suffix(".zst")
    schema = context.schemas(kind.schema)
    size_bytes, (sha256, content_sha256), _, verdict = feed(
        _counted(kind.write(request, selection), kind.record_mark, selection.record_count, task.progress),
        lambda blocks: _write(blocks, path),
        _hash,
        lambda blocks: pack(blocks, packed),
        lambda blocks: schema_verdict(blocks, load_schema(schema)),
    )
    log.add(selection.too_large)
    log.add(
        selection.findings if verdict is None or selection.too_large else explained(path, schema, verdict)
    )
    log.note(moved_findings(connection, context, kind, period))
    return Built(
        path=path,
        packed=packed,
        request=request,
        record_count=selection.record_count,
        totals=dict(selection.totals),
        size_bytes=size_bytes,
        sha256=sha256,
        content_sha256=content_sha256,
        log=log,
        left_out=selection.left_out,
        to_be_released=selection.to_be_released,
    )


def cutoff(period: Period, now: datetime) -> datetime:
    """The last moment that counts: the moment of the run, at most the last one of the period."""
    return min(now, period.end - timedelta(microseconds=1))


def _refuse_omission(kind: ReportKind, period: Period) -> None:
    if kind.nothing_is_an_omission:
        raise ChecksRefused(
            _(
                "{report} for {period} was not made: the ledger has no records for it.",
                report=kind.code,
                period=period.spoken,
            ),
            kind.nothing_is_an_omission,
        )


def request_for(context: Context, kind: ReportKind, period: Period, *, as_it_stands: bool = False) -> Request:
    """The report of a period as a run would ask for it at this moment."""
    now = context.clock().astimezone(LJUBLJANA)
    return Request(
        provider=context.provider,
        provider_name=context.provider_name,
        period=period,
        cutoff=now if as_it_stands else cutoff(period, now),
        prepared_at=now.replace(microsecond=0),
        settings=context.report_settings[kind.code],
        rules=context.rules,
    )


def _counted(blocks: Iterable[bytes], mark: bytes, records: int, progress: Progress) -> Iterator[bytes]:
    """The blocks as they are. A file that has not what its head says is no report, whatever the reason."""
    written = 0
    for block in blocks:
        count = block.count(mark)
        written += count
        yield block
        progress(count)
    if written != records:
        raise AjpesReportingError(
            _(
                "The report was not made: the ledger counts {records} records, {written} were written.",
                records=records,
                written=written,
            ),
            _("this must not happen; keep the ledger as it is and tell the makers of this program"),
        )


def _write(blocks: Iterable[bytes], path: Path) -> int:
    with open_private(path, "wb") as out:
        return sum(out.write(block) for block in blocks)


def _hash(blocks: Iterable[bytes]) -> tuple[str, str]:
    """The hash of the file, and that of all of it but the time of preparation in its head."""
    whole, content = hashlib.sha256(), hashlib.sha256()
    for number, block in enumerate(blocks):
        whole.update(block)
        content.update(block if number else _PREPARED_AT.sub(b"", block, count=1))
    return whole.hexdigest(), content.hexdigest()
