"""Business rules of SPAPP: over a file, whoever made it, and over the ledger behind our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, select

from ajpes_reporting.database.tables import account_months, accounts
from ajpes_reporting.domain import money, rules
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import parse_month
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.reports.head import check_head, read_period
from ajpes_reporting.reports.kind import FileRules, FileRuleSettings, Request
from ajpes_reporting.reports.markup import amount_writer
from ajpes_reporting.xmlread import Element, attributes, local_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOTALS = {"skupajZnesekBreme": "bre", "skupajZnesekDobro": "dob", "skupajZnesekStanj": "sta"}
_FIELDS = {"bre": "debit_turnover_cents", "dob": "credit_turnover_cents", "sta": "closing_balance_cents"}
_MOST_BALANCE_FINDINGS = 100


class SpappRules(FileRules):
    """Collects totals while the accounts pass; memory grows only with the account numbers."""

    ends = frozenset({"Ident", "Pi"})

    def __init__(self, settings: FileRuleSettings) -> None:
        self._settings = settings
        self._ident: dict[str, str] = {}
        self._sums = dict.fromkeys(_FIELDS, 0)
        self._seen: set[str] = set()
        self._format_complained = False

    @property
    def record_count(self) -> int:
        return len(self._seen)

    def end(self, element: Element) -> Iterator[Finding]:
        if local_name(element) == "Ident":
            yield from self._check_ident(element)
        else:
            yield from self._check_account(element)

    def finish(self) -> Iterator[Finding]:
        for total, column in _TOTALS.items():
            declared = self._ident.get(total)
            if declared is not None and self._amount(declared) != self._sums[column]:
                yield Finding(
                    Severity.ERROR,
                    _("the whole file"),
                    total,
                    "spapp.total",
                    _(
                        "the head says {declared}, the rows add up to {sum}",
                        declared=declared,
                        sum=amount_writer(self._settings.amounts)(self._sums[column]),
                    ),
                    _("have the file made again; do not correct it by hand"),
                    f"Ident/{total}",
                )

    def _check_ident(self, ident: Element) -> Iterator[Finding]:
        self._ident = attributes(ident)
        number = self._ident.get("maticnaPonudnika", "")
        yield from rules.check_provider(number)
        month, findings = read_period(self._ident.get("mesecPodatkov", ""), parse_month)
        yield from findings
        if month is not None:
            yield from check_head("SPAPP", month, number, self._settings)
        for total in _TOTALS:
            text = self._ident.get(total, "")
            yield from self._check_format(text, _("the head"), total, f"Ident/{total}")

    def _check_account(self, row: Element) -> Iterator[Finding]:
        number = row.get("rn", "")
        record = rules.account_name(number)
        if number in self._seen:
            yield Finding(
                Severity.ERROR,
                record,
                "account",
                "account.duplicate",
                _("the account stands in the file twice"),
                _("write each account once"),
                "Pi/rn",
            )
        self._seen.add(number)
        yield from rules.check_account_number(number, self._settings.rules)
        for column, field in _FIELDS.items():
            text = row.get(column, "")
            yield from self._check_format(text, record, field, f"Pi/{column}")
            self._sums[column] += self._amount(text)

    def _check_format(self, text: str, record: Message, field: str, location: str) -> Iterator[Finding]:
        decimal = money.amounts_format_of(text) == "decimal"
        if self._format_complained or decimal == (self._settings.amounts == "decimal"):
            return
        self._format_complained = True
        setting = self._settings.amounts
        yield Finding(
            Severity.ERROR,
            record,
            field,
            "spapp.amounts-format",
            _("amounts are written with decimals, the setting spapp.amounts is {setting}", setting=setting)
            if decimal
            else _(
                "amounts are written without decimals, the setting spapp.amounts is {setting}",
                setting=setting,
            ),
            _("write the file in the other format, or change the setting if AJPES wants it so"),
            location,
        )

    def _amount(self, text: str) -> int:
        """In cents where decimals are written, else in the unit of the file, whichever it is."""
        return money.parse_amount(text, "decimal" if money.amounts_format_of(text) == "decimal" else "cents")


def is_unbalanced(this: FromClause, before: FromClause) -> ColumnElement[bool]:
    """Returns the condition that a month's balance does not follow from that of the month before.

    Only where both balances are known.
    """
    expected = before.c.closing_balance_cents + this.c.credit_turnover_cents - this.c.debit_turnover_cents
    return expected != this.c.closing_balance_cents


def balance_findings(
    connection: Connection, request: Request, unbalanced: Select[tuple[str]]
) -> tuple[Finding, ...]:
    """Yields findings about accounts whose opening balance and turnover do not give the closing balance.

    `unbalanced` selects their numbers; see `is_unbalanced`. The file has no opening balances, so this one
    rule looks into the ledger.
    """
    this, before = account_months.alias("this"), account_months.alias("before")
    figures = (
        select(
            accounts.c.account,
            this.c.credit_turnover_cents,
            this.c.debit_turnover_cents,
            this.c.closing_balance_cents,
            before.c.closing_balance_cents,
        )
        .select_from(
            accounts.join(this, this.c.account == accounts.c.id).join(
                before,
                and_(before.c.account == accounts.c.id, before.c.month == request.period.previous().key),
            )
        )
        .where(
            accounts.c.provider == request.provider,
            this.c.month == request.period.key,
            accounts.c.account.in_(unbalanced),
        )
        .order_by(accounts.c.account)
        .limit(_MOST_BALANCE_FINDINGS)
    )
    return tuple(
        finding for row in connection.execute(figures) for finding in rules.check_account_month(*row)
    )
