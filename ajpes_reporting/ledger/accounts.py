"""Merges staged accounts, months and postings into the ledger."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, exists, func, literal, or_, select, update

from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.database.types import month_of
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.domain.rules import account_name, posting_name
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.contradictions import Comparison, contradictions, is_other, restated
from ajpes_reporting.ledger.findings import MOST
from ajpes_reporting.ledger.later_months import follow, following, newest_month
from ajpes_reporting.ledger.merge import Merge
from ajpes_reporting.ledger.months import CLOSED, FIGURES, IMPORTED, put_months
from ajpes_reporting.ledger.reported import reported_months
from ajpes_reporting.ledger.restatement import HOLDER, restate_accounts, restate_months
from ajpes_reporting.ledger.staging import (
    add_new,
    newest,
    repeated,
    rows_changed,
    settle,
    staged_account_months,
    staged_accounts,
    staged_postings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select, Table, Update


_RESTATE = _(
    "correct the row; if it is right and the ledger is wrong, restate it with"
    " `ledger import FILE --restate --reason …`"
)
_BALANCE = _(
    "correct the row; a posting is never restated: if the ledger is wrong, balance it by another one"
)
_STORED = (*HOLDER, "clean_under")


class MergeAccounts(Merge):
    """New accounts, known ones that closed, and those that are restated."""

    staged = (staged_accounts,)
    into = (accounts,)

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_accounts)
        last = newest(self._connection, accounts)
        rows_new = _add_accounts(self._connection, self._provider)
        if rows_new < rows:
            rows_new += self._renew_known(last)
        self._found.refuse_errors()
        return rows_new

    def _renew_known(self, last: int) -> int:
        """Renews known accounts, and the months that belong to them. Says how many have closed."""
        connection, compared = self._connection, _accounts_compared(self._provider, last)
        touched = _accounts_moved(compared, self._provider)
        with following(connection, self._provider, touched):
            closings = _closings(self._provider, last)
            if self.restatement:  # then closing is a part of that, or it would hide what stood there before
                closings = closings.where(accounts.c.id.not_in(_otherwise_than_closed(compared)))
            rows_closed = rows_changed(connection, closings)
            if self.restatement:
                self.restated = tuple(restated(connection, compared))
                differing = _differing(compared, accounts.c.id)
                self.rows_restated = restate_accounts(connection, differing, self.restatement)
        self._found.add(contradictions(connection, compared))
        return rows_closed


class MergeAccountMonths(Merge):
    """Months of known accounts; they take the place of those summed up from postings, or are restated."""

    staged = (staged_account_months,)
    into = ()

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_account_months)
        self._found.add(_unknown_accounts(self._connection, self._provider, staged_account_months))
        self._found.refuse_errors()
        last = newest(self._connection, account_months)
        compared = _months_compared(self._provider, last)
        with self._followed():
            if self.restatement:
                self.restated = tuple(restated(self._connection, compared))
                differing = _differing(compared, account_months.c.id)
                self.rows_restated = restate_months(self._connection, differing, self.restatement)
            rows_new = put_months(self._connection, _new_months(self._provider))
        if rows_new < rows:
            self._found.add(contradictions(self._connection, compared))
        self._found.refuse_errors()
        return rows_new

    def _followed(self) -> AbstractContextManager[None]:
        """Renews later months after the block, unless none is as new as those that come in."""
        oldest = self._connection.scalar(select(func.min(staged_account_months.c.month)))
        last = newest_month(self._connection, self._provider)
        if oldest is None or last is None or oldest > last:
            return nullcontext()
        return following(self._connection, self._provider, _months_touched(self._provider))


class MergePostings(Merge):
    """Postings of known accounts."""

    staged = (staged_postings,)
    into = (postings,)

    def finish(self, rows: int) -> int:
        settle(self._connection, staged_postings)
        self._found.add(_unknown_accounts(self._connection, self._provider, staged_postings))
        self._found.refuse_errors()
        self._found.add(_booked_ahead(self._connection, self._found.source.read_at))
        last = newest(self._connection, postings)
        rows_new = _add_postings(self._connection, self._provider)
        if rows_new:
            self._move_months(last)
        if rows_new < rows:
            self._found.add(contradictions(self._connection, _postings_compared(self._provider, last)))
        self._found.refuse_errors()
        return rows_new

    def _move_months(self, last: int) -> None:
        """Most postings are newer than any month that has a row."""
        month = newest_month(self._connection, self._provider)
        if month is not None:
            is_late = (postings.c.id > last) & (postings.c.booked_on <= parse_month(month).last_day)
            self._found.add(_in_imported_months(self._connection, is_late))
            follow(self._connection, self._provider, _accounts_of(is_late))


# --- What is new ----------------------------------------------------------------------------------


def _add_accounts(connection: Connection, provider: str) -> int:
    staged = staged_accounts.c
    rows = select(literal(provider), staged.account, *(staged[name] for name in _STORED))
    key = ("provider", "account")
    return add_new(connection, accounts, key, (*key, *_STORED), rows.order_by(staged.line))


def _closings(provider: str, last: int) -> Update:
    """From open to closed: the one change to a known account."""
    staged = staged_accounts.c
    closed_on = (
        select(func.min(staged.closed_on)).where(staged.account == accounts.c.account).scalar_subquery()
    )
    return (
        update(accounts)
        .where(accounts.c.provider == provider, accounts.c.id <= last, accounts.c.closed_on.is_(None))
        .where(exists().where(staged.account == accounts.c.account, staged.closed_on.is_not(None)))
        .values(closed_on=closed_on)
    )


def _new_months(provider: str) -> Select[tuple[int]]:
    staged = staged_account_months.c
    known = exists().where(
        account_months.c.account == accounts.c.id,
        account_months.c.month == staged.month,
        account_months.c.origin != CLOSED,
    )
    return (
        select(accounts.c.id, staged.month, *(staged[name] for name in FIGURES), literal(IMPORTED))
        .select_from(staged_account_months)
        .join(accounts, _account_of(staged_account_months, provider))
        .where(~known, ~repeated(staged_account_months))
        .order_by(staged.line)
    )


def _add_postings(connection: Connection, provider: str) -> int:
    staged = staged_postings.c
    rows = (
        select(literal(provider), staged.posting_id, accounts.c.id, staged.booked_on, staged.amount_cents)
        .select_from(staged_postings)
        .join(accounts, _account_of(staged_postings, provider))
        .order_by(staged.line)
    )
    key = ("provider", "posting_id")
    return add_new(connection, postings, key, (*key, "account", "booked_on", "amount_cents"), rows)


# --- What moves months ----------------------------------------------------------------------------


def _accounts_of(is_late: ColumnElement[bool]) -> Select[Any]:
    since = func.min(month_of(postings.c.booked_on))
    return select(postings.c.account, since).where(is_late).group_by(postings.c.account)


def _accounts_moved(compared: Comparison, provider: str) -> Select[Any]:
    """Known accounts that open or close on another day than a report that was made could know."""
    (opens, opened), (closes, closed) = (compared.pairs[name] for name in ("opened_on", "closed_on"))
    other_opening = opens.is_distinct_from(opened)
    day = case(
        (other_opening, case((opens < opened, opens), else_=opened)),
        (closed.is_(None) | (closes < closed), closes),
        else_=closed,
    )
    newest_report = select(func.max(reported_months(provider).c.month)).scalar_subquery()
    return (
        select(accounts.c.id, func.min(month_of(day)))
        .select_from(compared.joined)
        .where(or_(other_opening, closes.is_distinct_from(closed)), month_of(day) <= newest_report)
        .where(~compared.is_new)
        .group_by(accounts.c.id)
    )


def _months_touched(provider: str) -> Select[Any]:
    """Accounts of which a month comes in, or is given anew, that another month or a report follows from."""
    staged = staged_account_months.c
    known = account_months.alias("known")
    figures = ((staged[name], known.c[name]) for name in FIGURES)
    is_as_known = (known.c.origin == IMPORTED) & ~or_(*(here != there for here, there in figures))
    later = account_months.alias("later")
    follows = exists().where(
        later.c.account == accounts.c.id, later.c.month >= staged.month, later.c.origin == CLOSED
    )
    newest_report = select(func.max(reported_months(provider).c.month)).scalar_subquery()
    return (
        select(accounts.c.id, func.min(staged.month))
        .select_from(staged_account_months)
        .join(accounts, _account_of(staged_account_months, provider))
        .outerjoin(known, (known.c.account == accounts.c.id) & (known.c.month == staged.month))
        .where(or_(known.c.id.is_(None), ~is_as_known), or_(staged.month <= newest_report, follows))
        .group_by(accounts.c.id)
    )


def _differing(compared: Comparison, key: ColumnElement[int]) -> Select[Any]:
    return select(key).select_from(compared.joined).where(~compared.is_new, is_other(compared))


def _otherwise_than_closed(compared: Comparison) -> Select[Any]:
    """Known accounts that differ in more than that they have closed."""
    others = (compared.pairs[name] for name in HOLDER if name != "closed_on")
    differs = or_(*(here.is_distinct_from(there) for here, there in others))
    return select(accounts.c.id).select_from(compared.joined).where(~compared.is_new, differs)


def _in_imported_months(connection: Connection, is_late: ColumnElement[bool]) -> Iterator[Finding]:
    """A month that the bank gave stays as it is, whatever is posted: that must not pass in silence."""
    month = month_of(postings.c.booked_on)
    joined = postings.join(accounts, accounts.c.id == postings.c.account).join(
        account_months,
        (account_months.c.account == postings.c.account)
        & (account_months.c.month == month)
        & (account_months.c.origin == IMPORTED),
    )
    rows = (
        select(postings.c.posting_id, accounts.c.account, month.label("month"), postings.c.amount_cents)
        .select_from(joined)
        .where(is_late)
        .order_by(postings.c.id)
    )
    for posting_id, account, key, cents in connection.execute(rows):
        yield Finding(
            Severity.WARNING,
            posting_name(posting_id),
            "booked_on",
            "posting.imported-month",
            _(
                "{amount:eur} are booked into {month:month}, an imported month of account {account}:"
                " its figures count, and the posting moves no balance",
                amount=cents,
                month=parse_month(key).first_day,
                account=account,
            ),
            _("if these figures lack it, restate the month with `ledger import FILE --restate --reason …`"),
        )


def _booked_ahead(connection: Connection, now: datetime) -> Iterator[Finding]:
    """A posting of 2062 is in no report before that: a wrong year must not pass in silence."""
    staged, today = staged_postings.c, now.astimezone(LJUBLJANA).date()
    rows = select(staged.line, staged.posting_id, staged.booked_on).where(staged.booked_on > today)
    for line, posting_id, day in connection.execute(rows.order_by(staged.line).limit(MOST)):
        yield Finding(
            Severity.WARNING,
            posting_name(posting_id),
            "booked_on",
            "posting.ahead",
            _("booked on {day:date}, a day to come: no report has it before that month", day=day),
            _("compare it with its source"),
            line=line,
        )


# --- What contradicts -----------------------------------------------------------------------------


def _accounts_compared(provider: str, last: int) -> Comparison:
    return Comparison(
        staged=staged_accounts,
        joined=staged_accounts.join(accounts, _account_of(staged_accounts, provider)),
        pairs={name: (staged_accounts.c[name], accounts.c[name]) for name in HOLDER},
        is_new=or_(accounts.c.id > last, repeated(staged_accounts)),
        record=lambda row: account_name(row["account"]),
        remedy=lambda _row, _field: _RESTATE,
    )


def _months_compared(provider: str, last: int) -> Comparison:
    staged = staged_account_months.c
    return Comparison(
        staged=staged_account_months,
        joined=staged_account_months.join(accounts, _account_of(staged_account_months, provider)).join(
            account_months,
            (account_months.c.account == accounts.c.id)
            & (account_months.c.month == staged.month)
            & (account_months.c.origin == IMPORTED),
        ),
        pairs={name: (staged[name], account_months.c[name]) for name in FIGURES},
        is_new=or_(account_months.c.id > last, repeated(staged_account_months)),
        record=lambda row: _(
            "account {account} in {month:period}", account=row["account"], month=row["month"]
        ),
        remedy=lambda _row, _field: _RESTATE,
    )


def _postings_compared(provider: str, last: int) -> Comparison:
    staged = staged_postings.c
    return Comparison(
        staged=staged_postings,
        joined=staged_postings.join(
            postings, (postings.c.provider == provider) & (postings.c.posting_id == staged.posting_id)
        ).join(accounts),
        pairs={
            "account": (staged.account, accounts.c.account),
            "booked_on": (staged.booked_on, postings.c.booked_on),
            "amount_cents": (staged.amount_cents, postings.c.amount_cents),
        },
        is_new=postings.c.id > last,
        record=lambda row: posting_name(row["posting_id"]),
        remedy=lambda _row, _field: _BALANCE,
    )


def _unknown_accounts(connection: Connection, provider: str, staged: Table) -> Iterator[Finding]:
    known = exists().where(_account_of(staged, provider))
    for row in connection.execute(
        select(staged).where(~known).order_by(staged.c.line).limit(MOST)
    ).mappings():
        yield Finding(
            Severity.ERROR,
            account_name(row["account"]),
            "account",
            "account.unknown",
            _("the ledger does not know this account"),
            _("import the accounts first"),
            line=row["line"],
        )


def _account_of(staged: Table, provider: str) -> ColumnElement[bool]:
    return (accounts.c.provider == provider) & (accounts.c.account == staged.c.account)
