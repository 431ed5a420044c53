"""`pending`: what the next report of each kind holds, and why; what is left out; what has moved since."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.imports import show_moved
from ajpes_reporting.cli.output import echo, echo_file, order, write_json
from ajpes_reporting.cli.report_commands import ReportName, report_names
from ajpes_reporting.cli.session import Right, Session, amount, day, listed, local_time, with_session
from ajpes_reporting.cli.table_files import table_options
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.periods import parse_day
from ajpes_reporting.i18n import NOTHING, _, _n
from ajpes_reporting.private import open_private
from ajpes_reporting.queries.document import document
from ajpes_reporting.queries.words import due_in_words, totals_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from ajpes_reporting.cli.table_files import TableFile
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.ledger.reported import Difference
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.obligations import PendingEvent, PendingObligation, Reason
    from ajpes_reporting.queries.pending import NextNodurs, NextReport, NextSpapp, Pending
    from ajpes_reporting.reports.kind import ReportKind

_OBLIGATIONS_SHOWN = 20
_EVENTS_SHOWN = 5

_FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")
_COLUMNS = {
    "nodurs": (
        "obligation", "reasons", "in_report", "held_back", "excluded_since", "excluded_because", "issuer",
        "debtor_tax_number", "debtor_name", "debtor_account", "event_id", "cancels_event_id", "change_type",
        "change_date", "amount_cents", "recorded_at", "new", "event_held_back",
    ),
    "spapp": (
        "account", "month", "submission",
        *(f"{side}_{name}" for side in ("accepted", "now") for name in _FIGURES),
    ),
}  # fmt: skip
_COLUMNS_IN_BRIEF = ("period", "deadline", "records")
"""The columns of a report about which there is no more to say than how much is in it."""


@click.command("pending", short_help="What the next reports hold, and why; what is left out.")
@click.argument("report", required=False, type=ReportName())
@click.option("--date", "day", help="The day of the NODURS report, YYYY-MM-DD; default: the next one.")
@with_session
@table_options
def command(session: Session, report: str | None, day: str | None, table: TableFile | None) -> None:
    """Says what the next report holds and why each obligation is in it, and what is left out.

    For SPAPP, in brief; and every account that AJPES has accepted with other figures than the ledger has
    now. Without a name, every report. Nothing is sent, and nothing is changed.
    """
    wanted = (report,) if report else tuple(report_names())
    if day and "nodurs" not in wanted:
        raise UsageError(_("--date names the day of a NODURS report."), _("leave it out for SPAPP"))
    chosen = _Chosen(wanted, day)
    context = session.context()
    with context.working_folder() as folder:
        made = folder / "pending.json" if session.as_json else None
        write_table = partial(_write_table, folder, table) if table is not None else None
        shown = _look(context, chosen, made, write_table, for_a_person=not session.as_json and table is None)
        if table is not None:
            table.hand_out(session)
        if made is not None:
            echo_file(made)
    for show in shown:
        show(session)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The reports that are asked about, and the day of the daily one; without one, the next."""

    reports: tuple[str, ...]
    day: str | None


@dataclass(slots=True)
class _Overview:
    """The part of a daily report that a person is shown: all counted, the first obligations in full."""

    obligations: int = 0
    events: int = 0
    new_events: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    first: list[PendingObligation] = field(default_factory=list)


def _look(
    context: Context,
    chosen: _Chosen,
    made: Path | None,
    write_table: Callable[[Pending, _Chosen], None] | None,
    *,
    for_a_person: bool,
) -> list[Callable[[Session], None]]:
    """Asks within one transaction and writes the document or the table; returns what shows it to a person."""
    from ajpes_reporting.queries.pending import pending

    shown: list[Callable[[Session], None]] = []
    with pending(context) as asked:
        if made is not None:
            _write_document(asked, chosen, made)
        if write_table is not None:
            write_table(asked, chosen)
        if for_a_person and "nodurs" in chosen.reports:
            nodurs = _nodurs(asked, chosen)
            overview = _overview(nodurs.obligations())
            shown.append(lambda session: _show_nodurs(session, nodurs, overview))
        if for_a_person and "spapp" in chosen.reports:
            spapp = asked.spapp()
            shown.append(lambda _session: _show_spapp(context, spapp))
        if for_a_person:
            for kind, report in _others(asked, chosen):
                shown.append(partial(_show_in_brief, context, kind, report))
    return shown


def _others(asked: Pending, chosen: _Chosen) -> Iterator[tuple[ReportKind, NextReport]]:
    """The chosen reports that are told in brief."""
    for kind in asked.context.kinds:
        if kind.name in chosen.reports and kind.name not in _COLUMNS:
            yield kind, asked.brief(kind)


def _nodurs(asked: Pending, chosen: _Chosen) -> NextNodurs:
    return asked.nodurs(parse_day(chosen.day) if chosen.day else None)


def _write_document(asked: Pending, chosen: _Chosen, made: Path) -> None:
    lists: dict[str, Iterator[Any]] = {}
    if "nodurs" in chosen.reports:
        lists["nodurs"] = _nodurs(asked, chosen).obligations()
    if "spapp" in chosen.reports:
        lists["spapp"] = asked.spapp().differences()
    for kind, report in _others(asked, chosen):
        lists[kind.name] = iter([{**_in_brief(report), "totals": report.totals}])
    with open_private(made, "w", encoding="utf-8") as out:
        write_json(lists if len(lists) > 1 else next(iter(lists.values())), out)


def _write_table(folder: Path, table: TableFile, asked: Pending, chosen: _Chosen) -> None:
    """Writes one table for all reports; with several, a first column says which."""
    each = (_COLUMNS.get(name, _COLUMNS_IN_BRIEF) for name in chosen.reports)
    columns = tuple(dict.fromkeys(column for names in each for column in names))
    if len(chosen.reports) > 1:
        columns = ("report", *columns)
    table.write(folder, columns, _table_rows(asked, chosen))


def _table_rows(asked: Pending, chosen: _Chosen) -> Iterator[dict[str, Any]]:
    if "nodurs" in chosen.reports:
        for item in _nodurs(asked, chosen).obligations():
            yield from ({"report": "NODURS", **row} for row in _event_rows(item))
    if "spapp" in chosen.reports:
        for difference in asked.spapp().differences():
            yield {"report": "SPAPP", **_difference_row(difference)}
    for kind, report in _others(asked, chosen):
        yield {"report": kind.code, **_in_brief(report)}


def _in_brief(report: NextReport) -> dict[str, Any]:
    return {"period": report.period.key, "deadline": report.deadline, "records": report.record_count}


def _event_rows(item: PendingObligation) -> Iterator[dict[str, Any]]:
    """One row per event, each with what is to be said of its obligation."""
    about = document(item)
    about |= {
        "reasons": "; ".join(item.reasons),
        "excluded_since": item.excluded.since if item.excluded else None,
        "excluded_because": item.excluded.reason if item.excluded else None,
    }
    for event in about["events"]:
        yield {**event, **about, "event_held_back": event["held_back"]}


def _difference_row(difference: Difference) -> dict[str, Any]:
    made: dict[str, Any] = document(difference)
    sides = {side: made[side] or {} for side in ("accepted", "now")}
    return made | {f"{side}_{name}": sides[side].get(name) for side in sides for name in _FIGURES}


def _overview(items: Iterable[PendingObligation]) -> _Overview:
    seen = _Overview()
    for item in items:
        if not item.in_report:
            continue
        reported = item.reported_events
        seen.obligations += 1
        seen.events += len(reported)
        seen.new_events += sum(event.new for event in reported)
        seen.reasons.update(item.reasons)
        if len(seen.first) < _OBLIGATIONS_SHOWN:
            seen.first.append(item)
    return seen


def _show_nodurs(session: Session, nodurs: NextNodurs, seen: _Overview) -> None:
    name = {"report": "NODURS", "period": nodurs.period.spoken}
    if seen.obligations:
        echo(
            _n(
                "{report} for {period} holds {count:count} obligation with {events},"
                " {new:count} of them new for AJPES.",
                "{report} for {period} holds {count:count} obligations with {events},"
                " {new:count} of them new for AJPES.",
                seen.obligations,
                **name,
                events=_n("{count:count} event", "{count:count} events", seen.events),
                new=seen.new_events,
            )
        )
        echo(listed(_in_order(seen.reasons)))
        columns = (
            _("obligation"),
            _("why"),
            _("event"),
            _("type"),
            _("change date"),
            Right(_("amount")),
            _("recorded"),
        )
        session.table(NOTHING, columns, [row for item in seen.first for row in _rows(item)])
        if (more := seen.obligations - len(seen.first)) > 0:
            echo(
                _n(
                    "… and {count:count} obligation more; `--csv FILE` or `--json` has them all.",
                    "… and {count:count} obligations more; `--csv FILE` or `--json` has them all.",
                    more,
                )
            )
    elif nodurs.left_out.has_news:
        echo(_("{report} for {period} holds nothing. What has changed is left out of it.", **name))
    else:
        echo(_("{report} for {period} holds nothing. No obligation has changed.", **name))
    if notes := list(nodurs.left_out.notes()):
        rows = [[note.record, note.message, order(note.remedy)] for note in notes]
        session.table(_("Left out of it"), (_("record"), _("why"), _("do")), rows)


def _in_order(reasons: Counter[Reason]) -> Iterator[Message]:
    from ajpes_reporting.queries.obligations import Reason

    return (
        _("{reason}: {count:count}", reason=reason.label, count=reasons[reason])
        for reason in Reason
        if reasons[reason]
    )


def _rows(item: PendingObligation) -> Iterator[list[str]]:
    """The first new events of an obligation, and how many there are beside them."""
    reported = item.reported_events
    new = [event for event in reported if event.new]
    reasons = listed(reason.label for reason in item.reasons)
    head = [item.obligation, reasons]
    for event in islice(new, _EVENTS_SHOWN):
        yield [*head, *_event_cells(event)]
        head = ["", ""]
    if more := len(reported) - min(len(new), _EVENTS_SHOWN):
        known = len(reported) - len(new)
        beside = _("… {more:count} more, {known:count} known to AJPES", more=more, known=known)
        yield ["", "", beside, "", "", "", ""]


def _event_cells(event: PendingEvent) -> list[str]:
    name = event.event_id
    if event.cancels_event_id:
        name = _("{event} cancels {cancelled}", event=name, cancelled=event.cancels_event_id)
    return [
        name,
        event.change_type,
        day(event.change_date),
        amount(event.amount_cents),
        local_time(event.recorded_at),
    ]


def _show_in_brief(context: Context, kind: ReportKind, report: NextReport, _session: Session) -> None:
    facts = {
        "report": kind.code,
        "period": report.period.spoken,
        "records": kind.counted_records(report.record_count),
    }
    if report.has_ended:
        echo(_("{report} for {period} holds {records}.", **facts))
    else:
        echo(_("{report} for {period} holds {records} so far.", **facts))
    _show_totals(context, kind, report.totals)
    echo(due_in_words(report.deadline, context.clock()), indent=2)


def _show_totals(context: Context, kind: ReportKind, totals: Mapping[str, str]) -> None:
    for total in totals_in_words(kind, totals, context.report_settings[kind.code].amounts):
        echo(total, indent=2)


def _show_spapp(context: Context, spapp: NextSpapp) -> None:
    from ajpes_reporting.reports.spapp import SPAPP

    echo(_spapp_in_words(spapp))
    if spapp.accounts:
        _show_totals(context, SPAPP, spapp.totals)
    echo(due_in_words(spapp.deadline, context.clock()), indent=2)
    if spapp.moved:
        show_moved(spapp.moved)
    else:
        echo(_("No account of an accepted month has other figures by now."))


def _spapp_in_words(spapp: NextSpapp) -> Message:
    name = {"report": "SPAPP", "period": spapp.period.spoken}
    if not spapp.accounts and spapp.has_ended:
        return _("{report} for {period} holds nothing: the ledger has no accounts for it.", **name)
    if not spapp.accounts:
        return _(
            "{report} for {period} holds nothing: the ledger has no accounts for it so far;"
            " the month is not over.",
            **name,
        )
    if spapp.silent and spapp.has_ended:
        return _n(
            "{report} for {period} holds {count:count} account, {silent:count} of them without figures.",
            "{report} for {period} holds {count:count} accounts, {silent:count} of them without figures.",
            spapp.accounts,
            **name,
            silent=spapp.silent,
        )
    if spapp.silent:
        return _n(
            "{report} for {period} holds {count:count} account so far, {silent:count} of them without"
            " figures; the month is not over.",
            "{report} for {period} holds {count:count} accounts so far, {silent:count} of them without"
            " figures; the month is not over.",
            spapp.accounts,
            **name,
            silent=spapp.silent,
        )
    if spapp.has_ended:
        return _n(
            "{report} for {period} holds {count:count} account.",
            "{report} for {period} holds {count:count} accounts.",
            spapp.accounts,
            **name,
        )
    return _n(
        "{report} for {period} holds {count:count} account so far; the month is not over.",
        "{report} for {period} holds {count:count} accounts so far; the month is not over.",
        spapp.accounts,
        **name,
    )
