"""The result of an import, for a person and for a program; and where it moved figures that AJPES accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.cli.session import Right, amount, day, number
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.i18n import _, _n

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.files import ImportSummary
    from ajpes_reporting.ledger.reported import MovedMonth
    from ajpes_reporting.ledger.statements import StatementSummary

_MOST_STATEMENTS = 100
_STANDINGS = {
    "first": _("the first one"),
    "joined": _("joins"),
    "overlaps": _("overlaps, joins"),
    "known": _("known already"),
    "gap": _("does not join"),
}


def import_json(summary: ImportSummary) -> dict[str, Any]:
    """Returns what one file brought, for a program."""
    return {
        "file": summary.path,
        "kind": summary.kind,
        "rows": summary.rows_read,
        "new": summary.rows_new,
        "known": summary.rows_known,
        "restated": summary.rows_restated,
        "renamed": summary.renamed,
        "changes": summary.restated,
        "moved": [item for month in summary.moved for item in month.shown],
        "warnings": summary.warnings,
        **({"statements": summary.statements} if summary.statements else {}),
    }


def show_import(summary: ImportSummary) -> None:
    """Prints what one file brought, for a person."""
    facts = {
        "file": str(summary.path),
        "rows": rows_in_words(summary.kind, summary.rows_read),
        "new": summary.rows_new,
        "known": summary.rows_known,
    }
    if summary.rows_restated:
        restated = summary.rows_restated
        echo(
            _(
                "{file}: {rows}, {new:count} new, {restated:count} restated, {known:count} known already",
                **facts,
                restated=restated,
            )
        )
    else:
        echo(_("{file}: {rows}, {new:count} new, {known:count} known already", **facts))
    if summary.renamed:
        echo(
            _n(
                "{count:count} obligation with another name of the debtor; `ledger show` has the one before",
                "{count:count} obligations with another name of the debtor; `ledger show` has the one before",
                summary.renamed,
            ),
            indent=2,
        )
    for item in summary.restated:
        echo(_("restated: {item}", item=item.in_words()), indent=2)
    for finding in summary.warnings:
        echo(_("warning: {finding}", finding=finding.in_words()), indent=2)
    if summary.warning_count > len(summary.warnings):
        echo(
            _n(
                "… {count:count} warning in all",
                "… {count:count} warnings in all",
                summary.warning_count,
            ),
            indent=2,
        )
    show_moved(summary.moved)


def show_statements(session: Session, statements: Sequence[StatementSummary]) -> None:
    """Prints the statements of a file, the first ones, as a table; nothing for another file."""
    if not statements:
        return
    columns = (
        _("account"),
        _("statement"),
        _("first day"),
        _("last day"),
        Right(_("opening")),
        Right(_("entries")),
        Right(_("closing")),
        _("the one before"),
    )
    session.table(_("Statements"), columns, [_statement_row(item) for item in statements[:_MOST_STATEMENTS]])
    if (more := len(statements) - _MOST_STATEMENTS) > 0:
        echo(_("… and {more:count} more", more=more))
    if left_out := sum(item.not_booked for item in statements):
        echo(
            _n(
                "{count:count} entry was left out: it is not booked yet, or for information only.",
                "{count:count} entries were left out: they are not booked yet, or for information only.",
                left_out,
            )
        )


def _statement_row(item: StatementSummary) -> list[str]:
    return [
        item.account,
        item.statement,
        day(item.begins_on),
        day(item.ends_on),
        amount(item.opening_cents),
        number(item.entries),
        amount(item.closing_cents),
        _STANDINGS[item.standing],
    ]


def rows_in_words(kind: str, count: int) -> Message:
    """Returns how many rows of a kind there are: "3 events"."""
    match kind:
        case "events":
            return _n("{count:count} event", "{count:count} events", count)
        case "accounts":
            return _n("{count:count} account", "{count:count} accounts", count)
        case "account_months":
            return _n("{count:count} account month", "{count:count} account months", count)
        case "postings":
            return _n("{count:count} posting", "{count:count} postings", count)
    return _n("{count:count} row", "{count:count} rows", count)


def show_moved(moved: Iterable[MovedMonth]) -> None:
    """Prints the accepted months whose figures have moved, each with what a person can do."""
    for month in moved:
        echo(
            _n(
                "AJPES accepted {month} (submission {number}) with other figures for {count:count} account:",
                "AJPES accepted {month} (submission {number}) with other figures for {count:count} accounts:",
                month.count,
                month=parse_month(month.month).spoken,
                number=month.submission,
            )
        )
        for item in month.shown:
            echo(_("account {account}: {change}", account=item.account, change=item.in_words()), indent=2)
        if (more := month.count - len(month.shown)) > 0:
            echo(_("… and {more:count} more", more=more), indent=2)
        remedy = _(
            "if the month is to be sent again, `ajpes-reporting resubmit {number}`", number=month.submission
        )
        echo_order(remedy, indent=2)
