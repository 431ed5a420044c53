"""A third kind of report, TOY: every day the accounts that are open, as a bank might have to tell some day.

All that it takes is in this folder. The program does not know it: a test puts it into the registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

from sqlalchemy import Connection, func, select

from ajpes_reporting.database.tables import accounts
from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.domain.calendar import nodurs_deadline
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import Day, Period
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.reports.kind import (
    FileRules,
    FileRuleSettings,
    ReportKind,
    ReportSettings,
    Request,
    Selection,
    rows_of,
)
from ajpes_reporting.reports.markup import description, read_count, read_moment, severity
from ajpes_reporting.xmlread import Element, Record

_FOLDER = Path(__file__).parent


class ToySettings(ReportSettings):
    """The section `[toy]`: accounts that begin so are not told."""

    secret_prefix: str = "99"


def _select(connection: Connection, request: Request) -> Selection:
    assert isinstance(request.settings, ToySettings)
    open_ones = (
        select(accounts.c.account)
        .where(
            accounts.c.provider == request.provider,
            accounts.c.opened_on <= request.period.last_day,
            accounts.c.account.not_like(f"{request.settings.secret_prefix}%"),
        )
        .order_by(accounts.c.account)
    )
    count = connection.scalar(select(func.count()).select_from(open_ones.subquery())) or 0
    return Selection(count, {"stevilo": str(count)}, rows_of(connection, open_ones))


def _write(request: Request, selection: Selection) -> Iterator[bytes]:
    yield (
        f'<Toy xmlns="urn:toy" maticnaPonudnika="{request.provider}" datumPodatkov="{request.period.key}"'
        f' stevilo="{selection.totals["stevilo"]}">'
    ).encode()
    for (account,) in selection.rows:
        yield f'<Thing rn="{account}"/>'.encode()
    yield b"</Toy>"


class ToyRules(FileRules):
    """No account begins with the secret prefix of no settings."""

    ends = frozenset({"Thing"})

    def __init__(self, _settings: FileRuleSettings) -> None:
        self._count = 0

    @property
    def record_count(self) -> int:
        return self._count

    def end(self, element: Element) -> Iterator[Finding]:
        self._count += 1
        if (number := element.get("rn", "")).startswith("00"):
            yield Finding(
                Severity.ERROR,
                f"account {number}",
                "account",
                "toy.zeros",
                "the account begins with zeros",
                "correct it",
                "Thing/rn",
            )


def _read_head(ident: Record) -> AnswerHead:
    fields = ident.attributes
    return AnswerHead(
        fields["maticnaPonudnika"],
        fields["datumPodatkov"],
        read_moment(fields["datumPriprave"]),
        read_count(fields["iErr"]),
        read_count(fields["iWrn"]),
    )


def _read_row(row: Record) -> AnswerRow:
    return AnswerRow(severity=severity(row), code="", text=description(row))


def _deadline(period: Period, _days_off: frozenset[date]) -> datetime:
    return nodurs_deadline(period.first_day)


TOY = ReportKind(
    code="TOY",
    title=_("The daily report of toys."),
    monthly=False,
    starts_at=time(12),
    root="Toy",
    namespace="urn:toy",
    schema=str(_FOLDER / "toy.xsd"),
    counted_records=lambda count: _n("{count:count} toy", "{count:count} toys", count),
    record_mark=b"<Thing",
    answer_root="ToyOdgovor",
    answer_schema=str(_FOLDER / "toyodgovor.xsd"),
    select=_select,
    write=_write,
    file_rules=ToyRules,
    read_answer_head=_read_head,
    read_answer_row=_read_row,
    period=Day,
    deadline=_deadline,
    settings=ToySettings,
    example='# secret_prefix = "99"\n',
    needed_views=("accounts",),
)
