"""Web payments come into the ledger as postings, and the audit record says when, and from where.

UJP is asked first and the answers are put aside, so that nobody waits for the network with the
ledger locked. Then all of it goes in, in one transaction, by the way that imports take.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import postings
from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.eplacila.paid_payments import PaidPayment, paid_in_file, paid_in_period
from ajpes_reporting.eplacila.payments import Payments
from ajpes_reporting.i18n import _
from ajpes_reporting.journal import chain, due
from ajpes_reporting.ledger.findings import MOST, Source
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import POSTINGS
from ajpes_reporting.ledger.postings import posted_cents, turnover_since
from ajpes_reporting.ledger.staging import newest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.ledger.intake import Line, Taken
    from ajpes_reporting.ledger.postings import Turnover
    from ajpes_reporting.pipeline.context import Context

_REMEDY = _("correct what is named and pull again; what the ledger knows already is skipped")
_LONGEST_ID = 36
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of a pull. `turnover` is that of the new postings, by account and month."""

    source: str
    rows_read: int
    rows_new: int
    rows_known: int
    turnover: tuple[Turnover, ...]


def pull_period(
    context: Context,
    client: Client,
    recipient: str,
    first: date,
    last: date,
    account: str,
    *,
    ask_each: bool,
    progress: Progress = no_progress,
) -> Pulled:
    """Takes the payments of a period into the ledger; see `paid_in_period`.

    `progress` is told payments. Raises what that does, and `LedgerRefused` with its findings; then
    nothing was stored.
    """
    payments = Payments(client, context.engine, context.provider, context.clock)
    paid = paid_in_period(payments, recipient, first, last, account, ask_each=ask_each)
    origin = {"eplacila": recipient, "from": first.isoformat(), "to": last.isoformat()}
    return _pull(
        context,
        _("The statement from {first} to {last}", first=str(first), last=str(last)),
        origin,
        paid,
        progress,
    )


def pull_file(
    context: Context,
    path: Path,
    account: str,
    recipient: str = "",
    progress: Progress = no_progress,
    client: Client | None = None,
) -> Pulled:
    """Takes a statement at hand into the ledger; see `paid_in_file`.

    `client` asks UJP for what the book of web payments tells otherwise; without it that is refused.
    Raises `UsageError`, `LedgerRefused` as above, and what `Client.status` does.
    """
    payments = Payments(client, context.engine, context.provider, context.clock) if client else None
    paid = paid_in_file(context.engine, context.provider, path, account, recipient, payments)
    return _pull(context, path.name, {"file": path.name}, paid, progress)


def posting_id(payment_id: str, part: str) -> str:
    """The posting of one part of a payment: "p" is the payment, "r1" its first reversal.

    It begins with UJP's identifier, so that a person finds it; where that is too long, it is a digest.
    """
    name = f"{payment_id}-{part}"
    return name if len(name) <= _LONGEST_ID else hashlib.sha256(name.encode()).hexdigest()[:_LONGEST_ID]


def _pull(
    context: Context,
    source: str,
    origin: dict[str, Any],
    paid: Iterable[PaidPayment | Finding],
    progress: Progress,
) -> Pulled:
    findings: list[Finding] = []
    right = _right(paid, findings, progress)
    with (
        _put_aside(map(_texts, right)) as aside,
        writing(context.engine) as connection,
        _put_aside(_rows(connection, context.provider, map(_paid_payment, aside))) as rows,
    ):
        last = newest(connection, postings)
        lines: Iterator[Line | Finding] = itertools.chain(
            findings, enumerate(rows, 1)
        )  # what is wrong comes first
        about = Source(source, _REMEDY, context.clock(), has_lines=False)
        taken = take_in(connection, context.provider, POSTINGS, lines, about, context.rules, no_progress)
        _note(context, connection, origin, taken)
        turnover = tuple(turnover_since(connection, context.provider, last))
    return Pulled(source, taken.rows_read, taken.rows_new, taken.rows_known, turnover)


def _note(context: Context, connection: Connection, origin: dict[str, Any], taken: Taken) -> None:
    """As of any import: one that brings nothing new leaves no entry."""
    if taken.rows_new:
        body = {**origin, "kind": POSTINGS.name, "new": taken.rows_new, "known": taken.rows_known}
        chain.append(connection, at=context.clock(), provider=context.provider, kind="import", body=body)
        due.try_now(connection, context.provider)


def _right(
    paid: Iterable[PaidPayment | Finding], findings: list[Finding], progress: Progress
) -> Iterator[PaidPayment]:
    """The payments as they come; findings apart, and no more than anybody reads."""
    for number, payment in enumerate(paid, 1):
        if not isinstance(payment, Finding):
            yield payment
        else:
            findings.append(payment)
            if len(findings) >= MOST:
                break
        if number % _ROWS_AT_A_TIME == 0:
            progress(_ROWS_AT_A_TIME)


@contextmanager
def _put_aside(rows: Iterable[Sequence[str]]) -> Iterator[Iterator[list[str]]]:
    """All of them on disk, whatever their number, and from there once more."""
    with TemporaryFile("w+", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
        file.seek(0)
        yield csv.reader(file)


def _texts(payment: PaidPayment) -> tuple[str, ...]:
    reversed_on = payment.reversed_on.isoformat() if payment.reversed_on else ""
    return (
        payment.payment_id,
        payment.account,
        payment.paid_on.isoformat(),
        str(payment.amount_cents),
        str(payment.reversed_cents),
        reversed_on,
    )


def _paid_payment(texts: list[str]) -> PaidPayment:
    payment_id, account, paid_on, amount, reversed_amount, reversed_on = texts
    return PaidPayment(
        payment_id,
        account,
        paid_on=date.fromisoformat(paid_on),
        amount_cents=int(amount),
        reversed_cents=int(reversed_amount),
        reversed_on=date.fromisoformat(reversed_on) if reversed_on else None,
    )


def _rows(connection: Connection, provider: str, paid: Iterable[PaidPayment]) -> Iterator[tuple[str, ...]]:
    """The postings of all payments, as rows of the ledger's input."""
    for payment in paid:
        paid_on, amount = payment.paid_on.isoformat(), str(payment.amount_cents)
        yield posting_id(payment.payment_id, "p"), payment.account, paid_on, amount
        if payment.reversed_on:
            yield from _reversal(connection, provider, payment, payment.reversed_on)


def _reversal(
    connection: Connection, provider: str, payment: PaidPayment, reversed_on: date
) -> Iterator[tuple[str, ...]]:
    """A debit of what was paid back and is not booked yet.

    UJP tells the sum of all reversals, which grows; the ledger keeps each step of it as it was. A
    statement from before the last step brings nothing.
    """
    booked, step = 0, 1
    while (amount := posted_cents(connection, provider, _step(payment, step))) is not None:
        booked, step = booked - amount, step + 1
    if (cents := payment.reversed_cents - booked) > 0:
        yield _step(payment, step), payment.account, reversed_on.isoformat(), str(-cents)


def _step(payment: PaidPayment, step: int) -> str:
    return posting_id(payment.payment_id, f"r{step}")
