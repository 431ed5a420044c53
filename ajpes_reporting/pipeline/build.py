"""Builds a report: from the ledger to a checked file.

The file is written, hashed, packed and checked in the time of the slowest of these, each on a thread of its
own: whatever takes the time lets the interpreter go meanwhile. Nobody runs ahead by more than some blocks, so
memory stays flat.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import chain
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from ajpes_reporting.check.file import explained
from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import Period, file_name
from ajpes_reporting.i18n import _, _n, joined
from ajpes_reporting.journal.archive import pack
from ajpes_reporting.ledger import reported
from ajpes_reporting.private import open_private
from ajpes_reporting.reports.kind import ReportKind, Request
from ajpes_reporting.xmlread import load_schema, schema_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.pipeline.context import Context, Task
    from ajpes_reporting.reports.left_out import LeftOut

    Taker = Callable[[Iterator[bytes]], Any]
    from collections.abc import Iterator

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.reported import MovedMonth
    from ajpes_reporting.reports.kind import ReportKind

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
    to_be_released: Message


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


# Whoever falls asleep over an empty or full line takes long to wake up: with 4 a tenth of the time is lost.
_AHEAD = 16


class _End(Enum):
    WHOLE = auto()
    CUT_OFF = auto()


class CutOff(Exception):
    """The stream ended before its end: another taker failed, or there were no more blocks to be had."""


def feed(blocks: Iterable[bytes], *takers: Taker) -> list[Any]:
    """Hands every block to all takers; returns what each of them made of it, in their order.

    Raises what went wrong with the blocks, or with a taker; the others are stopped by `CutOff`.
    """
    lines = [_Line() for _taker in takers]
    with ThreadPoolExecutor(len(takers), thread_name_prefix="tee") as threads:
        try:
            made = [threads.submit(line.serve, taker) for line, taker in zip(lines, takers, strict=True)]
            _hand_out(blocks, lines)
        except BaseException as trouble:  # also one who is tired of waiting, or a thread that cannot start
            for line in lines:
                line.cut_off()
            if not isinstance(trouble, CutOff):
                raise
    failures = [failure for one in made if (failure := one.exception()) is not None]
    for failure in sorted(failures, key=lambda failure: isinstance(failure, CutOff)):
        raise failure
    return [one.result() for one in made]


def _hand_out(blocks: Iterable[bytes], lines: Sequence[_Line]) -> None:
    """Raises `CutOff` once a taker has failed: nobody needs the rest."""
    stream: Iterator[bytes | _End] = chain(blocks, (_End.WHOLE,))
    for block in stream:
        if any(line.failed for line in lines):
            raise CutOff
        for line in lines:
            line.put(block)


class _Line:
    """The blocks on their way to one taker."""

    def __init__(self) -> None:
        self._waiting: Queue[bytes | _End] = Queue(maxsize=_AHEAD)
        self._ended = False
        self.failed = False

    def put(self, block: bytes | _End) -> None:
        self._waiting.put(block)

    def cut_off(self) -> None:
        """Lets the taker know at once, without waiting until it has taken what it no longer needs."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put_nowait(_End.CUT_OFF)

    def serve(self, taker: Taker) -> Any:
        try:
            return taker(self._blocks())
        except BaseException:
            self.failed = True
            raise
        finally:
            while not self._ended:  # whoever fails must not hold up the others
                self._next()

    def _blocks(self) -> Iterator[bytes]:
        while isinstance(block := self._next(), bytes):
            yield block
        if block is _End.CUT_OFF:
            raise CutOff

    def _next(self) -> bytes | _End:
        block = self._waiting.get()
        self._ended = isinstance(block, _End)
        return block


_SHOWN_PER_MONTH = 100


def accepted_otherwise(
    connection: Connection, context: Context, kind: ReportKind, period: Period
) -> int | None:
    """The accepted submission of the period, if the ledger has other figures by now than it had."""
    if not kind.reports_months:
        return None
    amounts = context.report_settings[kind.code].amounts
    first = reported.differences(connection, context.provider, amounts, period.key, most=1)
    return first[0].submission if first else None


def moved_findings(
    connection: Connection, context: Context, kind: ReportKind, period: Period
) -> Iterator[Finding]:
    """A warning for each account whose accepted figures, of this period or an earlier one, have moved."""
    if not kind.reports_months:
        return
    amounts = context.report_settings[kind.code].amounts
    for month in reported.moved_months(connection, context.provider, amounts, _SHOWN_PER_MONTH):
        if month.month <= period.key:
            yield from _of_month(month, is_this=month.month == period.key, is_last=_is_last(month, period))


def _is_last(month: MovedMonth, period: Period) -> bool:
    return month.month == period.previous().key


def _of_month(month: MovedMonth, *, is_this: bool, is_last: bool) -> Iterator[Finding]:
    for item in month.shown:
        message = _("AJPES accepted other figures: {difference}", difference=item.in_words())
        if is_last:
            opening = _("the opening balance of this report differs from what was accepted")
            message = joined((message, opening))
        record = _("account {account} in {month:period}", account=item.account, month=item.month)
        yield _finding(month, record, message)
    if (more := month.count - len(month.shown)) > 0:
        record = _n(
            "{count:count} more account in {month:period}",
            "{count:count} more accounts in {month:period}",
            more,
            month=month.month,
        )
        message = _("so do their figures of {month:period}", month=month.month)
        yield _finding(month, record, _("so do their figures of it") if is_this else message)


def _finding(month: MovedMonth, record: Message, message: Message) -> Finding:
    return Finding(
        Severity.WARNING,
        record,
        "closing_balance_cents",
        "spapp.accepted-otherwise",
        message,
        remedy=_(
            "if that month is to be sent again, `ajpes-reporting resubmit {submission}`",
            submission=month.submission,
        ),
        location="Pi",
    )
