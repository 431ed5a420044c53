"""`ledger holds | prove`: what AJPES holds, by accepted bytes alone, and whether the ledger says the same."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ajpes_reporting.cli.output import echo, echo_file, echo_order, write_json
from ajpes_reporting.cli.report_commands import ReportName
from ajpes_reporting.cli.session import Right, Session, amount, day, number, period, with_session
from ajpes_reporting.cli.table_files import table_options
from ajpes_reporting.domain.errors import ChecksRefused, UsageError
from ajpes_reporting.domain.periods import parse_day, parse_month
from ajpes_reporting.i18n import _, _n, verbatim
from ajpes_reporting.private import open_private
from ajpes_reporting.queries.document import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.cli.table_files import TableFile
    from ajpes_reporting.ledger.reported import Figures
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.held import Held, HeldEvent, HeldMonth, HeldObligation
    from ajpes_reporting.queries.proof import MonthLine, MonthProof, Proof
    from ajpes_reporting.reports.kind import ReportKind

_SHOWN = 20
_FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")
_EVENT_COLUMNS = (
    "obligation", "submission", "issuer", "debtor_tax_number", "debtor_name", "debtor_account", "event_id",
    "cancels_event_id", "change_type", "change_date", "amount_cents", "recorded_at", "reference_model",
    "reference", "priority", "creditor_account", "creditor_name",
)  # fmt: skip
_ACCOUNT_COLUMNS = ("account", "month", "submission", *_FIGURES)
_DISAGREEMENT_COLUMNS = (
    "kind", "obligation", "event", "account", "month", "submission", "field", "held", "ledger",
)  # fmt: skip
_LINE_COLUMNS = (
    "account", "month", "submission", "origin", *(f"ledger_{name}" for name in _FIGURES),
    "posted_credit_cents", "posted_debit_cents", *(f"written_{name}" for name in _FIGURES),
    *(f"held_{name}" for name in _FIGURES), "answer", "agrees",
)  # fmt: skip


@click.command("holds", short_help="What AJPES holds, from accepted reports alone.")
@click.argument("report", required=False, type=ReportName())
@click.option("--on", "on_day", help="As AJPES held it at the end of this day, YYYY-MM-DD; default: now.")
@click.option("--obligation", help="One obligation alone.")
@with_session
@table_options
def holds(
    session: Session, report: str | None, on_day: str | None, obligation: str | None, table: TableFile | None
) -> None:
    """Rebuilds what AJPES holds from the bytes that it accepted, and from nothing in the ledger.

    Of each obligation the newest accepted report counts, of each month too. The table has the events, or, for
    SPAPP, the accounts.
    """
    from ajpes_reporting.queries.held import held

    if obligation is not None and report == "spapp":
        raise UsageError(
            _("--obligation names an obligation of a NODURS report."), _("leave it out for SPAPP")
        )
    context = session.context()
    kinds = _kinds(context, report)
    until = parse_day(on_day).end if on_day else None
    with context.working_folder() as folder, session.progress(_("Reading accepted reports")) as progress:
        with held(context, kinds, until, progress) as found:
            if table is not None:
                _write_holdings(found, kinds, obligation, table, folder)
            if session.as_json:
                made = folder / "holds.json"
                _write_holdings_json(found, kinds, obligation, made)
            elif table is None:
                _show_holdings(session, found, kinds, obligation)
        if table is not None:
            table.hand_out(session)
        if session.as_json:
            echo_file(made)


@click.command("prove", short_help="Compare what AJPES holds with the ledger, to the cent.")
@click.argument("report", required=False, type=ReportName())
@click.option("--month", help="One month alone, YYYYMM: each account in ledger, postings and report.")
@with_session
@table_options
def prove(session: Session, report: str | None, month: str | None, table: TableFile | None) -> None:
    """Proves that AJPES holds what the ledger says was accepted: event by event, account by account.

    What AJPES holds is rebuilt from accepted bytes. The table has every record about which the two disagree;
    with --month, every account of the month. Leaves with 3 if they disagree. Nothing is sent or changed.
    """
    from ajpes_reporting.queries.held import held
    from ajpes_reporting.queries.proof import Comparison

    if month and report == "nodurs":
        raise UsageError(_("--month names the month of a SPAPP report."), _("leave it out for NODURS"))
    context = session.context()
    kinds = _kinds(context, "spapp" if month else report)
    with context.working_folder() as folder, session.progress(_("Reading accepted reports")) as progress:
        with held(context, kinds, progress=progress) as found:
            if month:
                agrees = _prove_month(session, context, found, parse_month(month).key, table, folder)
            else:
                comparison = Comparison(found, context.provider)
                rows = map(document, comparison.disagreements())
                if table is not None:
                    table.write(folder, _DISAGREEMENT_COLUMNS, rows)
                deque(rows, maxlen=0)
                proof = comparison.proof()
                if table is None or not table.is_on_standard_output:
                    session.emit(proof, lambda: _show_proof(session, proof))
                agrees = proof.agrees
        if table is not None:
            table.hand_out(session)
    if not agrees:
        click.get_current_context().exit(ChecksRefused.exit_code)


def _prove_month(
    session: Session, context: Context, found: Held, month: str, table: TableFile | None, folder: Path
) -> bool:
    """Shows each account of a month beside its report; tells whether all of them agree."""
    from ajpes_reporting.queries.proof import month_lines

    of = next((one for one in found.months() if one.month == month), None)
    if of is None:
        raise UsageError(
            _("No accepted report for {month} is in the archive.", month=parse_month(month).spoken),
            _("see `ajpes-reporting ledger holds`, which lists them"),
        )
    seen = _Seen()
    lines = seen.noting(month_lines(found, context.provider, of))
    if table is not None:
        table.write(folder, _LINE_COLUMNS, map(_line_row, lines))
    deque(lines, maxlen=0)
    if session.as_json:
        made = folder / "prove.json"
        accounts = map(document, month_lines(found, context.provider, of))
        with open_private(made, "w", encoding="utf-8") as out:
            write_json({"month": document(of), "accounts": accounts}, out)
        echo_file(made)
    elif table is None or not table.is_on_standard_output:
        _show_month(session, of, seen)
    return not seen.disagreeing


@dataclass(slots=True)
class _Seen:
    """The part of a month that a person is shown: the accounts that disagree, or else the first ones."""

    count: int = 0
    disagreeing: int = 0
    first: list[MonthLine] = field(default_factory=list)
    first_disagreeing: list[MonthLine] = field(default_factory=list)

    def noting(self, lines: Iterable[MonthLine]) -> Iterator[MonthLine]:
        for line in lines:
            self.count += 1
            if line.disagreements:
                self.disagreeing += 1
            kept = self.first_disagreeing if line.disagreements else self.first
            if len(kept) < _SHOWN:
                kept.append(line)
            yield line


def _kinds(context: Context, report: str | None) -> tuple[ReportKind, ...]:
    from ajpes_reporting.queries.held import HELD_KINDS

    return tuple(kind for kind in context.kinds if kind in HELD_KINDS and report in (None, kind.name))


def _write_holdings(
    found: Held, kinds: Sequence[ReportKind], obligation: str | None, table: TableFile, folder: Path
) -> None:
    """Writes the events; or the accounts, where only monthly reports are asked about."""
    if all(kind.monthly for kind in kinds):
        table.write(folder, _ACCOUNT_COLUMNS, map(document, found.accounts()))
    else:
        rows = (row for one in found.obligations(obligation) for row in _event_rows(one))
        table.write(folder, _EVENT_COLUMNS, rows)


def _event_rows(item: HeldObligation) -> Iterator[dict[str, Any]]:
    about = document(item)
    return ({**about, **event} for event in about["events"])


def _write_holdings_json(
    found: Held, kinds: Sequence[ReportKind], obligation: str | None, made: Path
) -> None:
    lists: dict[str, Iterator[Any]] = {}
    for kind in kinds:
        lists[kind.name] = found.accounts() if kind.monthly else found.obligations(obligation)
    with open_private(made, "w", encoding="utf-8") as out:
        write_json({"reports": document(found.reports), **lists}, out)


def _show_holdings(
    session: Session, found: Held, kinds: Sequence[ReportKind], obligation: str | None
) -> None:
    kept = [report for report in found.reports if report.kept]
    newest = max((report.accepted_at for report in kept), default=None)
    if newest is None:
        echo(_("AJPES has accepted no report whose bytes are in the archive."))
        return
    echo(
        _n(
            "Rebuilt from the bytes of {count:count} report, which was accepted {at:moment}.",
            "Rebuilt from the bytes of {count:count} accepted reports; the last was accepted {at:moment}.",
            len(kept),
            at=newest,
        )
    )
    if found.purged:
        echo(
            _n(
                "The bytes of {count:count} accepted report were purged after their time. Facts that stood"
                " in no later report are missing here.",
                "The bytes of {count:count} accepted reports were purged after their time. Facts that stood"
                " in no later report are missing here.",
                len(found.purged),
            )
        )
    if any(not kind.monthly for kind in kinds):
        _show_obligations(session, found, obligation)
    if any(kind.monthly for kind in kinds) and obligation is None:
        _show_months(session, found.months())


def _show_obligations(session: Session, found: Held, obligation: str | None) -> None:
    total, count = found.events(), found.obligation_count()
    if obligation is not None:
        rows = [_event_cells(event) for one in found.obligations(obligation) for event in one.events]
        if not rows:
            echo(_("AJPES holds nothing of obligation {obligation}.", obligation=obligation))
            return
        heads = (_("event"), _("type"), _("cancels"), _("date"), Right(_("amount")), _("recorded"))
        session.table(_("Obligation {obligation}", obligation=obligation), heads, rows)
        return
    echo(
        _n(
            "{count:count} obligation with {events}, {sum:eur} in all.",
            "{count:count} obligations with {events}, {sum:eur} in all.",
            count,
            events=_n("{count:count} event", "{count:count} events", total.count),
            sum=total.cents,
        )
    )
    first = list(islice(found.obligations(), _SHOWN))
    columns = (_("obligation"), _("debtor"), Right(_("events")), Right(_("sum")), Right(_("submission")))
    session.table(_("Obligations that AJPES holds"), columns, list(map(_obligation_cells, first)))
    if (more := count - len(first)) > 0:
        echo(
            _n(
                "… and {count:count} obligation more; `--csv FILE` or `--json` has them all.",
                "… and {count:count} obligations more; `--csv FILE` or `--json` has them all.",
                more,
            )
        )


def _obligation_cells(item: HeldObligation) -> list[str]:
    cents = sum(event.amount_cents for event in item.events)
    events = number(len(item.events))
    return [item.obligation, item.debtor_name, events, amount(cents), str(item.submission)]


def _event_cells(event: HeldEvent) -> list[str]:
    recorded = _("{recorded:written}", recorded=event.recorded_at)
    return [
        event.event_id, event.change_type, event.cancels_event_id or "", day(event.change_date),
        amount(event.amount_cents), recorded,
    ]  # fmt: skip


def _show_months(session: Session, months: Sequence[HeldMonth]) -> None:
    columns = (
        _("month"), Right(_("accounts")), Right(_("credit")), Right(_("debit")), Right(_("closing balance")),
        Right(_("submission")),
    )  # fmt: skip
    session.table(_("Months that AJPES holds"), columns, [_month_cells(one) for one in months])


def _month_cells(of: HeldMonth) -> list[str]:
    figures = (of.credit_turnover_cents, of.debit_turnover_cents, of.closing_balance_cents)
    return [period(of.month), number(of.accounts), *map(amount, figures), str(of.submission)]


def _show_proof(session: Session, proof: Proof) -> None:
    if nodurs := proof.nodurs:
        columns = (_("side"), Right(_("events")), Right(_("sum")))
        sides = (
            (_("AJPES holds, by accepted reports"), nodurs.held),
            (_("the ledger counts as accepted"), nodurs.accepted),
            (_("of these only in purged reports"), nodurs.purged),
            (_("not accepted yet"), nodurs.waiting),
            (_("withdrawn, never reported"), nodurs.withdrawn),
        )
        rows = [[label, number(side.count), amount(side.cents)] for label, side in sides]
        session.table(verbatim("NODURS"), columns, rows)
    if proof.months:
        heads = (_("month"), Right(_("accounts")), Right(_("disagreements")), Right(_("submission")))
        session.table(verbatim("SPAPP"), heads, list(map(_proved_month_cells, proof.months)))
    if proof.disagreements:
        told = [[one.record, one.in_words()] for one in proof.disagreements[:_SHOWN]]
        session.table(_("Disagreements"), (_("record"), _("what each side has")), told)
    if (more := proof.count - _SHOWN) > 0:
        echo(
            _n(
                "… and {count:count} disagreement more; `--csv FILE` has them all.",
                "… and {count:count} disagreements more; `--csv FILE` has them all.",
                more,
            )
        )
    _show_verdict(proof.agrees)


def _proved_month_cells(of: MonthProof) -> list[str]:
    held = of.held
    return [period(held.month), number(held.accounts), number(of.disagreements), str(held.submission)]


def _show_verdict(agrees: bool) -> None:
    if agrees:
        echo(_("AJPES and the ledger agree about every record."))
    else:
        echo(_("AJPES and the ledger do NOT agree."))
        echo_order(
            _("look at each record with `ajpes-reporting ledger show`; correct the ledger, or report again")
        )


def _show_month(session: Session, of: HeldMonth, seen: _Seen) -> None:
    shown = seen.first_disagreeing or seen.first
    columns = (
        _("account"),
        _("side"),
        Right(_("credit")),
        Right(_("debit")),
        Right(_("closing balance")),
        _("AJPES says"),
    )
    rows = [row for line in shown for row in _line_cells(line)]
    month = parse_month(of.month).spoken
    title = _("{month}, submission {submission}", month=month, submission=of.submission)
    session.table(title, columns, rows)
    if (more := seen.count - len(shown)) > 0:
        echo(
            _n(
                "… and {count:count} account more; `--csv FILE` or `--json` has them all.",
                "… and {count:count} accounts more; `--csv FILE` or `--json` has them all.",
                more,
            )
        )
    if seen.disagreeing:
        echo(
            _n(
                "{count:count} account does not agree.",
                "{count:count} accounts do not agree.",
                seen.disagreeing,
            )
        )
    _show_verdict(not seen.disagreeing)


def _line_cells(line: MonthLine) -> Iterator[list[str]]:
    yield [line.account, _("ledger"), *_figure_cells(line.ledger), line.answer]
    if line.posted is not None:
        yield ["", _("postings"), *map(amount, line.posted), "", ""]
    yield ["", _("report"), *_figure_cells(line.held), ""]
    for one in line.disagreements:
        yield ["", _("differs"), "", "", "", one.in_words()]


def _figure_cells(figures: Figures | None) -> list[str]:
    if figures is None:
        return [_("none")] * len(_FIGURES)
    return [amount(getattr(figures, name)) for name in _FIGURES]


def _line_row(line: MonthLine) -> dict[str, Any]:
    made: dict[str, Any] = document(line)
    for side in ("ledger", "written", "held"):
        made |= {f"{side}_{name}": (made[side] or {}).get(name) for name in _FIGURES}
    credit, debit = line.posted or (None, None)
    return made | {
        "posted_credit_cents": credit, "posted_debit_cents": debit, "agrees": not line.disagreements,
    }  # fmt: skip
