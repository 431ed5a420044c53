"""The facts that AJPES holds, rebuilt from the bytes that it accepted and from nothing else.

The audit record says which reports were accepted, and when; their bytes lie in the archive under their hash.
Each report holds the whole history of every obligation in it, so that the newest one that has an obligation
says what AJPES knows of it. The rows are read into temporary tables of a transaction that stores nothing:
memory does not grow with them, and they can be compared with the ledger set by set (`queries.proof`).
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, and_, delete, func, insert, select
from sqlalchemy.schema import CreateTable

from ajpes_reporting.database.engine import scratch
from ajpes_reporting.database.tables import events, submissions
from ajpes_reporting.database.temporary import analyze
from ajpes_reporting.database.types import AccountNumber, Cents, Identifier, Key, Name
from ajpes_reporting.domain.columns import EVENT_COLUMNS, OBLIGATION_COLUMNS, EventRow
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.domain.states import ACCEPTED_STATES
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import chain, purged
from ajpes_reporting.journal.submissions import amounts_of
from ajpes_reporting.ledger.staging import loading
from ajpes_reporting.private import open_private
from ajpes_reporting.reports.kind import ROWS_AT_A_TIME
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.nodurs.read import read_rows
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.reports.spapp.read import read_accounts
from ajpes_reporting.xmlread import UnreadableXml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Select

    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.reports.kind import ReportKind

HELD_KINDS = (NODURS, SPAPP)
"""The kinds of reports whose records can be rebuilt."""

_ROWS_AT_ONCE = 10_000

_tables = MetaData()


def _temporary(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(name, _tables, *columns, prefixes=["TEMPORARY"])


held_obligations = _temporary(
    "held_obligations",
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("submission", Key, nullable=False),
    Column("obligation_id", Identifier, nullable=False),
    Column("issuer", Integer, nullable=False),
    Column("debtor_tax_number", String(8), nullable=False),
    Column("debtor_name", Name, nullable=False),
    Column("debtor_account", AccountNumber, nullable=False),
    Index("held_obligations_key", "obligation_id", "submission"),
)
"""The obligations that AJPES holds, each with the submission that told of it last."""

held_events = _temporary(
    "held_events",
    Column("obligation", Key, primary_key=True, autoincrement=False),
    Column("place", Key, primary_key=True, autoincrement=False),
    *(
        # The time of recording is the text that the bank wrote and AJPES was sent.
        Column(field.name, events.c["recorded_as" if field.name == "recorded_at" else field.name].type)
        for field in EVENT_COLUMNS
    ),
)
"""Their events, in the order of the report; amounts in cents."""

dropped_events = _temporary(
    "dropped_events",
    Column("obligation_id", Identifier, nullable=False),
    Column("event_id", Identifier, nullable=False),
    Column("submission", Key, nullable=False),
    Column("missing_in", Key, nullable=False),
)
"""Events of an accepted report that a later accepted report of their obligation lacks: there must be none."""

held_accounts = _temporary(
    "held_accounts",
    Column("submission", Key, primary_key=True, autoincrement=False),
    Column("month", String(7), nullable=False),
    Column("account", AccountNumber, primary_key=True, autoincrement=False),
    Column("credit_turnover_cents", Cents, nullable=False),
    Column("debit_turnover_cents", Cents, nullable=False),
    Column("closing_balance_cents", Cents, nullable=False),
    Column("amounts", String(7), nullable=False),
)
"""The accounts of each month, as the newest accepted report has them."""


@dataclass(frozen=True, slots=True)
class AcceptedReport:
    """A report that AJPES accepted. `kept`: its bytes are in the archive, and were not purged yet."""

    submission: int
    report: str
    period: str
    file_name: str
    sha256: str
    state: str
    accepted_at: datetime
    record_count: int
    kept: bool


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """One event as AJPES was sent it; `recorded_at` is the text of the report."""

    event_id: str
    cancels_event_id: str | None
    change_type: str
    change_date: Any
    amount_cents: int
    recorded_at: str
    reference_model: str | None
    reference: str | None
    priority: int | None
    creditor_account: str | None
    creditor_name: str | None


@dataclass(frozen=True, slots=True)
class HeldObligation:
    """One obligation as AJPES holds it since `submission` was accepted, with its whole history."""

    obligation: str
    submission: int
    issuer: int
    debtor_tax_number: str
    debtor_name: str
    debtor_account: str
    events: tuple[HeldEvent, ...]


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """The figures of one account in one month, "2026-10", as AJPES holds them, in cents."""

    account: str
    month: str
    submission: int
    credit_turnover_cents: int
    debit_turnover_cents: int
    closing_balance_cents: int


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of records, and the sum of their amounts, in cents."""

    count: int
    cents: int


@dataclass(frozen=True, slots=True)
class HeldMonth:
    """One month as AJPES holds it: the sums over all its accounts, in cents."""

    month: str
    submission: int
    accounts: int
    credit_turnover_cents: int
    debit_turnover_cents: int
    closing_balance_cents: int


@dataclass(frozen=True, slots=True)
class Held:
    """The facts that AJPES holds, in temporary tables; to be asked while their transaction lasts.

    `reports` are the accepted ones, the oldest first. Those that are not `kept` are not in here: what they
    alone told is missing.
    """

    connection: Connection
    kinds: tuple[ReportKind, ...]
    reports: tuple[AcceptedReport, ...]

    @property
    def purged(self) -> tuple[AcceptedReport, ...]:
        """The accepted reports whose bytes were purged after their time."""
        return tuple(report for report in self.reports if not report.kept)

    def obligations(self, obligation: str | None = None) -> Iterator[HeldObligation]:
        """Yields the obligations by their ids; or one alone."""
        yield from self._obligations(None if obligation is None else [obligation])

    def obligations_among(self, ids: Sequence[str]) -> Iterator[HeldObligation]:
        """Yields those of some obligations that AJPES holds; at most a thousand ids at once."""
        yield from self._obligations(ids)

    def _obligations(self, ids: Sequence[str] | None) -> Iterator[HeldObligation]:
        rows = self._stream(_histories(ids))
        for _key, history in groupby(rows, key=attrgetter("id")):
            yield _obligation(list(history))

    def accounts(self, month: str | None = None) -> Iterator[HeldAccount]:
        """Yields the accounts of all months, or of one, by month and number."""
        query = _ACCOUNTS.order_by(held_accounts.c.month, held_accounts.c.account)
        if month is not None:
            query = query.where(held_accounts.c.month == month)
        return (HeldAccount(*row) for row in self._stream(query))

    def accounts_among(self, month: str, numbers: Sequence[str]) -> Iterator[HeldAccount]:
        """Yields those of some accounts that AJPES holds in a month; at most a thousand numbers at once."""
        query = _ACCOUNTS.where(held_accounts.c.month == month, held_accounts.c.account.in_(numbers))
        return (HeldAccount(*row) for row in self._stream(query))

    def events(self) -> Amount:
        """Returns the number of events and the sum of their amounts."""
        count, cents = self.connection.execute(
            select(func.count(), func.coalesce(func.sum(held_events.c.amount_cents), 0))
        ).one()
        return Amount(count, int(cents))

    def obligation_count(self) -> int:
        """Returns the number of obligations."""
        return self.connection.scalar(select(func.count()).select_from(held_obligations)) or 0

    def months(self) -> list[HeldMonth]:
        """Returns the months with their sums, the oldest first."""
        columns = held_accounts.c
        sums = [func.sum(columns[name]) for name in _FIGURES]
        query = (
            select(columns.month, columns.submission, func.count(), *sums)
            .group_by(columns.month, columns.submission)
            .order_by(columns.month)
        )
        return [HeldMonth(*row[:3], *map(int, row[3:])) for row in self.connection.execute(query)]

    def _stream(self, query: Select[Any]) -> Iterator[Any]:
        with self.connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}) as rows:
            yield from rows


_FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")
_ACCOUNTS = select(*(held_accounts.c[name] for name in ("account", "month", "submission", *_FIGURES)))


@contextmanager
def held(
    context: Context,
    kinds: Sequence[ReportKind] = HELD_KINDS,
    until: datetime | None = None,
    progress: Progress = no_progress,
) -> Iterator[Held]:
    """Rebuilds the facts that AJPES holds by these kinds of reports, as accepted until a moment (now).

    `progress` is told records. Raises `UsageError` if the archived bytes of an accepted report are missing,
    changed or unreadable: nothing can be said then.
    """
    with scratch(context.engine) as connection, context.working_folder() as folder:
        reports = _accepted(connection, context, kinds, until)
        for table in _tables.sorted_tables:
            connection.execute(CreateTable(table))
            for index in table.indexes:
                index.create(connection)
        newest = {(one.report, one.period): one.submission for one in reports}
        for report in reports:
            if not report.kept:
                continue
            path = folder / "accepted.xml"
            _extract(context, connection, report, path)
            try:
                if report.report == NODURS.code:
                    _load_events(connection, report, path, progress)
                elif newest[report.report, report.period] == report.submission:
                    whole = amounts_of(connection, report.submission)
                    amounts = cast("Amounts", whole) or context.report_settings[SPAPP.code].amounts
                    _load_accounts(connection, report, path, amounts, progress)
            except (UnreadableXml, ValueError) as error:
                raise _damaged(report) from error
        for table in _tables.sorted_tables:
            analyze(connection, table)
        yield Held(connection, tuple(kinds), tuple(reports))


def _accepted(
    connection: Connection, context: Context, kinds: Iterable[ReportKind], until: datetime | None
) -> list[AcceptedReport]:
    """The accepted reports in the order in which they were made: each knows what those before it told."""
    gone = purged.paths(connection, context.provider)
    found = connection.execute(
        select(submissions)
        .where(
            submissions.c.provider == context.provider,
            submissions.c.report.in_([kind.code for kind in kinds]),
            submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        )
        .order_by(submissions.c.id)
    )
    reports = []
    for row in found:
        accepted_at = _accepted_at(connection, row.id)
        if until is None or accepted_at <= until:
            reports.append(
                AcceptedReport(
                    row.id,
                    row.report,
                    row.period,
                    row.file_name,
                    row.sha256,
                    row.state,
                    accepted_at,
                    row.record_count,
                    row.archive_path not in gone,
                )
            )
    return reports


def _accepted_at(connection: Connection, submission: int) -> datetime:
    accepted = {state.value for state in ACCEPTED_STATES}
    moments = [
        entry.at
        for entry in chain.of_submission(connection, submission)
        if entry.kind == chain.STATE_CHANGED and chain.told_by(entry).get("to") in accepted
    ]
    return datetime.fromisoformat(moments[0])


def _extract(context: Context, connection: Connection, report: AcceptedReport, target: Path) -> None:
    """Writes the plain bytes; raises `UsageError` unless they are those that were sent."""
    path = connection.scalar(select(submissions.c.archive_path).where(submissions.c.id == report.submission))
    digest = hashlib.sha256()
    with open_private(target, "wb") as out:
        for block in context.archive.blocks(path or ""):
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != report.sha256:
        raise _damaged(report)


def _damaged(report: AcceptedReport) -> UsageError:
    return UsageError(
        _(
            "The archived file {file} of submission {submission} is not what was sent.",
            file=report.file_name,
            submission=report.submission,
        ),
        _("restore the archive from a backup; `ajpes-reporting audit verify` names every such file"),
    )


def _load_events(connection: Connection, report: AcceptedReport, path: Path, progress: Progress) -> None:
    """Takes a daily report in, whose histories take the place of those before it."""
    rows = read_rows(path)
    key = connection.scalar(select(func.coalesce(func.max(held_obligations.c.id), 0))) or 0
    last, place = None, 0
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        heads: list[tuple[Any, ...]] = []
        history: list[tuple[Any, ...]] = []
        for row in batch:
            if row.obligation_id != last:
                key, last, place = key + 1, row.obligation_id, 0
                heads.append((key, report.submission, *_values(OBLIGATION_COLUMNS, row)))
            place += 1
            history.append((key, place, *_values(EVENT_COLUMNS, row)))
        loading(connection, held_obligations, heads)()
        loading(connection, held_events, history)()
        progress(len(batch))
    _replace_earlier(connection, report.submission)


def _values(columns: Iterable[Any], row: EventRow) -> list[str | None]:
    return [getattr(row, column.name) or None for column in columns]


def _replace_earlier(connection: Connection, submission: int) -> None:
    """Lets the newest report of an obligation count, and notes the events that it lacks."""
    earlier, newer = held_obligations.alias("earlier"), held_obligations.alias("newer")
    same = and_(newer.c.obligation_id == earlier.c.obligation_id, newer.c.submission == submission)
    replaced = select(earlier.c.id).join(newer, same).where(earlier.c.submission < submission)
    kept = held_events.alias("kept")
    still_there = (
        select(kept.c.place)
        .where(kept.c.obligation == newer.c.id, kept.c.event_id == held_events.c.event_id)
        .exists()
    )
    lacking = (
        select(earlier.c.obligation_id, held_events.c.event_id, earlier.c.submission, newer.c.submission)
        .select_from(earlier.join(newer, same).join(held_events, held_events.c.obligation == earlier.c.id))
        .where(earlier.c.submission < submission, ~still_there)
    )
    connection.execute(insert(dropped_events).from_select(dropped_events.columns.keys(), lacking))
    keys = replaced.subquery("replaced")
    connection.execute(delete(held_events).where(held_events.c.obligation.in_(select(keys.c.id))))
    connection.execute(delete(held_obligations).where(held_obligations.c.id.in_(select(keys.c.id))))


def _load_accounts(
    connection: Connection, report: AcceptedReport, path: Path, amounts: Amounts, progress: Progress
) -> None:
    rows = read_accounts(path, amounts)
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        texts = [(report.submission, report.period, *row) for row in batch]
        loading(connection, held_accounts, texts)()
        progress(len(batch))


def _histories(ids: Sequence[str] | None) -> Select[Any]:
    query = (
        select(held_obligations, *(column for column in held_events.c if column.name != "obligation"))
        .join(held_events, held_events.c.obligation == held_obligations.c.id)
        .order_by(held_obligations.c.obligation_id, held_obligations.c.id, held_events.c.place)
    )
    return query if ids is None else query.where(held_obligations.c.obligation_id.in_(ids))


def _obligation(rows: Sequence[Any]) -> HeldObligation:
    first = rows[0]
    return HeldObligation(
        first.obligation_id,
        first.submission,
        first.issuer,
        first.debtor_tax_number,
        first.debtor_name,
        first.debtor_account,
        tuple(HeldEvent(*(getattr(row, field.name) for field in EVENT_COLUMNS)) for row in rows),
    )
