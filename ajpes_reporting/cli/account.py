"""An account with its months, as `ledger show` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Right, amount, period
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.account_history import Holder

if TYPE_CHECKING:
    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.account_history import AccountHistory, Former
    from ajpes_reporting.ledger.reported import Figures

_ORIGINS = {"imported": _("imported"), "closed": _("summed up from postings")}


def show_account(session: Session, found: AccountHistory) -> None:
    """Prints account, holder and months, then what stood there before it was restated."""
    echo(_("Account {account}: {holder}", account=found.account, holder=_holder(found.holder)))
    if found.months:
        rows = [[period(item.month), *_cells(item.figures), _ORIGINS[item.origin]] for item in found.months]
        columns = (_("month"), Right(_("balance")), Right(_("credit")), Right(_("debit")), _("from"))
        session.table(_("Months"), columns, rows)
    for item in found.former:
        facts = {"at": item.restated_at, "reason": item.reason, "before": _before(item)}
        if item.month:
            echo(
                _(
                    "{at:moment} restated ({reason}); before, {month:period} was {before}",
                    **facts,
                    month=item.month,
                )
            )
        else:
            echo(_("{at:moment} restated ({reason}); before, the account was {before}", **facts))


def _before(item: Former) -> str:
    return _holder(item.before) if isinstance(item.before, Holder) else item.before.in_words()


def _holder(holder: Holder) -> Message:
    facts = {"name": holder.holder_name, "tax_number": holder.holder_tax_number, "opened": holder.opened_on}
    if holder.closed_on:
        return _(
            "{name} ({tax_number}), opened on {opened:day}, closed on {closed:day}",
            **facts,
            closed=holder.closed_on,
        )
    return _("{name} ({tax_number}), opened on {opened:day}", **facts)


def _cells(figures: Figures) -> list[str]:
    cents = (figures.closing_balance_cents, figures.credit_turnover_cents, figures.debit_turnover_cents)
    return list(map(amount, cents))
