"""Proves that AJPES holds what the ledger says was accepted: event by event, account by account, to the cent.

One side is rebuilt from accepted bytes alone (`queries.held`), the other is the ledger; the database compares
them set by set, and only what differs is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, exists, func, literal, or_, select

from ajpes_reporting.database.amounts import as_reported
from ajpes_reporting.database.tables import (
    account_months,
    accounts,
    answer_rows,
    answers,
    debtors,
    events,
    obligations,
    pending_events,
    postings,
    submission_events,
    submissions,
    withdrawn_events,
)
from ajpes_reporting.domain.columns import EVENT_COLUMNS, FIELDS, OBLIGATION_COLUMNS
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.domain.states import ACCEPTED_STATES
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.months import FIGURES
from ajpes_reporting.ledger.reported import Figures, figures_reported, is_open
from ajpes_reporting.queries.held import (
    Amount,
    dropped_events,
    held_accounts,
    held_events,
    held_obligations,
)
from ajpes_reporting.reports.kind import ROWS_AT_A_TIME
from ajpes_reporting.reports.nodurs import NODURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection

    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.queries.held import AcceptedReport, Held, HeldMonth


MOST_KEPT = 1_000
"""So many disagreements are kept for who shows a proof; `Comparison.disagreements` gives all."""


class Kind(StrEnum):
    """The ways in which the two sides may disagree about a record; the values are public."""

    UNKNOWN_OBLIGATION = "obligation unknown to the ledger"
    UNKNOWN_EVENT = "event unknown to the ledger"
    OTHER_VALUE = "other value"
    NOT_HELD = "not held by AJPES"
    NOT_COUNTED = "not counted as accepted"
    DROPPED = "missing in a later report"
    UNKNOWN_ACCOUNT = "account unknown to the ledger"
    NOT_REPORTED = "account missing in the report"
    NOT_OPEN = "account not open in the month"
    POSTINGS = "month differs from its postings"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One record about which the two sides say different things.

    `obligation` and `event`, or `account` and `month`, say which record. `field` is one of the ledger's
    columns, with what AJPES and the ledger have in it; empty where it is about the whole record.
    """

    kind: Kind
    obligation: str = ""
    event: str = ""
    account: str = ""
    month: str = ""
    submission: int | None = None
    field: str = ""
    held: Any = None
    ledger: Any = None

    @property
    def record(self) -> Message:
        """The record, as a person names it."""
        if self.account:
            return _("account {account}, {month:period}", account=self.account, month=self.month)
        if self.event:
            return _("obligation {obligation}, event {event}", obligation=self.obligation, event=self.event)
        return _("obligation {obligation}", obligation=self.obligation)

    def in_words(self) -> Message:
        """Says what the two sides have, on one line."""
        if self.kind is Kind.OTHER_VALUE or self.kind is Kind.POSTINGS:
            facts = {"field": FIELDS[self.field].label, "held": self.held, "ledger": self.ledger}
            if self.kind is Kind.POSTINGS:
                return _("{field}: the month has {ledger:eur}, its postings add up to {held:eur}", **facts)
            if self.field.endswith("_cents"):
                return _("{field}: AJPES has {held:eur}, the ledger {ledger:eur}", **facts)
            nothing = _("nothing")
            facts |= {"held": self.held or nothing, "ledger": self.ledger or nothing}
            return _("{field}: AJPES has {held}, the ledger {ledger}", **facts)
        return _WORDS[self.kind]


_WORDS = {
    Kind.UNKNOWN_OBLIGATION: _("AJPES holds the obligation; the ledger does not know it"),
    Kind.UNKNOWN_EVENT: _("AJPES holds the event; the ledger does not know it"),
    Kind.NOT_HELD: _("the ledger counts the event as accepted; no accepted report has it"),
    Kind.NOT_COUNTED: _("AJPES holds the event; the ledger counts it as not accepted yet"),
    Kind.DROPPED: _("an accepted report has the event; a later accepted one of its obligation lacks it"),
    Kind.UNKNOWN_ACCOUNT: _("AJPES holds the account; the ledger does not know it"),
    Kind.NOT_REPORTED: _("the account was open in the month; the accepted report lacks it"),
    Kind.NOT_OPEN: _("AJPES holds the account; the ledger has it closed in that month"),
}


@dataclass(frozen=True, slots=True)
class NodursProof:
    """The sums of both sides over all obligations, in cents.

    `held` is what AJPES holds, `accepted` what the ledger counts as accepted. `purged` among these are the
    events that only reports have whose bytes were purged after their time. `waiting` is not accepted yet,
    `withdrawn` never goes.
    """

    obligations: int
    held: Amount
    accepted: Amount
    purged: Amount
    waiting: Amount
    withdrawn: Amount

    @property
    def agrees(self) -> bool:
        """Whether both sides have the same number of events, with the same sum."""
        provable = Amount(self.accepted.count - self.purged.count, self.accepted.cents - self.purged.cents)
        return self.held == provable


@dataclass(frozen=True, slots=True)
class MonthLine:
    """One account of a month: in the ledger, by its postings, and in the report that AJPES accepted.

    `ledger` are the figures as they would be reported now, in cents, `written` the same as the report would
    have them; without them the account is not in the report. `origin` of the month is "imported", "closed"
    (summed up from postings) or empty (carried on). `posted` are turnovers by postings: credit, debit.
    `answer` is what AJPES said of the account, the first of it.
    """

    account: str
    month: str
    submission: int
    ledger: Figures | None
    written: Figures | None
    held: Figures | None
    origin: str
    posted: tuple[int, int] | None
    answer: str
    disagreements: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True)
class MonthProof:
    """A month as AJPES holds it, and the number of `disagreements` with the ledger."""

    held: HeldMonth
    disagreements: int


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a comparison: the sums of both sides, and the first of `count` disagreements."""

    agrees: bool
    reports: tuple[AcceptedReport, ...]
    nodurs: NodursProof | None
    months: tuple[MonthProof, ...]
    count: int
    disagreements: tuple[Disagreement, ...]


class Comparison:
    """Compares everything that AJPES holds with the ledger of a provider."""

    def __init__(self, held: Held, provider: str) -> None:
        self._held = held
        self._provider = provider
        self._nodurs: NodursProof | None = None
        self._months: list[MonthProof] = []
        self._first: list[Disagreement] = []
        self._count = 0

    def disagreements(self) -> Iterator[Disagreement]:
        """Yields every record about which the two sides disagree; once, however many they are."""
        for one in self._compared():
            self._count += 1
            if self._count <= MOST_KEPT:
                self._first.append(one)
            yield one

    def proof(self) -> Proof:
        """Returns the result, once all disagreements have been read."""
        agrees = not self._count and (self._nodurs is None or self._nodurs.agrees)
        return Proof(
            agrees, self._held.reports, self._nodurs, tuple(self._months), self._count, tuple(self._first)
        )

    def _compared(self) -> Iterator[Disagreement]:
        if NODURS in self._held.kinds:
            self._nodurs = _prove_nodurs(self._held, self._provider)
            yield from _nodurs_disagreements(self._held, self._provider)
        for month in self._held.months():
            found = 0
            for line in month_lines(self._held, self._provider, month):
                found += len(line.disagreements)
                yield from line.disagreements
            self._months.append(MonthProof(month, found))


def _prove_nodurs(held: Held, provider: str) -> NodursProof:
    connection = held.connection
    accepted = _sum(connection, _ledger_events(provider).where(~_is_pending(), ~_is_withdrawn()))
    return NodursProof(
        obligations=held.obligation_count(),
        held=held.events(),
        accepted=accepted,
        purged=_sum(connection, _not_held(held, provider, purged=True)),
        waiting=_sum(connection, _ledger_events(provider).where(_is_pending(), ~_is_withdrawn())),
        withdrawn=_sum(connection, _ledger_events(provider).where(_is_withdrawn())),
    )


def _nodurs_disagreements(held: Held, provider: str) -> Iterator[Disagreement]:
    connection = held.connection
    for row in _stream(connection, _held_otherwise(provider)):
        yield from _held_row(row._mapping)
    for row in _stream(connection, _not_held(held, provider, purged=False)):
        yield Disagreement(Kind.NOT_HELD, row.obligation_id, row.event_id)
    for row in _stream(connection, select(dropped_events)):
        yield Disagreement(Kind.DROPPED, row.obligation_id, row.event_id, submission=row.missing_in)


def month_lines(held: Held, provider: str, of: HeldMonth) -> Iterator[MonthLine]:
    """Yields every account of a month that AJPES accepted: the ledger's by number, then others."""
    connection, month, submission = held.connection, of.month, of.submission
    amounts = connection.scalar(
        select(held_accounts.c.amounts).where(held_accounts.c.submission == submission).limit(1)
    )
    for row in _stream(connection, _sheet(provider, month, submission, amounts or "cents")):
        yield _month_line(row._mapping, month, submission)
    for row in _stream(connection, _unknown_accounts(provider, submission)):
        figures = Figures(*(row._mapping[name] for name in FIGURES))
        unknown = Disagreement(Kind.UNKNOWN_ACCOUNT, account=row.account, month=month, submission=submission)
        yield MonthLine(row.account, month, submission, None, None, figures, "", None, "", (unknown,))


def _ledger_events(provider: str) -> Select[Any]:
    return (
        select(obligations.c.obligation_id, events.c.event_id, events.c.amount_cents)
        .join_from(events, obligations, events.c.obligation == obligations.c.id)
        .where(obligations.c.provider == provider)
    )


def _is_pending() -> ColumnElement[bool]:
    return exists().where(pending_events.c.event == events.c.id)


def _is_withdrawn() -> ColumnElement[bool]:
    return exists().where(withdrawn_events.c.event == events.c.id)


def _sum(connection: Connection, of: Select[Any]) -> Amount:
    rows = of.subquery("of")
    count, cents = connection.execute(
        select(func.count(), func.coalesce(func.sum(rows.c.amount_cents), 0)).select_from(rows)
    ).one()
    return Amount(count, int(cents))


def _held_otherwise(provider: str) -> Select[Any]:
    """The events that AJPES holds and the ledger lacks, has otherwise, or does not count as accepted."""
    values = [(held_events.c[column.name], events.c[_ledger_name(column.name)]) for column in EVENT_COLUMNS]
    head = [
        (held_obligations.c.issuer, obligations.c.issuer),
        (held_obligations.c.debtor_tax_number, debtors.c.tax_number),
        (held_obligations.c.debtor_account, obligations.c.debtor_account),
    ]
    differs = [ours.is_distinct_from(theirs) for theirs, ours in (*values, *head)]
    spelling = debtors.alias("spelling")
    is_spelt_so = exists().where(
        spelling.c.provider == provider,
        spelling.c.tax_number == held_obligations.c.debtor_tax_number,
        spelling.c.name == held_obligations.c.debtor_name,
    )
    of_ledger = (*values, *head, (held_obligations.c.debtor_name, debtors.c.name))
    return (
        select(
            held_obligations.c.obligation_id,
            held_obligations.c.submission,
            held_events.c.event_id,
            held_events.c.place,
            obligations.c.id.label("is_known"),
            events.c.id.label("event_is_known"),
            pending_events.c.event.label("is_pending"),
            is_spelt_so.label("is_spelt_so"),
            *(theirs.label(f"held_{theirs.name}") for theirs, _ours in of_ledger),
            *(ours.label(f"ledger_{theirs.name}") for theirs, ours in of_ledger),
        )
        .select_from(held_events)
        .join(held_obligations, held_obligations.c.id == held_events.c.obligation)
        .outerjoin(
            obligations,
            and_(
                obligations.c.provider == provider,
                obligations.c.obligation_id == held_obligations.c.obligation_id,
            ),
        )
        .outerjoin(debtors, debtors.c.id == obligations.c.debtor)
        .outerjoin(
            events,
            and_(events.c.obligation == obligations.c.id, events.c.event_id == held_events.c.event_id),
        )
        .outerjoin(pending_events, pending_events.c.event == events.c.id)
        .where(or_(pending_events.c.event.is_not(None), ~is_spelt_so, *differs))
        .order_by(held_obligations.c.obligation_id, held_events.c.place)
    )


def _ledger_name(column: str) -> str:
    return "recorded_as" if column == "recorded_at" else column


def _held_row(row: Any) -> Iterator[Disagreement]:
    about = {"obligation": row["obligation_id"], "submission": row["submission"]}
    if row["is_known"] is None:
        yield Disagreement(Kind.UNKNOWN_OBLIGATION, event=row["event_id"], **about)
        return
    for column in OBLIGATION_COLUMNS if row["place"] == 1 else ():  # all events of an obligation repeat them
        name = column.name
        if name == "obligation_id" or (name == "debtor_name" and row["is_spelt_so"]):
            continue
        held, ledger = row[f"held_{name}"], row[f"ledger_{name}"]
        if held != ledger:
            yield Disagreement(Kind.OTHER_VALUE, field=name, held=held, ledger=ledger, **about)
    if row["event_is_known"] is None:
        yield Disagreement(Kind.UNKNOWN_EVENT, event=row["event_id"], **about)
        return
    for column in EVENT_COLUMNS:
        held, ledger = row[f"held_{column.name}"], row[f"ledger_{column.name}"]
        if held != ledger:
            yield Disagreement(
                Kind.OTHER_VALUE, event=row["event_id"], field=column.name, held=held, ledger=ledger, **about
            )
    if row["is_pending"] is not None:
        yield Disagreement(Kind.NOT_COUNTED, event=row["event_id"], **about)


def _not_held(held: Held, provider: str, *, purged: bool) -> Select[Any]:
    """Events that count as accepted and that AJPES does not hold: of purged reports alone, or others."""
    is_held = exists().where(
        held_obligations.c.obligation_id == obligations.c.obligation_id,
        held_events.c.obligation == held_obligations.c.id,
        held_events.c.event_id == events.c.event_id,
    )
    accepted = (
        select(submissions.c.id)
        .join(submission_events, submission_events.c.submission == submissions.c.id)
        .where(
            submission_events.c.event == events.c.id,
            submissions.c.state.in_([state.value for state in ACCEPTED_STATES]),
        )
    )
    gone = [report.submission for report in held.purged]
    was_purged = accepted.where(submissions.c.id.in_(gone)).exists()
    is_there = accepted.where(submissions.c.id.not_in(gone)).exists()
    only_purged = and_(was_purged, ~is_there)
    return _ledger_events(provider).where(
        ~_is_pending(), ~_is_withdrawn(), ~is_held, only_purged if purged else ~only_purged
    )


def _sheet(provider: str, month: str, submission: int, amounts: Amounts) -> Select[Any]:
    """Every account of the month: in the ledger, as a report would write that, and as AJPES holds it."""
    unit_cents = 100 if amounts == "euros" else 1
    period = parse_month(month)
    now, report = account_months.alias("now"), held_accounts.alias("report")
    booked = postings.alias("booked")
    credit = func.coalesce(func.sum(booked.c.amount_cents).filter(booked.c.amount_cents > 0), 0)
    debit = func.coalesce(-func.sum(booked.c.amount_cents).filter(booked.c.amount_cents < 0), 0)
    posted = (
        select(booked.c.account, credit.label("posted_credit"), debit.label("posted_debit"))
        .where(
            booked.c.provider == provider,
            booked.c.booked_on >= period.first_day,
            booked.c.booked_on < period.next().first_day,
        )
        .group_by(booked.c.account)
        .subquery("posted")
    )
    said = (
        select(answer_rows.c.account, func.min(answer_rows.c.text).label("answer"))
        .join(answers, answers.c.id == answer_rows.c.answer)
        .where(answers.c.submission == submission, answer_rows.c.account.is_not(None))
        .group_by(answer_rows.c.account)
        .subquery("said")
    )
    figures = figures_reported(now, accounts.c.id, literal(month))
    opened = is_open(accounts, literal(month))
    return (
        select(
            accounts.c.account,
            opened.label("is_open"),
            now.c.origin,
            posted.c.posted_credit,
            posted.c.posted_debit,
            said.c.answer,
            *(figure.label(f"ledger_{name}") for name, figure in zip(FIGURES, figures, strict=True)),
            *(
                (as_reported(figure, amounts) * unit_cents).label(f"written_{name}")
                for name, figure in zip(FIGURES, figures, strict=True)
            ),
            *(now.c[name].label(f"month_{name}") for name in FIGURES[:2]),
            *(report.c[name].label(f"held_{name}") for name in FIGURES),
        )
        .select_from(accounts)
        .outerjoin(now, and_(now.c.account == accounts.c.id, now.c.month == month))
        .outerjoin(report, and_(report.c.account == accounts.c.account, report.c.submission == submission))
        .outerjoin(posted, posted.c.account == accounts.c.id)
        .outerjoin(said, said.c.account == accounts.c.account)
        .where(accounts.c.provider == provider, or_(opened, report.c.account.is_not(None)))
        .order_by(accounts.c.account)
    )


def _unknown_accounts(provider: str, submission: int) -> Select[Any]:
    known = exists().where(accounts.c.provider == provider, accounts.c.account == held_accounts.c.account)
    return (
        select(held_accounts)
        .where(held_accounts.c.submission == submission, ~known)
        .order_by(held_accounts.c.account)
    )


def _month_line(row: Mapping[str, Any], month: str, submission: int) -> MonthLine:
    ledger, written = (_figures(row, side) if row["is_open"] else None for side in ("ledger", "written"))
    held = _figures(row, "held")
    posted = None if row["posted_credit"] is None else (int(row["posted_credit"]), int(row["posted_debit"]))
    about = {"account": row["account"], "month": month, "submission": submission}
    line = MonthLine(
        row["account"],
        month,
        submission,
        ledger,
        written,
        held,
        row["origin"] or "",
        posted,
        row["answer"] or "",
    )
    return replace(line, disagreements=tuple(_disagreements(line, row, about)))


def _figures(row: Mapping[str, Any], side: str) -> Figures | None:
    values = [row[f"{side}_{name}"] for name in FIGURES]
    return None if values[0] is None else Figures(*values)


def _disagreements(
    line: MonthLine, row: Mapping[str, Any], about: Mapping[str, Any]
) -> Iterator[Disagreement]:
    if line.held is None:
        yield Disagreement(Kind.NOT_REPORTED, **about)
    elif line.written is None:
        yield Disagreement(Kind.NOT_OPEN, **about)
    else:
        for name in FIGURES:
            held, ledger = getattr(line.held, name), getattr(line.written, name)
            if held != ledger:
                yield Disagreement(Kind.OTHER_VALUE, field=name, held=held, ledger=ledger, **about)
    if line.origin == "closed":
        for name, posted in zip(FIGURES, line.posted or (0, 0), strict=False):
            if posted != (ledger := row[f"month_{name}"]):
                yield Disagreement(Kind.POSTINGS, field=name, held=posted, ledger=ledger, **about)


def _stream(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    with connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}) as rows:
        yield from rows
