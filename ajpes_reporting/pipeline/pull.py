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
from ajpes_reporting.eplacila.payments import Payments
from ajpes_reporting.eplacila.takings import Taking, takings_of_file, takings_of_period
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

_REMEDY = "mend what is named and pull again; what the ledger knows already is skipped"
_LONGEST_ID = 36
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a statement brought. `turnover` is that of the new postings, by account and month."""

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
    """Takes the payments of a period into the ledger; see `takings_of_period`.

    `progress` is told payments. Raises what that does, and `LedgerRefused` with its findings; then
    nothing was stored.
    """
    payments = Payments(client, context.engine, context.provider, context.clock)
    takings = takings_of_period(payments, recipient, first, last, account, ask_each=ask_each)
    origin = {"eplacila": recipient, "from": first.isoformat(), "to": last.isoformat()}
    return _pull(context, f"The statement from {first} to {last}", origin, takings, progress)


def pull_file(
    context: Context,
    path: Path,
    account: str,
    recipient: str = "",
    progress: Progress = no_progress,
    client: Client | None = None,
) -> Pulled:
    """Takes a statement at hand into the ledger; see `takings_of_file`.

    `client` asks UJP for what the book of web payments tells otherwise; without it that is refused.
    Raises `UsageError`, `LedgerRefused` as above, and what `Client.status` does.
    """
    payments = Payments(client, context.engine, context.provider, context.clock) if client else None
    takings = takings_of_file(context.engine, context.provider, path, account, recipient, payments)
    return _pull(context, path.name, {"file": path.name}, takings, progress)


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
    takings: Iterable[Taking | Finding],
    progress: Progress,
) -> Pulled:
    findings: list[Finding] = []
    right = _right(takings, findings, progress)
    with (
        _put_aside(map(_texts, right)) as aside,
        writing(context.engine) as connection,
        _put_aside(_rows(connection, context.provider, map(_taking, aside))) as rows,
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
    takings: Iterable[Taking | Finding], findings: list[Finding], progress: Progress
) -> Iterator[Taking]:
    """The payments as they come; findings apart, and no more than anybody reads."""
    for number, taking in enumerate(takings, 1):
        if not isinstance(taking, Finding):
            yield taking
        else:
            findings.append(taking)
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


def _texts(taking: Taking) -> tuple[str, ...]:
    reversed_on = taking.reversed_on.isoformat() if taking.reversed_on else ""
    return (
        taking.payment_id, taking.account, taking.paid_on.isoformat(), str(taking.amount_cents),
        str(taking.reversed_cents), reversed_on,
    )  # fmt: skip


def _taking(texts: list[str]) -> Taking:
    payment_id, account, paid_on, amount, reversed_amount, reversed_on = texts
    return Taking(
        payment_id, account, date.fromisoformat(paid_on), int(amount), int(reversed_amount),
        date.fromisoformat(reversed_on) if reversed_on else None,
    )  # fmt: skip


def _rows(connection: Connection, provider: str, takings: Iterable[Taking]) -> Iterator[tuple[str, ...]]:
    """The postings of all payments, as rows of the ledger's input."""
    for taking in takings:
        paid_on, amount = taking.paid_on.isoformat(), str(taking.amount_cents)
        yield posting_id(taking.payment_id, "p"), taking.account, paid_on, amount
        if taking.reversed_on:
            yield from _reversal(connection, provider, taking, taking.reversed_on)


def _reversal(
    connection: Connection, provider: str, taking: Taking, reversed_on: date
) -> Iterator[tuple[str, ...]]:
    """A debit of what was paid back and is not booked yet.

    UJP tells the sum of all reversals, which grows; the ledger keeps each step of it as it was. A
    statement from before the last step brings nothing.
    """
    booked, step = 0, 1
    while (amount := posted_cents(connection, provider, _step(taking, step))) is not None:
        booked, step = booked - amount, step + 1
    if (cents := taking.reversed_cents - booked) > 0:
        yield _step(taking, step), taking.account, reversed_on.isoformat(), str(-cents)


def _step(taking: Taking, step: int) -> str:
    return posting_id(taking.payment_id, f"r{step}")
