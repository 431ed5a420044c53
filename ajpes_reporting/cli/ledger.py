"""`ledger import | pull | cancel | exclude | include | show | imports | list | months | holds | prove`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli import ledger_imports, ledger_lists, ledger_proof, ledger_pull
from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.imports import import_json, show_import, show_statements
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Right, Session, amount, day, listed, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import NOTHING, _

if TYPE_CHECKING:
    from ajpes_reporting.queries.histories import HistoryEvent, ObligationHistory


@click.group(
    "ledger", cls=Group, short_help="Import or pull facts, cancel and replace events, show a history."
)
def command() -> None:
    """The ledger: facts come in, a wrong one is cancelled, nothing is ever edited."""


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option(
    "--restate",
    is_flag=True,
    help="Renew accounts and account months that differ, and take in a statement that does not join.",
)
@click.option("--reason", help="Why they are restated; it goes on the record.")
@with_session
def import_(
    session: Session, files: tuple[Path, ...], dry_run: bool, restate: bool, reason: str | None
) -> None:
    """Takes in CSV FILES: events, accounts, account months or postings, known by their header.

    Bank statements (camt.053) are known by their content: booked entries become postings. One that does
    not join the statement before it is refused, unless it is taken in with --restate and a reason.

    A file goes in whole or not at all. The same rows again change nothing; a known row with other
    content is refused, unless it is of an account or its month and is to be restated.
    """
    from ajpes_reporting.pipeline.facts import import_files

    because = _why_restated(restate, reason)
    context = session.context()
    with session.progress(_("Importing")) as progress:
        summaries = import_files(context, files, progress, restate_because=because, dry_run=dry_run)
    document = [{**import_json(summary), "dry_run": dry_run} for summary in summaries]

    def show() -> None:
        for summary in summaries:
            show_import(summary)
            show_statements(session, summary.statements)
        if dry_run:
            echo(_("This was a dry run: nothing was changed."))

    session.emit(document, show)


def _why_restated(restate: bool, reason: str | None) -> str | None:
    """Return why something is restated, None if nothing is. One option without the other is refused."""
    if not restate:
        if reason is not None:
            raise UsageError(_("--reason goes with --restate."), _("add --restate, or leave --reason out"))
        return None
    if reason is None:
        raise UsageError(
            _("--restate needs a reason; it goes on the record."),
            _("say why with --reason, in a few words"),
        )
    return _reason(reason)


@command.command("cancel")
@click.argument("obligation")
@click.argument("event")
@click.option(
    "--replace",
    "replacements",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Append a corrected event too, with this field changed; may be given several times.",
)
@with_session
def cancel(session: Session, obligation: str, event: str, replacements: tuple[str, ...]) -> None:
    """Cancels EVENT of OBLIGATION: appends an event `00`, and the corrected event if asked for.

    Nothing is edited: AJPES refuses an obligation whose history was altered.
    """
    from ajpes_reporting.pipeline.facts import cancel_event

    context = session.context()
    correction = cancel_event(context, obligation, event, _fields(replacements))
    replacement = correction.replacement
    document = {
        "obligation": obligation,
        "cancellation": correction.cancellation.event_id,
        "replacement": replacement.event_id if replacement else None,
        "withdrawn": correction.withdrawn,
    }

    def show() -> None:
        echo(
            _(
                "{obligation} / event {event} is cancelled by event {cancellation}.",
                obligation=obligation,
                event=event,
                cancellation=correction.cancellation.event_id,
            )
        )
        if replacement:
            echo(_("The corrected event is {event}.", event=replacement.event_id))
        if correction.withdrawn:
            echo(_("Event {event} lay ahead: neither it nor its cancellation goes to AJPES.", event=event))
            if replacement:
                echo(_("The corrected event goes to AJPES with the next report."))
        elif replacement:
            echo(_("Both go to AJPES with the next report."))
        else:
            echo(_("It goes to AJPES with the next report."))
        for finding in correction.warnings:
            echo(_("  warning: {finding}", finding=finding.in_words()))

    session.emit(document, show)


@command.command("exclude")
@click.argument("obligation")
@click.option("--reason", required=True, help="Who decided it, and why; it stays in the record.")
@with_session
def exclude(session: Session, obligation: str, reason: str) -> None:
    """Keeps OBLIGATION out of reports until it is included again. Every report and the alarms say so."""
    from ajpes_reporting.pipeline.facts import exclude_obligation

    decision = exclude_obligation(session.context(), obligation, _reason(reason))

    def show() -> None:
        echo(
            _(
                "{obligation} is kept out of reports from now on. Nothing of it is lost: its events wait.",
                obligation=obligation,
            )
        )
        command = f"ajpes-reporting ledger include {shlex.quote(obligation)}"
        echo(_("Do: let it in again with `{command}`.", command=command))

    session.emit(decision, show)


@command.command("include")
@click.argument("obligation")
@click.option("--reason", default="it may go again", help="Who decided it, and why; it stays in the record.")
@with_session
def include(session: Session, obligation: str, reason: str) -> None:
    """Lets OBLIGATION into reports again, with its whole history."""
    from ajpes_reporting.pipeline.facts import include_obligation

    decision = include_obligation(session.context(), obligation, _reason(reason))
    session.emit(
        decision,
        lambda: echo(
            _(
                "{obligation} goes with the next report again, if it has anything new.",
                obligation=obligation,
            )
        ),
    )


def _reason(text: str) -> str:
    if not text.strip():
        raise UsageError(_("--reason is empty."), _("say who decided it and why"))
    return text.strip()


@command.command("show")
@click.argument("name")
@with_session
def show_(session: Session, name: str) -> None:
    """Shows the history of an obligation, reported, accepted and answered.

    NAME is the id of an obligation; or the number of an account, which is shown with its months; or a tax
    number, of which all obligations and accounts are listed.
    """
    from ajpes_reporting.cli.account import show_account
    from ajpes_reporting.cli.ledger_lists import show_taxpayer
    from ajpes_reporting.ledger.account_history import AccountHistory
    from ajpes_reporting.queries.histories import history_of
    from ajpes_reporting.queries.listing import Taxpayer

    found = history_of(session.context(), name)
    if isinstance(found, AccountHistory):
        session.emit(found, lambda: show_account(session, found))
    elif isinstance(found, Taxpayer):
        session.emit(found, lambda: show_taxpayer(session, found))
    else:
        session.emit(found, lambda: _show_obligation(session, found))


def _show_obligation(session: Session, found: ObligationHistory) -> None:
    head = found.obligation
    echo(
        _(
            "Obligation {obligation}, issuer {issuer}: {name} ({tax_number}), account {account}",
            obligation=head.obligation_id,
            issuer=head.issuer,
            name=head.debtor_name,
            tax_number=head.debtor_tax_number,
            account=head.debtor_account,
        )
    )
    for former in found.former_names:
        echo(_("until {at:moment} reported as {name}", at=former.until, name=former.name))
    for item in found.decisions:
        facts = {"at": item.decided_at, "reason": item.reason}
        if item.decision == "excluded":
            echo(_("{at:moment} kept out of reports: {reason}", **facts))
        else:
            echo(_("{at:moment} let into reports again: {reason}", **facts))
    columns = (
        _("event"),
        _("type"),
        _("cancels"),
        _("date"),
        Right(_("amount")),
        _("recorded"),
        _("reported"),
    )
    session.table(NOTHING, columns, list(map(_event_row, found.events)))
    for row in found.answers:
        echo(row.in_words())


def _event_row(item: HistoryEvent) -> list[str]:
    event = item.event
    if item.reported:
        told: str = listed(
            _("{state} in {number}", state=one.state.label, number=one.submission) for one in item.reported
        )
    else:
        told = _("never, withdrawn") if item.withdrawn else _("not yet")
    return [
        event.event_id,
        event.change_type,
        event.cancels_event_id or "",
        day(event.change_date),
        amount(event.amount_cents),
        _("{recorded:written}", recorded=event.recorded_as),
        told,
    ]


def _fields(replacements: tuple[str, ...]) -> dict[str, str] | None:
    fields = {}
    for text in replacements:
        name, equals, value = text.partition("=")
        if not equals:
            message = _("--replace {text} names no value.", text=text)
            raise UsageError(message, _("write it as FIELD=VALUE"))
        fields[name.strip()] = value
    return fields or None


command.add_command(ledger_pull.command)
command.add_command(ledger_imports.imports)
command.add_command(ledger_lists.list_)
command.add_command(ledger_lists.months)
command.add_command(ledger_proof.holds)
command.add_command(ledger_proof.prove)
