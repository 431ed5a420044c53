"""`ledger pull eplacila`: web payments into the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.help import Group
from ajpes_reporting.cli.imports import rows_in_words
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.period_options import DAY
from ajpes_reporting.cli.session import Right, Session, amount, number, with_session
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.i18n import NOTHING, _

if TYPE_CHECKING:
    from datetime import date, datetime

    from ajpes_reporting.ledger.postings import Turnover
    from ajpes_reporting.pipeline.pull import Pulled

_COLUMNS = (
    _("account"),
    _("month"),
    Right(_("payments")),
    Right(_("paid in")),
    Right(_("reversals")),
    Right(_("paid back")),
    NOTHING,
)


@click.group("pull", cls=Group, short_help="Take in what another system recorded.")
def command() -> None:
    """Takes in what another system recorded, without a file in between."""


@command.command("eplacila", short_help="Web payments, from the statements of UJP.")
@click.option("--from", "first", type=DAY, metavar="DATE", help="The first day.")
@click.option("--to", "last", type=DAY, metavar="DATE", help="The last day.")
@click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="A statement at hand, XML or JSON."
)
@click.option("--account", help="The account that is credited; by default eplacila.account.")
@with_session
def eplacila(
    session: Session, first: datetime | None, last: datetime | None, file: Path | None, account: str | None
) -> None:
    """Takes in the web payments of a period, from UJP's statements, as postings of the credited accounts.

    What the ledger knows already is skipped, so a period may be pulled as often as you like; all of
    it goes in, or nothing.
    """
    given = (first is not None, last is not None, file is not None)
    if given == (True, True, False) and first and last:
        found = _pull_period(session, first.date(), last.date(), account)
    elif given == (False, False, True) and file:
        found = _pull_file(session, file, account)
    else:
        raise UsageError(
            _("It is not said which payments."),
            _("name a period with --from and --to, or a statement with --file"),
        )
    session.emit(_document(found), lambda: _show(session, found))


def _pull_period(session: Session, first: date, last: date, account: str | None) -> Pulled:
    from ajpes_reporting.pipeline.pull import pull_period
    from ajpes_reporting.wiring.eplacila import (
        eplacila_account,
        eplacila_client,
        eplacila_recipient,
        eplacila_section,
    )

    workspace = session.workspace()
    ask_each = eplacila_section(workspace).reversals == "status"
    with session.progress(_("Pulling")) as progress:
        return pull_period(
            session.context(),
            eplacila_client(workspace),
            eplacila_recipient(workspace),
            first,
            last,
            eplacila_account(workspace, account),
            ask_each=ask_each,
            progress=progress,
        )


def _pull_file(session: Session, file: Path, account: str | None) -> Pulled:
    from ajpes_reporting.pipeline.pull import pull_file
    from ajpes_reporting.wiring.eplacila import eplacila_account, eplacila_client, eplacila_recipient

    workspace = session.workspace()
    try:
        client = eplacila_client(workspace)
    except ConfigurationError:  # a file needs no access to UJP, but for what the book tells otherwise
        client = None
    credited = eplacila_account(workspace, account)
    recipient = eplacila_recipient(workspace) if credited and account is None else ""
    with session.progress(_("Pulling")) as progress:
        return pull_file(session.context(), file, credited, recipient, progress, client)


def _document(found: Pulled) -> dict[str, object]:
    return {
        "source": found.source,
        "kind": "postings",
        "rows": found.rows_read,
        "new": found.rows_new,
        "known": found.rows_known,
        "turnover": found.turnover,
    }


def _show(session: Session, found: Pulled) -> None:
    echo(
        _(
            "{file}: {rows}, {new:count} new, {known:count} known already",
            file=found.source,
            rows=rows_in_words("postings", found.rows_read),
            new=found.rows_new,
            known=found.rows_known,
        )
    )
    if found.turnover:
        session.table(NOTHING, _COLUMNS, [_row(turnover) for turnover in found.turnover])


def _row(turnover: Turnover) -> list[str]:
    return [
        turnover.account,
        turnover.month,
        number(turnover.credits),
        amount(turnover.credit_cents),
        number(turnover.debits),
        amount(turnover.debit_cents),
        NOTHING if turnover.counts else _("does not count: this month was imported"),
    ]
