"""What the rules said about a fact is said again with each report that has it, and asked only then."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as hooks

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind, check_file
from ajpes_reporting.database.engine import open_engine, rehearsing
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.reports.kind import FileRuleSettings
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.nodurs.select import select_changes
from ajpes_reporting.xmlread import read_root
from benchmarks import filling, ledgers
from tests.conftest import MIGRATED
from tests.pipeline.test_plans import Statements, reading, scanned
from tests.reports.conftest import NODURS_REQUEST, SPAPP_REQUEST, Books, Report

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.reports.kind import Request
    from tests.servers.postgres import Cluster

_NUMBERS = count()
_ODD: list[dict[str, str]] = [
    {"change_type": "77"},
    {"change_date": "2026-11-01"},
    {"amount_cents": "-5"},
    {"priority": "7"},
    {"reference_model": "12", "reference": "1234567890123"},
    {"debtor_tax_number": "50123450"},
    {"debtor_account": "010000000100188"},
    {"creditor_account": "010000000100188", "creditor_name": "Upnik"},
    {},
    {},
]  # fmt: skip


def test_a_warning_comes_back_with_every_report(books: Books) -> None:
    """The clerk who builds the report did not import the file, and has to see it too."""
    books.record({"change_type": "77"}, {"event_id": "2"})
    (finding,) = books.nodurs().selection.findings
    assert (finding.record, finding.rule) == ("O-1 / event 1", "change-type.unknown")
    books.accept("O-1", "1", "2")
    books.record({"event_id": "3"})
    assert [again.rule for again in books.nodurs().selection.findings] == ["change-type.unknown"]


def test_a_setting_that_came_later_counts_for_what_is_in_the_ledger(books: Books) -> None:
    """A bank that fills in its account prefixes learns which accounts do not fit, old ones too."""
    books.record({})
    request = replace(NODURS_REQUEST, rules=RuleSettings(account_prefixes=("99",)))
    assert [finding.rule for finding in books.nodurs(request).selection.findings] == ["debtor-account.prefix"]
    months = replace(SPAPP_REQUEST, rules=RuleSettings(account_prefixes=("99",)))
    books.take_csv([{"account": "010000000100187", "holder_tax_number": "50123459", "holder_name": "A",
                     "opened_on": "2020-01-01", "closed_on": ""}])  # fmt: skip
    books.take_csv([{"account": "010000000100187", "month": "2026-10", "credit_turnover_cents": "0",
                     "debit_turnover_cents": "0", "closing_balance_cents": "0"}])  # fmt: skip
    assert books.spapp().selection.findings == ()
    assert [finding.rule for finding in books.spapp(months).selection.findings] == ["account.prefix"]


def test_a_remark_survives_settings_that_the_ledger_has_not_met(books: Books) -> None:
    """No row bears the edition of settings that are new, or of the program after an update: then every
    fact is asked about, also one of which something had been said as it came in."""
    books.record({"debtor_tax_number": "50123450", "change_type": "77"})
    books.take_csv([{"account": "010000000100188", "holder_tax_number": "50123459", "holder_name": "A",
                     "opened_on": "2020-01-01", "closed_on": ""}])  # fmt: skip
    books.take_csv([{"account": "010000000100188", "month": "2026-10", "credit_turnover_cents": "0",
                     "debit_turnover_cents": "0", "closing_balance_cents": "0"}])  # fmt: skip
    new = RuleSettings(account_prefixes=("01",))
    changes = books.nodurs(replace(NODURS_REQUEST, rules=new)).selection.findings
    assert [one.rule for one in changes] == ["debtor-tax-number.check-digits", "change-type.unknown"]
    accounts = books.spapp(replace(SPAPP_REQUEST, rules=new)).selection.findings
    assert [one.rule for one in accounts] == ["account.check-digits"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.sampled_from(_ODD), min_size=1, max_size=8))
def test_the_ledger_says_what_a_check_of_the_file_says(
    engine: Any, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    """A stranger who checks our file finds what we found, no more and no less."""
    books = Books(engine, tmp_path)
    books.record(*({"obligation_id": f"O-{next(_NUMBERS)}", **row} for row in rows))
    report = books.nodurs()
    assert _told(report.selection.findings) == _told(_checked(report, NODURS_REQUEST, tmp_path))


def test_a_small_report_reads_a_small_part_of_the_ledger(books: Books) -> None:
    """Ten million events of history must not slow down a day with a thousand."""
    books.record({"obligation_id": "O-1", "change_date": "2026-11-16"}, {"obligation_id": "O-2"})
    books.accept("O-2", "1")
    with rehearsing(books.engine) as connection:
        statements = _asked(connection, NODURS_REQUEST, obligations=1)
        scans = [
            f"{table}: {' '.join(statement.split())}"
            for statement, parameters in statements.items()
            for table in scanned(connection, statement, parameters)
        ]
    assert any("pending_events" in statement for statement in statements)
    assert not scans, "\n".join(scans)


def test_a_report_of_everything_remembers_no_obligations(postgres: Cluster) -> None:
    """With too little memory for what it has seen, PostgreSQL goes through the rest again for every few: ten
    million events were not through after eight minutes."""
    with postgres.database(template=MIGRATED) as url:
        filling.fill(url, "scattered", 20_000)
        engine = open_engine(url)
        with rehearsing(engine) as connection:
            connection.exec_driver_sql("SET LOCAL work_mem = '64kB'")
            request = replace(NODURS_REQUEST, provider=ledgers.PROVIDER)
            statements = _asked(connection, request, obligations=2_000)
            chosen = ("pending_events", "row_number")  # the list of the changed obligations, numbered
            [(choice, values)] = [one for one in statements.items() if all(word in one[0] for word in chosen)]
            plan = connection.exec_driver_sql(f"EXPLAIN {choice}", values).scalars().all()
        engine.dispose()
    assert plan
    assert "HashAggregate" not in "\n".join(plan)


def _asked(connection: Connection, request: Request, obligations: int) -> Statements:
    """What a report with so many obligations asks of the database."""
    statements: Statements = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if asked := reading(statement):
            statements.setdefault(asked, parameters)

    hooks.listen(connection, "before_cursor_execute", note)
    selection = select_changes(connection, request)
    assert len(list(selection.rows)) == obligations
    assert list(selection.findings)
    hooks.remove(connection, "before_cursor_execute", note)
    return statements


def _checked(report: Report, request: Request, folder: Path) -> list[Finding]:
    path = folder / "report.xml"
    path.write_bytes(report.content)
    file_settings = FileRuleSettings(request.settings.amounts, request.rules)
    kind = FileKind(
        NODURS.root, NODURS.namespace, shipped.schema(NODURS.schema), lambda: NODURS.file_rules(file_settings)
    )
    return check_file(path, read_root(path), kind).log.shown


def _told(findings: Any) -> list[tuple[str, str, str]]:
    return sorted((one.record, one.rule, one.message) for one in findings)
