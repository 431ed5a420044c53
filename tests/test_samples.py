"""Every sample that ships with the program is what it claims to be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from tests.check.conftest import Settings, check_path
from tests.xmllint import complaints

PROVIDER = "5860571000"

# File, schema, settings, errors, warnings, records; worked by hand from the files themselves.
# The instruction's own samples fail check digits, and the first one its own total: the sum it
# prints, 8594234.80, is not that of its rows, 288434.16 + 1507.99 + 200734.76 = 490676.91.
DOCUMENTS = {
    "instruction/nodurs.xml": (
        "nodurs-20100601.xsd", Settings(nodurs="decimal"), {"nodurs.total"},
        {"debtor-account.check-digits", "reference-model.unknown"}, 3,
    ),
    "instruction/spapp.xml": (
        "spapp-20100601.xsd", Settings(), set(), {"registration-number.check-digits"}, 3,
    ),
    "instruction/blokodgovor.xml": ("blokodgovor.xsd", Settings(), set(), {"answer.count"}, 3),
    "instruction/psodgovor.xml": ("psodgovor.xsd", Settings(), set(), {"answer.count"}, 3),
    "reports/NODURS_20261104_5860571.xml": ("nodurs-20100601.xsd", Settings(strict=True), set(), set(), 2),
    "reports/SPAPP_202610_5860571.xml": ("spapp-20100601.xsd", Settings(strict=True), set(), set(), 5),
    "answers/blokodgovor-refused.xml": ("blokodgovor.xsd", Settings(strict=True), set(), set(), 2),
    "answers/psodgovor-accepted.xml": ("psodgovor.xsd", Settings(strict=True), set(), set(), 0),
}  # fmt: skip

# File and its number of rows; accounts go first, whatever the order in which they are named.
LEDGER = {
    "ledger/events.csv": 9,
    "ledger/events-day-two.csv": 3,
    "ledger/events-forgotten.csv": 1,
    "ledger/accounts.csv": 6,
    "ledger/account-months.csv": 8,
    "ledger/postings.csv": 4,
    "statements/camt053-001-02.xml": 2,
    "statements/camt053-001-08.xml": 3,
}


def test_every_sample_is_used_here() -> None:
    """A sample that nobody tries is wrong before long. Others have tests of their own."""
    folder = shipped.sample("")
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.parent.name not in ("odd", "workbooks")
    }
    assert files == {*DOCUMENTS, *LEDGER, "eplacila_shop.py"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_has_the_findings_it_should_have(name: str) -> None:
    """Whoever tries `check` on a sample sees what the documentation says."""
    _schema, settings, errors, warnings, records = DOCUMENTS[name]
    checked = check_path(shipped.sample(name), settings)
    assert {finding.rule for finding in checked.errors} == errors
    assert warnings <= checked.rules
    assert bool(warnings) == bool(checked.rules - errors)
    assert checked.record_count == records


@pytest.mark.parametrize("name", DOCUMENTS)
def test_xmllint_accepts_each_document(name: str) -> None:
    """Samples and schemas agree, by a validator that is not ours."""
    assert complaints(shipped.sample(name), DOCUMENTS[name][0]) == ""


def test_the_instructions_sample_fails_in_the_default_format_of_amounts() -> None:
    """Its table says cents, its sample has decimals: the setting decides, and says so."""
    checked = check_path(shipped.sample("instruction/nodurs.xml"))
    assert "nodurs.amounts-format" in {error.rule for error in checked.errors}
    assert checked.encoding == "UTF-16"


def test_the_sample_ledger_imports_without_a_warning(tmp_path: Path) -> None:
    """A new user's first import is clean, also for the strictest bank."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    upgrade(engine)
    paths = [shipped.sample(name) for name in LEDGER]
    summaries = import_files(
        engine, PROVIDER, paths, RuleSettings(("01",)), now=datetime(2026, 12, 1, tzinfo=UTC)
    )
    engine.dispose()
    counts = {f"{summary.path.parent.name}/{summary.path.name}": summary.rows_new for summary in summaries}
    assert counts == LEDGER
    assert [finding for summary in summaries for finding in summary.warnings] == []
