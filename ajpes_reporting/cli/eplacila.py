"""`eplacila health | init | status | receipt | statement | listen | sandbox | demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli import eplacila_demo, eplacila_sandbox
from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import DAY
from ajpes_reporting.cli.sandbox import wait_for_the_end
from ajpes_reporting.cli.session import Right, Session, local_time, with_session
from ajpes_reporting.domain.errors import AjpesReportingError, ChecksRefused, NotDelivered, UsageError
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.i18n import NOTHING, Message, _, _n
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.eplacila.answers import State
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.statements import Payment, StatementKind
    from ajpes_reporting.eplacila.store import StoredPayment

_MOST_ROWS = 200


@click.group("eplacila", cls=Group, short_help="Web payments through UJP e-plačila.")
def command() -> None:
    """Web payments through UJP e-plačila: begin them, ask for them, be told of them."""


@command.command("health", short_help="Whether they work, and when the last payment came.")
@with_session
def health(session: Session) -> None:
    """Ask whether UJP e-plačila work, and when the e-service was paid last."""
    from ajpes_reporting.wiring.eplacila import eplacila_client

    found = eplacila_client(session.workspace()).health()
    document = {"works": found.works, "last_payment_at": found.last_payment_at}

    def show() -> None:
        echo(_("UJP e-plačila work.") if found.works else _("UJP e-plačila say that they do not work."))
        if found.last_payment_at is None:
            echo(_("Last payment: none yet"))
        else:
            echo(_("Last payment: {at:moment}", at=found.last_payment_at))

    session.emit(document, show)
    if not found.works:
        click.get_current_context().exit(NotDelivered.exit_code)


@command.command("init", short_help="Begin a payment.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@with_session
def init(session: Session, file: Path) -> None:
    """Begin the payment of the order in FILE: JSON with the names of UJP's document, section 6.5.2.

    The same order never becomes two payments. Prints where to send the payer.
    """
    from ajpes_reporting.eplacila.order import read_order
    from ajpes_reporting.wiring.eplacila import eplacila_payments, eplacila_section

    workspace = session.workspace()
    order = read_order(_json(file), eplacila_section(workspace).ids)
    started = eplacila_payments(workspace).begin(order)
    document = {
        "order_id": started.order_id,
        "transaction_id": started.transaction_id,
        "amount_cents": order.total_cents,
        "pay_url": started.pay_url,
    }

    def show() -> None:
        echo(
            _(
                "UJP holds the payment of order {order}, {amount:eur}.",
                order=started.order_id,
                amount=order.total_cents,
            )
        )
        echo(_("  transaction    {transaction}", transaction=started.transaction_id))
        echo(_("  payer goes to  {address}", address=started.pay_url))

    session.emit(document, show)


@command.command("status", short_help="Ask what has become of payments.")
@click.argument("transaction", required=False)
@click.option("--order", "order_id", help="Ask by the identifier of the order.")
@with_session
def status(session: Session, transaction: str | None, order_id: str | None) -> None:
    """Ask UJP what has become of TRANSACTION, or of every stored payment that may still become paid.

    Payments that were abandoned in the last 60 days are among them: a bank may tell late that it was paid.
    """
    from ajpes_reporting.wiring.eplacila import eplacila_payments

    payments = eplacila_payments(session.workspace())
    if transaction is not None and order_id is not None:
        raise UsageError(_("A transaction and an order were named."), _("name one of them"))
    if transaction is not None or order_id is not None:
        rows = [_asked(payments, transaction, order_id)]
    else:
        with session.progress(_("Asking")) as progress:
            rows = []
            for entry, error in payments.refresh_open(though_asked_lately=True):
                rows.append((entry, _trouble(error)))
                progress(1)
    document = [_entry_json(entry) | {"trouble": trouble} for entry, trouble in rows]

    def show() -> None:
        if not rows:
            echo(_("No payment is open."))
            return
        columns = (
            _("order"),
            _("transaction"),
            _("state"),
            Right(_("ordered EUR")),
            Right(_("paid EUR")),
            _("paid at"),
        )
        session.table("", columns, [_entry_row(entry, trouble) for entry, trouble in rows])

    session.emit(document, show)


@command.command("receipt", short_help="Fetch the invoice of a payment.")
@click.argument("transaction")
@click.option("--kind", type=click.Choice(["pdf", "xml"]), default="pdf", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@with_session
def receipt(session: Session, transaction: str, kind: Any, output: Path) -> None:
    """Fetch the invoice of TRANSACTION, which must have been paid."""
    from ajpes_reporting.wiring.eplacila import eplacila_client

    found = eplacila_client(session.workspace()).receipt(transaction, kind)
    with open_private(output, "wb") as file:
        file.write(found.content)
    document = {"receipt_number": found.number, "file": output, "size_bytes": len(found.content)}
    told = _("Invoice {number} lies in {file}.", number=found.number, file=str(output))
    session.emit(document, lambda: echo(told))


@command.command("statement", short_help="The payments of a period.")
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
def statement(
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
    client = payments.client
    number = recipient or eplacila_recipient(workspace)
    begin, end = first.date(), last.date()
    chosen = [State(state) for state in states]
    left_out = _left_out(delayed, chosen)
    if kind is None:
        told = client.payments(number, begin, end, chosen, delayed=delayed)
        _show_payments(session, payments, told, left_out)
        return
    written = []
    for start, stop in _periods(begin, end):
        target = output / f"izpisek-{number}-{start}-{stop}.{kind}"
        client.statement_file(kind, target, number, start, stop, chosen, delayed=delayed)
        written.append(target)
    session.say(left_out)

    def show() -> None:
        for target in written:
            echo(str(target))

    session.emit({"written": written, "left_out": left_out}, show)


@command.command("listen", short_help="Take the notices of UJP.")
@with_session
def listen(session: Session) -> None:
    """Take the notices of UJP until Ctrl-C; a proxy with a certificate may stand in front."""
    from ajpes_reporting import logs
    from ajpes_reporting.eplacila.server import serving
    from ajpes_reporting.wiring.eplacila import eplacila_receiver, eplacila_section

    workspace = session.workspace()
    settings = eplacila_section(workspace)
    number = workspace.settings.provider.registration_number
    logs.configure(workspace.settings.log.format, workspace.settings.log.level, [number, number[:7]])
    certificate, key = (
        workspace.path(text) if text else None for text in (settings.listen_certificate, settings.listen_key)
    )
    with serving(eplacila_receiver(workspace), settings.listen, certificate, key) as (host, port):
        session.emit(
            {"host": host, "port": port},
            lambda: echo(
                _("Taking notices of UJP at {host}, port {port}. Ctrl-C ends this.", host=host, port=port)
            ),
        )
        wait_for_the_end(_("No more notices are taken."))


def _asked(payments: Payments, transaction: str | None, order_id: str | None) -> tuple[StoredPayment, str]:
    from ajpes_reporting.eplacila import store

    client = payments.client
    found = client.status_of_order(order_id or "") if transaction is None else client.status(transaction)
    payments.record(found)
    with payments.engine.connect() as connection:
        entry = store.by_order(connection, payments.provider, found.order_id)
    if entry is None:
        raise UsageError(
            _("The payment {state}.", state=found.state.label),
            _("ask again later; it may not have come to UJP yet"),
        )
    return entry, _contradiction(entry, found.state)


def _contradiction(entry: StoredPayment, told: State) -> Message:
    """Return a warning where UJP says what it must not say any more (section 6.5.3.1): it is not stored."""
    if told is entry.state:
        return NOTHING
    return _(
        "{stored}; UJP says now that it is {told}: ask UJP which of them is right",
        stored=_state(entry),
        told=told.label,
    )


def _trouble(error: AjpesReportingError | None) -> str:
    """Return the reason why UJP told nothing of an open payment, for a table; empty if it did."""
    from ajpes_reporting.eplacila.errors import AnswerUnusable, RefusedByUjp

    if isinstance(error, RefusedByUjp):
        return error.code.meaning if error.code else _("HTTP {status}", status=error.status)
    return error.reason if isinstance(error, AnswerUnusable) else NOTHING


def _left_out(delayed: bool, states: Sequence[State]) -> Message:
    """Return the line about the payments that a statement does not hold (section 6.5.5.1)."""
    if not delayed:
        return _("Left out: payments by QR code (--delayed), and all that are not paid")
    if states:
        return _(
            "Left out: payments that were made at once (without --delayed), "
            "and payments of other states (--state)"
        )
    return _(
        "Left out: payments that were made at once (without --delayed), and all that are not paid (--state)"
    )


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


def _show_payments(session: Session, payments: Payments, told: Iterable[Payment], left_out: str) -> None:
    """Shows a limited number of rows, the totals of all by state, and what is paid; as JSON every row.

    Ends with the exit code of `ChecksRefused` if UJP tells two stories of a payment.
    """
    from ajpes_reporting.eplacila.reconcile import reconcile

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
        "left_out": left_out,
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
        session.table("", columns, [_payment_row(payment) for payment in rows])
        if count > len(rows):
            echo(
                _n(
                    "… and {count:count} more payment; --file xml writes them all",
                    "… and {count:count} more payments; --file xml writes them all",
                    count - len(rows),
                )
            )
        _show_totals(list(totals.values()), paid_cents)
        echo(left_out)

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
        echo(f"  {finding}", err=True)
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


def _entry_row(entry: StoredPayment, trouble: str) -> list[str]:
    return [
        entry.order_id,
        entry.transaction_id or _("none yet"),
        trouble or _state(entry),
        "" if entry.ordered_cents is None else format_decimal(entry.ordered_cents),
        format_decimal(entry.amount_cents),
        local_time(entry.paid_at),
    ]


def _state(entry: StoredPayment) -> Message:
    """Return the state in words; a payment of another amount is no payment of its order."""
    if entry.is_of_another_amount:
        return _("{state}, not as ordered", state=entry.state.label)
    if entry.reversed_cents:
        return _("{state}, {amount:eur} reversed", state=entry.state.label, amount=entry.reversed_cents)
    return entry.state.label


def _entry_json(entry: StoredPayment) -> dict[str, Any]:
    return {
        "order_id": entry.order_id,
        "transaction_id": entry.transaction_id,
        "state": int(entry.state),
        "meaning": entry.state.label,
        "is_final": entry.state.is_final,
        "ordered_cents": entry.ordered_cents,
        "amount_cents": entry.amount_cents,
        "is_of_another_amount": entry.is_of_another_amount,
        "reversed_cents": entry.reversed_cents,
        "method": entry.method,
        "receipt_number": entry.receipt_number,
        "paid_at": entry.paid_at,
        "pay_url": entry.pay_url,
    }


def _periods(first: date, last: date) -> Iterator[tuple[date, date]]:
    from ajpes_reporting.eplacila.periods import split

    if first > last:
        raise UsageError(
            _("The period from {first:date} to {last:date} ends before it begins.", first=first, last=last),
            _("name the earlier day first"),
        )
    return split(first, last)


def _json(file: Path) -> dict[str, Any]:
    from ajpes_reporting.eplacila.reading import read_json_verbatim

    try:
        with click.open_file(str(file), "rb") as source:
            return read_json_verbatim(source.read())
    except OSError as error:
        raise UsageError(
            _("{file} cannot be read: {reason}.", file=str(file), reason=error.strerror or ""),
            _("name a file with one order"),
        ) from None
    except ValueError as error:
        raise UsageError(
            _("{file} is no order in JSON: {reason}.", file=str(file), reason=error.args[0]),
            _("write one order, in braces"),
        ) from None


command.add_command(eplacila_sandbox.command)
command.add_command(eplacila_demo.command)
