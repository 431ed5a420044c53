"""`build nodurs | spapp --diff`: the report beside what AJPES holds, before anything is sent."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

from ajpes_reporting.cli.output import echo, echo_file, write_json
from ajpes_reporting.cli.session import Right, amount, day, listed, number
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import NOTHING, _, _n
from ajpes_reporting.private import open_private
from ajpes_reporting.queries.difference import (
    ComparedAccount,
    ComparedEvent,
    ComparedObligation,
    Standing,
    compare_accounts,
    compare_obligations,
)
from ajpes_reporting.queries.document import document
from ajpes_reporting.queries.held import HELD_KINDS, held
from ajpes_reporting.queries.words import field_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.cli.table_files import TableFile
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.pipeline.build import Built
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.held import Held
    from ajpes_reporting.reports.kind import ReportKind

_SHOWN = 50
_FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")
_EVENT_COLUMNS = (
    "obligation", "submission", "event_id", "standing", "altered", "change_type", "change_date",
    "amount_cents", "recorded_at",
)  # fmt: skip
_ACCOUNT_COLUMNS = (
    "account", "month", "standing", *(f"{side}_{name}" for side in ("report", "held") for name in _FIGURES),
)  # fmt: skip


def tell_difference(
    session: Session,
    context: Context,
    kind: ReportKind,
    period: Period,
    built: Built | None,
    folder: Path,
    table: TableFile | None,
) -> None:
    """Tells how a report that was built differs from what AJPES holds: in words, as JSON or as a table.

    Where nothing was built, there is nothing to report.
    """
    if kind not in HELD_KINDS:
        raise UsageError(
            _("{report} cannot be compared with what AJPES holds.", report=kind.code),
            _("leave --diff out"),
        )
    with held(context, (kind,)) as found:
        if table is not None:
            columns = _ACCOUNT_COLUMNS if kind.monthly else _EVENT_COLUMNS
            every = _compared(context, kind, built, period, found)
            table.write(folder, columns, (row for item in every for row in _rows(item)))
        items = _compared(context, kind, built, period, found)
        if session.as_json:
            made = folder / "difference.json"
            with open_private(made, "w", encoding="utf-8") as out:
                write_json(items, out)
            echo_file(made)
        elif table is None:
            show = _show_accounts if kind.monthly else _show_events
            show(session, period, items)
    if table is not None:
        table.hand_out(session)


def _compared(
    context: Context, kind: ReportKind, built: Built | None, period: Period, found: Held
) -> Iterator[Any]:
    if built is None:
        return iter(())
    if not kind.monthly:
        return compare_obligations(built.path, found)
    return compare_accounts(built.path, found, period.key, context.report_settings[kind.code].amounts)


def _rows(item: ComparedObligation | ComparedAccount) -> Iterator[dict[str, Any]]:
    about: dict[str, Any] = document(item)
    if isinstance(item, ComparedAccount):
        for side in ("report", "held"):
            about |= {f"{side}_{name}": one for name, one in zip(_FIGURES, about[side] or (), strict=False)}
        yield about
        return
    for event in about["events"]:
        yield {**about, **event, "altered": "; ".join(event["altered"])}


def _show_events(session: Session, period: Period, items: Iterator[ComparedObligation]) -> None:
    counts: Counter[Standing] = Counter()
    rows: list[list[str]] = []
    obligations = 0
    for item in items:
        obligations += 1
        counts.update(event.standing for event in item.events)
        for place, event in enumerate(item.events):
            if len(rows) < _SHOWN:
                rows.append([item.obligation if place == 0 else "", *_event_cells(event)])
    echo(
        _n(
            "NODURS for {period} beside what AJPES holds: {count:count} obligation.",
            "NODURS for {period} beside what AJPES holds: {count:count} obligations.",
            obligations,
            period=period.spoken,
        )
    )
    if not rows:
        return
    _show_counts(counts)
    columns = (
        _("obligation"),
        _("event"),
        _("type"),
        _("change date"),
        Right(_("amount")),
        _("beside AJPES"),
    )
    session.table(NOTHING, columns, rows)
    _show_more(sum(counts.values()) - len(rows))


def _event_cells(event: ComparedEvent) -> list[str]:
    standing = event.standing.label
    if event.altered:
        names = listed(map(field_in_words, event.altered))
        standing = _("AJPES has it otherwise: {fields}", fields=names)
    changed = day(date.fromisoformat(event.change_date))
    return [event.event_id, event.change_type, changed, amount(event.amount_cents), standing]


def _show_accounts(session: Session, period: Period, items: Iterator[ComparedAccount]) -> None:
    counts: Counter[Standing] = Counter()
    rows: list[list[str]] = []
    for item in items:
        counts[item.standing] += 1
        if len(rows) < _SHOWN:
            rows.append([item.account, item.standing.label, _("report"), *_figure_cells(item.report)])
            rows.append(["", "", _("AJPES"), *_figure_cells(item.held)])
    month = period.spoken
    if not counts:
        echo(_("SPAPP for {period}: AJPES holds the same figures for every account.", period=month))
        return
    echo(
        _n(
            "SPAPP for {period} beside what AJPES holds: {count:count} account differs.",
            "SPAPP for {period} beside what AJPES holds: {count:count} accounts differ.",
            sum(counts.values()),
            period=month,
        )
    )
    _show_counts(counts)
    columns = (
        _("account"),
        _("beside AJPES"),
        _("side"),
        Right(_("credit")),
        Right(_("debit")),
        Right(_("closing balance")),
    )
    session.table(NOTHING, columns, rows)
    _show_more(sum(counts.values()) - len(rows) // 2)


def _figure_cells(figures: tuple[int, int, int] | None) -> list[str]:
    return [_("none")] * len(_FIGURES) if figures is None else [amount(cents) for cents in figures]


def _show_counts(counts: Counter[Standing]) -> None:
    for standing in Standing:
        if counts[standing]:
            echo(_("{label}: {told}", label=standing.label, told=number(counts[standing])), indent=2)


def _show_more(more: int) -> None:
    if more > 0:
        echo(_("… and {more:count} more", more=more))
