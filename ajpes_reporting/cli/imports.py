"""What an import brought, for a person and for a program; and where it moved what AJPES has accepted."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ajpes_reporting.cli.findings import finding_json
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.wording import counted
from ajpes_reporting.domain.periods import parse_month

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ajpes_reporting.ledger.files import ImportSummary
    from ajpes_reporting.ledger.reported import Difference, MovedMonth


def import_json(summary: ImportSummary) -> dict[str, Any]:
    """One file, for a program."""
    return {
        "file": summary.path, "kind": summary.kind, "rows": summary.rows_read, "new": summary.rows_new,
        "known": summary.rows_known, "restated": summary.rows_restated,
        "renamed": summary.renamed, "changes": [asdict(item) for item in summary.restated],
        "moved": [difference_json(item) for month in summary.moved for item in month.shown],
        "warnings": [finding_json(item) for item in summary.warnings],
    }  # fmt: skip


def show_import(summary: ImportSummary) -> None:
    """One file, for a person."""
    restated = f"{summary.rows_restated:,} restated, " if summary.rows_restated else ""
    echo(
        f"{summary.path}: {counted(summary.rows_read, summary.kind.replace('_', ' '))}, "
        f"{summary.rows_new:,} new, {restated}{summary.rows_known:,} known already"
    )
    if summary.renamed:
        count = counted(summary.renamed, "obligations")
        echo(f"  {count} with another name of the debtor; `ledger show` has the one before")
    for item in summary.restated:
        echo(f"  restated: {item}")
    for finding in summary.warnings:
        echo(f"  warning: {finding}")
    if summary.warning_count > len(summary.warnings):
        echo(f"  … {summary.warning_count:,} warnings in all")
    show_moved(summary.moved)


def difference_json(item: Difference) -> dict[str, Any]:
    """What AJPES accepted of an account in a month, and what the ledger says now."""
    return {
        "account": item.account, "month": item.month, "submission": item.submission,
        "accepted": asdict(item.accepted) if item.accepted else None,
        "now": asdict(item.now) if item.now else None,
    }  # fmt: skip


def show_moved(moved: Iterable[MovedMonth]) -> None:
    """Accepted months whose figures have moved, each with what a person can do."""
    for month in moved:
        accounts = "1 account" if month.count == 1 else f"{month.count:,} accounts"
        echo(
            f"AJPES accepted {parse_month(month.month).spoken} (submission {month.submission}) "
            f"with other figures for {accounts}:"
        )
        for item in month.shown:
            echo(f"  account {item.account}: {item}")
        if month.count > len(month.shown):
            echo(f"  … and {month.count - len(month.shown):,} more")
        echo(f"  Do: if the month is to be sent again, `ajpes-reporting resubmit {month.submission}`.")
