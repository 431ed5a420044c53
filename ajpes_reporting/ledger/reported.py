"""The figures that monthly reports gave for an account, where the ledger has others by now.

A million rows of a report are not kept twice: of most accounts the ledger still says what was reported. What
it moves away from is noted as it moves (see `later_months`), so that the cost follows the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, literal, or_, select

from ajpes_reporting.database.amounts import as_reported
from ajpes_reporting.database.tables import account_months, accounts, reported_figures, submissions
from ajpes_reporting.database.types import month_of
from ajpes_reporting.domain.states import ACCEPTED_STATES
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.months import FIGURES, LastKnown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Select, Subquery

    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.i18n import Message

_REPORT = "SPAPP"  # the report that tells of account months
_SHOWN_PER_MONTH = 20
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Turnover and closing balance of one account in one month, in cents."""

    credit_turnover_cents: int
    debit_turnover_cents: int
    closing_balance_cents: int

    def in_words(self) -> Message:
        """Returns the three amounts on one line."""
        return _(
            "balance {balance:eur}, credit {credit:eur}, debit {debit:eur}",
            balance=self.closing_balance_cents,
            credit=self.credit_turnover_cents,
            debit=self.debit_turnover_cents,
        )

    def __str__(self) -> str:
        return str(self.in_words())


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose figures of a month, "2026-10", are not those that AJPES accepted.

    `submission` is the accepted one. Without figures: the account is not in the report.
    """

    account: str
    month: str
    submission: int
    accepted: Figures | None
    now: Figures | None

    def in_words(self) -> Message:
        """Returns what was accepted and what the ledger says now, on one line."""
        absent = _("not in the report")
        accepted, now = (side.in_words() if side else absent for side in (self.accepted, self.now))
        return _("accepted: {accepted}; now: {now}", accepted=accepted, now=now)

    def __str__(self) -> str:
        return str(self.in_words())


@dataclass(frozen=True, slots=True)
class MovedMonth:
    """An accepted month of which some accounts have other figures by now; the first of them are `shown`."""

    month: str
    submission: int
    count: int
    shown: tuple[Difference, ...]


def differences(
    connection: Connection,
    provider: str,
    amounts: Amounts = "euros",
    month: str | None = None,
    most: int | None = None,
) -> list[Difference]:
    """Accounts whose figures differ from those that AJPES accepted, by month and account number.

    Only what differs in the report counts, which may give whole euros (`amounts`). `month`: of this one
    alone; `most`: the first ones.
    """
    return list(stream_differences(connection, provider, amounts, month, most))


def stream_differences(
    connection: Connection,
    provider: str,
    amounts: Amounts = "euros",
    month: str | None = None,
    most: int | None = None,
) -> Iterator[Difference]:
    """Yields the differences one by one, however many they are, while the transaction lasts."""
    found = _differing(provider, amounts, month)
    statement = select(found).order_by(found.c.month, found.c.account).limit(most)
    with connection.execute(statement, execution_options={"yield_per": _ROWS_AT_A_TIME}) as rows:
        yield from (_difference(*row) for row in rows)


def moved_months(
    connection: Connection, provider: str, amounts: Amounts = "euros", most: int = _SHOWN_PER_MONTH
) -> list[MovedMonth]:
    """The accepted months whose figures have moved, the oldest first, each with its first `most` accounts."""
    found = _differing(provider, amounts)
    counted = select(found.c.month, found.c.submission, func.count()).group_by(
        found.c.month, found.c.submission
    )
    return [
        MovedMonth(month, key, count, tuple(differences(connection, provider, amounts, month, most)))
        for month, key, count in connection.execute(counted.order_by(found.c.month))
    ]


def reported_months(provider: str) -> Subquery:
    """In a query, each month that was reported, accepted or not, with its newest submission."""
    return _newest_submissions(provider).subquery("reported_months")


def is_open(of: FromClause, month: ColumnElement[str]) -> ColumnElement[bool]:
    """In a query, whether an account was open in the month on at least one day, and so is in its report."""
    closed = or_(of.c.closed_on.is_(None), month_of(of.c.closed_on) >= month)
    return and_(month_of(of.c.opened_on) <= month, closed)


def figures_reported(
    row: FromClause, account: ColumnElement[int], month: ColumnElement[str]
) -> list[ColumnElement[int]]:
    """In a query, the figures of an account as its report gives them; `row` is outer-joined and may be empty.

    An account without a row stands in the report with its last known balance.
    """
    credit, debit, closing = (row.c[name] for name in FIGURES)
    carried = func.coalesce(closing, LastKnown(account, month).closing_balance, 0)
    return [func.coalesce(credit, 0), func.coalesce(debit, 0), carried]


def _newest_submissions(provider: str) -> Select[Any]:
    newest = select(submissions.c.period.label("month"), func.max(submissions.c.id).label("submission"))
    mine = (submissions.c.provider == provider, submissions.c.report == _REPORT)
    return newest.where(*mine).group_by(submissions.c.period)


def _differing(provider: str, amounts: Amounts, month: str | None = None) -> Subquery:
    """Selects the figures of accepted months that differ from those AJPES holds.

    A report that took the place of the accepted one said the same of an account, if nothing was noted in
    between: the figures noted first, of either, are those that AJPES holds.
    """
    accepted = _accepted(provider, month)
    first = (
        select(
            accepted.c.month,
            accepted.c.submission,
            reported_figures.c.account,
            func.min(reported_figures.c.submission).label("noted_for"),
        )
        .select_from(accepted)
        .join(
            submissions,
            and_(
                submissions.c.provider == provider,
                submissions.c.report == _REPORT,
                submissions.c.period == accepted.c.month,
                submissions.c.id >= accepted.c.submission,
            ),
        )
        .join(reported_figures, reported_figures.c.submission == submissions.c.id)
        .group_by(accepted.c.month, accepted.c.submission, reported_figures.c.account)
        .subquery("first_noted")
    )
    then, now = reported_figures.alias("then"), account_months.alias("now")
    figures = figures_reported(now, accounts.c.id, first.c.month)
    was_in, is_in = then.c[FIGURES[0]].is_not(None), is_open(accounts, first.c.month)
    moved = or_(
        *(
            as_reported(then.c[name], amounts) != as_reported(figure, amounts)
            for name, figure in zip(FIGURES, figures, strict=True)
        )
    )
    return (
        select(
            accounts.c.account,
            first.c.month,
            first.c.submission,
            *(then.c[name].label(f"accepted_{name}") for name in FIGURES),
            is_in.label("is_in"),
            *(figure.label(name) for name, figure in zip(FIGURES, figures, strict=True)),
        )
        .select_from(first)
        .join(then, and_(then.c.submission == first.c.noted_for, then.c.account == first.c.account))
        .join(accounts, accounts.c.id == first.c.account)
        .outerjoin(now, and_(now.c.account == first.c.account, now.c.month == first.c.month))
        .where(or_(was_in != is_in, and_(is_in, moved)))
        .subquery("differing")
    )


def _accepted(provider: str, month: str | None) -> Subquery:
    states = [state.value for state in ACCEPTED_STATES]
    newest = _newest_submissions(provider).where(submissions.c.state.in_(states))
    if month is not None:
        newest = newest.where(submissions.c.period == literal(month))
    return newest.subquery("accepted")


def _difference(account: str, month: str, submission: int, *figures: Any) -> Difference:
    accepted, is_in, now = figures[:3], figures[3], figures[4:]
    return Difference(account, month, submission, _figures(accepted), _figures(now) if is_in else None)


def _figures(cents: Sequence[int | None]) -> Figures | None:
    credit, debit, closing = cents
    if credit is None or debit is None or closing is None:
        return None
    return Figures(credit, debit, closing)
