"""`eplacila statement`: the payments of a period, as a table or as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import DAY
from ajpes_reporting.cli.session import Right, Session, local_time, with_session
from ajpes_reporting.domain.errors import ChecksRefused, UsageError
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.i18n import NOTHING, Message, _, _n, verbatim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.eplacila.answers import State
    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.statements import Payment, StatementKind

_MOST_ROWS = 200


@click.command("statement", short_help="The payments of a period.")
@click.option("--from", "first", type=DAY, metavar="DATE", required=True, help="The first day.")
@click.option("--to", "last", type=DAY, metavar="DATE", required=True, help="The last day.")
@click.option("--recipient", help="A registration number; by default eplacila.recipient.")
@click.option("--delayed", is_flag=True, help="Payments by QR code, and no others.")
@click.option(
    "--state",
    "states",
    type=click.IntRange(0, 6),
    multiple=True,
    help="With --delayed: of these states, otherwise paid ones; may be given several times.",
)
@click.option("--file", "kind", type=click.Choice(["xml", "json"]), help="Write files, as UJP makes them.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where --file writes them.",
)
@with_session
def command(
    session: Session,
    first: datetime,
    last: datetime,
    recipient: str | None,
    delayed: bool,
    states: tuple[int, ...],
    kind: StatementKind | None,
    output: Path,
) -> None:
    """The payments of a period, as a table or as files; UJP is asked for at most 365 days at a time.

    Those that were paid at once, with --delayed those by QR code: UJP has no statement of both. UJP is asked
    for each paid payment that is stored with another state, and the answer is stored.
    """
    from ajpes_reporting.eplacila.answers import State
    from ajpes_reporting.wiring.eplacila import eplacila_payments, eplacila_recipient

    if states and not delayed:
        raise UsageError(_("States count only with --delayed."), _("add --delayed, or leave --state out"))
    workspace = session.workspace()
    payments = eplacila_payments(workspace)
    query = StatementQuery(
        recipient or eplacila_recipient(workspace),
        first.date(),
        last.date(),
        list(map(State, states)),
        delayed,
    )
    if kind is None:
        _show_payments(session, payments, query)
    else:
        _write_files(session, payments.client, query, kind, output)


class StatementQuery(NamedTuple):
    """A question for a statement of one recipient (a registration number), with both days included."""

    recipient: str
    first: date
    last: date
    states: Sequence[State]
    delayed: bool

    @property
    def left_out(self) -> Message:
        """The line about the payments that the statement does not hold (section 6.5.5.1)."""
        if not self.delayed:
            return _("Left out: payments by QR code (--delayed), and all that are not paid")
        if self.states:
            return _(
                "Left out: payments that were made at once (without --delayed), "
                "and payments of other states (--state)"
            )
        return _(
            "Left out: payments that were made at once (without --delayed), "
            "and all that are not paid (--state)"
        )


def _write_files(
    session: Session, client: Client, query: StatementQuery, kind: StatementKind, folder: Path
) -> None:
    """Writes one file for each period that UJP may be asked for, and prints the names."""
    from ajpes_reporting.eplacila.periods import require_days, split

    require_days(query.first, query.last)
    written = []
    for first, last in split(query.first, query.last):
        target = folder / f"izpisek-{query.recipient}-{first}-{last}.{kind}"
        client.statement_file(kind, target, query.recipient, first, last, query.states, delayed=query.delayed)
        written.append(target)
    session.say(query.left_out)

    def show() -> None:
        for target in written:
            echo(verbatim(str(target)))

    session.emit({"written": written, "left_out": query.left_out}, show)


class _Total:
    """The number of payments in a state and the sum of their amounts; what is not paid is no money."""

    def __init__(self, payment: Payment) -> None:
        self.state, self.meaning = payment.state, _meaning(payment)
        self.count = self.amount_cents = 0

    def add(self, payment: Payment) -> None:
        self.count += 1
        self.amount_cents += payment.amount_cents

    def json(self) -> dict[str, Any]:
        state = None if self.state is None else int(self.state)
        return {
            "state": state,
            "meaning": self.meaning,
            "count": self.count,
            "amount_cents": self.amount_cents,
        }


def _show_payments(session: Session, payments: Payments, query: StatementQuery) -> None:
    """Shows a limited number of rows, the totals of all by state, and what is paid; as JSON every row.

    Ends with the exit code of `ChecksRefused` if UJP tells two stories of a payment.
    """
    from ajpes_reporting.eplacila.reconcile import reconcile

    told = payments.client.payments(
        query.recipient, query.first, query.last, query.states, delayed=query.delayed
    )
    rows: list[Payment] = []
    findings: list[Finding] = []
    totals: dict[str, _Total] = {}
    for found in reconcile(payments.engine, payments.provider, told, payments):
        payment = found.payment
        totals.setdefault(_meaning(payment), _Total(payment)).add(payment)
        if session.as_json or len(rows) < _MOST_ROWS:
            rows.append(payment)
        if found.finding:
            findings.append(found.finding)
    count = sum(total.count for total in totals.values())
    paid_cents = sum(total.amount_cents for total in totals.values() if total.state == 0)
    document = {
        "payments": [_payment_json(payment) for payment in rows],
        "count": count,
        "total_cents": paid_cents,
        "states": [total.json() for total in totals.values()],
        "left_out": query.left_out,
        "findings": findings,
    }

    def show() -> None:
        columns = (
            _("paid at"),
            _("state"),
            _("order"),
            _("payment"),
            _("by"),
            Right(_("amount EUR")),
            _("purpose"),
        )
        session.table(NOTHING, columns, [_payment_row(payment) for payment in rows])
        if count > len(rows):
            echo(
                _n(
                    "… and {count:count} more payment; --file xml writes them all",
                    "… and {count:count} more payments; --file xml writes them all",
                    count - len(rows),
                )
            )
        _show_totals(list(totals.values()), paid_cents)
        echo(query.left_out)

    session.emit(document, show)
    if findings:
        _show_findings(findings)
        click.get_current_context().exit(ChecksRefused.exit_code)


def _show_totals(totals: Sequence[_Total], paid_cents: int) -> None:
    """Prints one line if everything is paid; otherwise one for each state, and what of it is money."""
    unpaid = [total for total in totals if total.state != 0]
    for total in unpaid:
        echo(
            _n(
                "{count:count} payment, {amount:eur}: {state}, not counted",
                "{count:count} payments, {amount:eur}: {state}, not counted",
                total.count,
                amount=total.amount_cents,
                state=total.meaning,
            )
        )
    paid = sum(total.count for total in totals) - sum(total.count for total in unpaid)
    echo(
        _n(
            "{count:count} paid payment, {amount:eur} in all",
            "{count:count} paid payments, {amount:eur} in all",
            paid,
            amount=paid_cents,
        )
        if unpaid
        else _n(
            "{count:count} payment, {amount:eur} in all",
            "{count:count} payments, {amount:eur} in all",
            paid,
            amount=paid_cents,
        )
    )


def _show_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        echo(finding.in_words(), err=True, indent=2)
        echo(_("    Do: {remedy}.", remedy=finding.remedy), err=True)


def _meaning(payment: Payment) -> Message:
    if payment.state is not None:
        return payment.state.label
    return _("unknown state {number}", number=payment.result)


def _payment_json(payment: Payment) -> dict[str, Any]:
    state = None if payment.state is None else int(payment.state)
    return payment.model_dump(mode="json") | {"state": state, "meaning": _meaning(payment)}


def _payment_row(payment: Payment) -> list[str]:
    return [
        local_time(payment.paid_at),
        _meaning(payment),
        payment.order_id,
        payment.eplacila_id,
        payment.method,
        format_decimal(payment.amount_cents),
        payment.purpose,
    ]
