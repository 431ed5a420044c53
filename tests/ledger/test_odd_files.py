"""The corpus `samples/odd`: files as people and programs leave them, each with what becomes of it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.i18n import Message
from tests.ledger.conftest import Ledger

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FOLDER = shipped.sample("odd")
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))
ACCOUNTS = FOLDER / "plain-accounts.csv"  # what months and postings need


def test_every_odd_file_is_expected_to_do_something(ledger: Ledger) -> None:
    """A file of the corpus that nobody tries is wrong before long."""
    expected = {name for table in EXPECTED.values() for name in table} | set(EXPECTED["works"].values())
    assert {path.name for path in FOLDER.iterdir()} == {*expected, "expected.toml"}


@pytest.mark.parametrize("name", EXPECTED["works"])
def test_what_cannot_be_misread_simply_works(ledger: Ledger, name: str) -> None:
    """A clerk need not know how a spreadsheet or a core system writes."""
    if "account" not in name:
        ledger.take_files(ACCOUNTS)
    (odd,) = ledger.take_files(FOLDER / name)
    (plain,) = ledger.take_files(FOLDER / EXPECTED["works"][name])
    assert (odd.rows_new, odd.warnings) == (plain.rows_read, ())
    assert (plain.rows_new, plain.rows_known, plain.renamed) == (0, odd.rows_read, 0)


@pytest.mark.parametrize("name", EXPECTED["refused"])
def test_what_can_be_misread_is_told_as_what_it_is(ledger: Ledger, name: str) -> None:
    """A clerk reads what happened to the value, where, and what to do, in either language."""
    ledger.take_files(ACCOUNTS)
    before = ledger.content()
    with pytest.raises(LedgerRefused) as refused:
        ledger.take_files(FOLDER / name)
    assert ledger.content() == before
    expected = EXPECTED["refused"][name]
    if "line" in expected:
        assert_told(refused.value.findings[-1], expected)
    else:
        assert in_both(refused.value.message) == expected["message"]


@pytest.mark.parametrize("name", EXPECTED["warned"])
def test_what_may_be_right_is_warned_of(ledger: Ledger, name: str) -> None:
    """An account abroad may well have 14 digits."""
    (summary,) = ledger.take_files(FOLDER / name)
    (warning,) = summary.warnings
    assert_told(warning, EXPECTED["warned"][name])


def assert_told(finding: Finding, expected: dict[str, Any]) -> None:
    assert finding.line == expected["line"]
    assert in_both(finding.message) == expected["message"]
    assert in_both(finding.remedy) == expected["remedy"]


def in_both(message: str) -> dict[str, str]:
    assert isinstance(message, Message)
    return {"en": message.told_in("en"), "sl": message.told_in("sl").replace("\u00a0", " ")}
