"""`eplacila health | init | status | receipt | statement | listen | sandbox | demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli import eplacila_demo, eplacila_sandbox, eplacila_statement
from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.sandbox import wait_for_the_end
from ajpes_reporting.cli.session import Right, Session, local_time, with_session
from ajpes_reporting.domain.errors import AjpesReportingError, NotDelivered, UsageError
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.i18n import NOTHING, Message, _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from ajpes_reporting.eplacila.answers import State
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.store import StoredPayment


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
        session.table(NOTHING, columns, [_entry_row(entry, trouble) for entry, trouble in rows])

    session.emit(document, show)


@command.command("receipt", short_help="Fetch the invoice of a payment.")
@click.argument("transaction")
@click.option(
    "--kind",
    type=click.Choice(["pdf", "xml"]),
    default="pdf",
    show_default=True,
    help="The form of the invoice.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file to write.",
)
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


def _json(file: Path) -> dict[str, Any]:
    from ajpes_reporting.eplacila.reading import read_json_verbatim

    try:
        with click.open_file(str(file), "rb") as source:
            return read_json_verbatim(source.read())
    except OSError as error:
        raise UsageError(
            _("{file} cannot be read: {reason}.", file=str(file), reason=system_reason(error)),
            _("name a file with one order"),
        ) from None
    except ValueError as error:
        raise UsageError(
            _("{file} is no order in JSON: {reason}.", file=str(file), reason=error.args[0]),
            _("write one order, in braces"),
        ) from None


command.add_command(eplacila_statement.command)
command.add_command(eplacila_sandbox.command)
command.add_command(eplacila_demo.command)
