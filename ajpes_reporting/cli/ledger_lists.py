"""`ledger list | months`: what is there, and what moved from one month to another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.output import echo, echo_file, write_json
from ajpes_reporting.cli.session import (
    Right,
    Session,
    amount,
    day,
    local_time,
    number,
    period,
    with_session,
)
from ajpes_reporting.cli.table_files import table_options
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.i18n import NOTHING, _, _n
from ajpes_reporting.private import open_private
from ajpes_reporting.queries.document import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ajpes_reporting.cli.table_files import TableFile
    from ajpes_reporting.ledger.reported import Figures
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.listing import HeldByTaxpayer, ListedObligation, Move, Taxpayer

_SHOWN = 50
_FIGURES = ("closing_balance_cents", "credit_turnover_cents", "debit_turnover_cents")
_OBLIGATION_COLUMNS = (
    "obligation",
    "state",
    "issuer",
    "debtor_tax_number",
    "debtor_name",
    "debtor_account",
    "events",
    "pending_events",
    "amount_cents",
    "newest_recorded_at",
)
_MOVE_COLUMNS = (
    "account",
    "holder_name",
    "month",
    "against",
    *(f"{side}_{name}" for side in ("now", "then") for name in _FIGURES),
    "moved_cents",
)


@click.command("list", short_help="The obligations of the ledger.")
@click.option("--search", metavar="TEXT", help="Those in whose id, tax number, name or account it occurs.")
@click.option(
    "--state",
    type=click.Choice(["pending", "accepted", "excluded"]),
    help="Those with something that AJPES has not accepted; with nothing of the kind; or kept out.",
)
@with_session
@table_options
def list_(session: Session, search: str | None, state: str | None, table: TableFile | None) -> None:
    """Lists obligations: debtor, number of events, sum, and whether AJPES has accepted all of it."""
    from ajpes_reporting.queries.listing import ObligationState, count_obligations, stream_obligations

    context = session.context()
    wanted = ObligationState(state) if state else None
    with context.engine.connect() as connection:
        every = partial(stream_obligations, connection, context.provider, search, wanted)
        if written(session, context, table, _OBLIGATION_COLUMNS, every, document):
            return
        first = list(every(_SHOWN))
        count = count_obligations(connection, context.provider, search, wanted)
    if not first:
        echo(_("No obligation fits.") if search or state else _("The ledger has no obligation yet."))
        return
    _show_obligations(session, first)
    _show_more(count - len(first))


@click.command("months", short_help="The moves of accounts from one month to another.")
@click.argument("month")
@click.option("--against", help="The month to compare with, YYYYMM; default: the month before.")
@with_session
@table_options
def months(session: Session, month: str, against: str | None, table: TableFile | None) -> None:
    """Puts each account's MONTH, YYYYMM, beside another, the largest moves of the balance first."""
    from ajpes_reporting.queries.listing import require_month, stream_moves

    context = session.context()
    now = parse_month(month)
    then = parse_month(against) if against else now.previous()
    with context.engine.connect() as connection:
        require_month(connection, context.provider, now.key)
        if against:
            require_month(connection, context.provider, then.key)
        moves = partial(stream_moves, connection, context.provider, now.key, then.key)
        if written(session, context, table, _MOVE_COLUMNS, moves, _move_row):
            return
        first = list(moves(_SHOWN + 1))
    columns = (
        _("account"),
        _("holder"),
        Right(_("balance {month:period}", month=then.key)),
        Right(_("balance {month:period}", month=now.key)),
        Right(_("difference of balances")),
        Right(_("credit")),
        Right(_("debit")),
    )
    session.table(NOTHING, columns, [_move_cells(one) for one in first[:_SHOWN]])
    if len(first) > _SHOWN:
        echo(_("… and more; `--csv FILE`, `--xlsx FILE` or `--json` has them all."))


def show_taxpayer(session: Session, found: Taxpayer) -> None:
    """Prints the obligations and accounts under a tax number."""
    echo(_("Tax number {tax_number}: {names}", tax_number=found.tax_number, names=list(found.names)))
    if found.obligations:
        _show_obligations(session, found.obligations)
        if found.more_obligations:
            _show_more(found.more_obligations)
    if found.accounts:
        columns = (_("account"), _("opened"), _("closed"), _("newest month"), Right(_("balance")))
        session.table(_("Accounts"), columns, [_account_cells(one) for one in found.accounts])


def written(
    session: Session,
    context: Context,
    table: TableFile | None,
    columns: Sequence[str],
    ask: Callable[[], Iterator[Any]],
    row: Callable[[Any], dict[str, Any]],
) -> bool:
    """Whether all that `ask` yields went into a table or out as JSON; or is still to be shown."""
    if table is None and not session.as_json:
        return False
    with context.working_folder() as folder:
        if table is not None:
            table.write(folder, columns, map(row, ask()))
            table.hand_out(session)
        if session.as_json:
            made = folder / "list.json"
            with open_private(made, "w", encoding="utf-8") as out:
                write_json(ask(), out)
            echo_file(made)
    return True


def _show_obligations(session: Session, items: Sequence[ListedObligation]) -> None:
    columns = (
        _("obligation"),
        _("debtor"),
        _("tax number"),
        Right(_("events")),
        Right(_("sum")),
        _("newest recorded"),
        _("state"),
    )
    session.table(_("Obligations"), columns, [_obligation_cells(one) for one in items])


def _obligation_cells(item: ListedObligation) -> list[str]:
    return [
        item.obligation,
        item.debtor_name,
        item.debtor_tax_number,
        number(item.events),
        amount(item.amount_cents),
        local_time(item.newest_recorded_at),
        item.state.label,
    ]


def _show_more(count: int) -> None:
    if count > 0:
        echo(
            _n(
                "… and {count:count} obligation more; `--csv FILE` or `--json` has them all.",
                "… and {count:count} obligations more; `--csv FILE` or `--json` has them all.",
                count,
            )
        )


def _account_cells(item: HeldByTaxpayer) -> list[str]:
    month = period(item.newest_month) if item.newest_month else NOTHING
    balance = amount(item.closing_balance_cents) if item.closing_balance_cents is not None else NOTHING
    return [item.account, day(item.opened_on), day(item.closed_on), month, balance]


def _move_cells(item: Move) -> list[str]:
    balances = [_cell(figures, "closing_balance_cents") for figures in (item.then, item.now)]
    turnovers = [_cell(item.now, name) for name in _FIGURES[1:]]
    return [item.account, item.holder_name, *balances, amount(item.moved_cents), *turnovers]


def _cell(figures: Figures | None, name: str) -> str:
    return _("none") if figures is None else amount(getattr(figures, name))


def _move_row(item: Move) -> dict[str, Any]:
    made: dict[str, Any] = document(item)
    sides = {side: made[side] or {} for side in ("now", "then")}
    return made | {f"{side}_{name}": sides[side].get(name) for side in sides for name in _FIGURES}
