"""An account with its months, as `ledger show` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Right, local_time
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.ledger.account_history import Holder

if TYPE_CHECKING:
    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.ledger.account_history import AccountHistory
    from ajpes_reporting.ledger.reported import Figures

_ORIGINS = {"imported": "imported", "closed": "summed up from postings"}


def show_account(session: Session, found: AccountHistory) -> None:
    """Account, holder and months, then what stood there before it was restated."""

    def show() -> None:
        echo(f"Account {found.account}: {_holder(found.holder)}")
        rows = [[item.month, *_cells(item.figures), _ORIGINS[item.origin]] for item in found.months]
        if rows:
            columns = ("month", Right("balance EUR"), Right("credit EUR"), Right("debit EUR"), "from")
            session.table("Months", columns, rows)
        for item in found.former:
            before = _holder(item.before) if isinstance(item.before, Holder) else str(item.before)
            what = f"{item.month} was" if item.month else "it was"
            echo(f"{local_time(item.restated_at)} restated ({item.reason}); before, {what} {before}")

    session.emit(found, show)


def _holder(holder: Holder) -> str:
    closed = f", closed on {holder.closed_on}" if holder.closed_on else ""
    return f"{holder.holder_name} ({holder.holder_tax_number}), opened on {holder.opened_on}{closed}"


def _cells(figures: Figures) -> list[str]:
    cents = (figures.closing_balance_cents, figures.credit_turnover_cents, figures.debit_turnover_cents)
    return [format_decimal(amount) for amount in cents]
