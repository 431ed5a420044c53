"""What the authority accepts of a SPAPP report, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.conftest import Deliver, findings, ident
from tests.sandbox.letters import row, spapp

if TYPE_CHECKING:
    from pathlib import Path

A, B = "070000000000187", "070000000000284"
ROWS = row(A, credit="40", debit="30", balance="-40"), row(B, credit="52", debit="15", balance="30")


def test_a_month_without_fault_is_accepted(sandbox: Sandbox, deliver_month: Deliver) -> None:
    """Everybody: the figures stand in the store as whole euros."""
    answer = deliver_month(spapp(*ROWS, debit="45", credit="92", balance="-10"))
    assert findings(answer, "ERR") == findings(answer, "WRN") == []
    assert ident(answer)["mesecPodatkov"] == "202610"
    assert [tuple(found)[:6] for found in sandbox.store.monthly_accounts("202610")] == [
        ("5860571000", "202610", A, 4000, 3000, -4000),
        ("5860571000", "202610", B, 5200, 1500, 3000),
    ]


@pytest.mark.parametrize(
    ("totals", "name"),
    [
        ({"debit": "46", "credit": "92", "balance": "-10"}, "skupajZnesekBreme"),
        ({"debit": "45", "credit": "91", "balance": "-10"}, "skupajZnesekDobro"),
        ({"debit": "45", "credit": "92", "balance": "10"}, "skupajZnesekStanj"),
    ],
)
def test_a_wrong_total_refuses_the_month(deliver_month: Deliver, totals: dict[str, str], name: str) -> None:
    """The bank: a lost row shows."""
    ((_, _, text),) = findings(deliver_month(spapp(*ROWS, **totals)), "ERR")
    assert name in text


def test_an_account_that_comes_twice_refuses_the_month(sandbox: Sandbox, deliver_month: Deliver) -> None:
    """The bank: of two figures for one account, one is wrong."""
    answer = deliver_month(spapp(ROWS[0], ROWS[0], debit="60", credit="80", balance="-80"))
    ((account, _, text),) = findings(answer, "ERR")
    assert (account, text) == (A, "Račun se v datoteki ponovi.")
    assert sandbox.store.monthly_accounts() == []


def test_negative_turnover_refuses_the_month(deliver_month: Deliver) -> None:
    """The bank: section 3.2 wants it positive or 0."""
    rows = row(A, credit="-40", debit="0", balance="0")
    answer = deliver_month(spapp(rows, debit="0", credit="-40", balance="0"))
    assert all("kontrolni shemi" in text for _, _, text in findings(answer, "ERR"))
    assert ident(answer)["iErr"] == "2"


def test_decimals_are_refused_where_whole_euros_are_agreed(deliver_month: Deliver) -> None:
    """The bank: one format, never two."""
    rows = row(A, credit="40.00", debit="30.00", balance="40.00")
    answer = deliver_month(spapp(rows, debit="30.00", credit="40.00", balance="40.00"))
    assert "niso v celih evrih" in findings(answer, "ERR")[0][2]


def test_decimals_are_accepted_where_they_are_agreed(tmp_path: Path) -> None:
    """A bank whose authority answers otherwise: the format is a setting."""
    rows = row(A, credit="40.01", debit="30.00", balance="40.00")
    with Sandbox(tmp_path / "ajpes", spapp_amounts="decimal", poll_seconds=None) as sandbox:
        report = spapp(rows, debit="30.00", credit="40.01", balance="40.00")
        (sandbox.folder / "spapp" / "v_ajpes" / "SPAPP_202610_5860571.xml").write_text(report)
        sandbox.process_now()
        assert sandbox.store.monthly_accounts()[0]["credit_cents"] == 4001


def test_a_doubtful_account_is_a_warning(deliver_month: Deliver) -> None:
    """The bank: a check digit alone refuses nothing."""
    answer = deliver_month(spapp(row("070000000000188", "1", "0", "1"), debit="0", credit="1", balance="1"))
    ((account, _, text),) = findings(answer, "WRN")
    assert (account, text) == ("070000000000188", "Kontrolna številka računa ni pravilna.")


def test_a_later_report_of_the_month_takes_the_place_of_the_earlier(
    sandbox: Sandbox, deliver_month: Deliver
) -> None:
    """The bank that corrects a month; and a refused correction leaves what was accepted."""
    deliver_month(spapp(*ROWS, debit="45", credit="92", balance="-10"))
    deliver_month(spapp(ROWS[1], debit="15", credit="52", balance="30"))
    deliver_month(spapp(ROWS[0], debit="0", credit="0", balance="0"))
    assert [found["account"] for found in sandbox.store.monthly_accounts()] == [B]


def test_a_nodurs_report_in_the_wrong_folder_is_refused(deliver_month: Deliver) -> None:
    """The operator who mixes up two files."""
    answer = deliver_month('<Nodurs xmlns="http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"/>')
    assert answer.tag == "PsOdgovor"
    assert len(findings(answer, "ERR")) == 1
