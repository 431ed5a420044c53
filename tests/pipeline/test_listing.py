"""A clerk asks what is there: obligations, a taxpayer, the moves of a month."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.pipeline.facts import exclude_obligation
from ajpes_reporting.queries.histories import history_of
from ajpes_reporting.queries.listing import (
    ObligationState,
    Taxpayer,
    count_obligations,
    stream_moves,
    stream_obligations,
)
from tests.pipeline.conftest import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.conftest import Bank

ACCOUNTS = "account,holder_tax_number,holder_name,opened_on,closed_on"
MONTHS = "account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents"


def _listed(bank: Bank, search: str | None = None, state: ObligationState | None = None) -> list[str]:
    with bank.context.engine.connect() as connection:
        found = list(stream_obligations(connection, bank.context.provider, search, state))
        assert count_obligations(connection, bank.context.provider, search, state) == len(found)
    return [one.obligation for one in found]


def _three_obligations(bank: Bank) -> None:
    """O-1 is accepted, O-2 waits, O-3 is kept out."""
    bank.record(event("O-1", 1), event("O-1", 2, amount_cents=2_500, change_type="03"))
    bank.run()
    bank.record(
        event("O-2", 1, debtor="72345179", name="ŽAGA 100% d.o.o.", recorded="2026-11-17T16:00:00"),
        event("O-3", 1, recorded="2026-11-17T16:00:00"),
        name="b.csv",
    )
    exclude_obligation(bank.context, "O-3", "AJPES asked, Ms Novak")


@pytest.mark.parametrize(
    ("state", "expected"),
    [("accepted", ["O-1"]), ("pending", ["O-2"]), ("excluded", ["O-3"]), (None, ["O-1", "O-2", "O-3"])],
)
def test_obligations_are_listed_by_their_state(bank: Bank, state: str | None, expected: list[str]) -> None:
    """Protects the clerk who asks at 17:40 whether everything is reported."""
    _three_obligations(bank)
    assert _listed(bank, state=ObligationState(state) if state else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("o-2", ["O-2"]),
        ("žaga", ["O-1", "O-2", "O-3"]),  # also in Kovinarstvo Žagar
        ("ŽAGAR", ["O-1", "O-3"]),
        ("72345179", ["O-2"]),
        ("000100187", ["O-1", "O-2", "O-3"]),
        ("100%", ["O-2"]),
        ("O_2", []),  # no sign of a search language
    ],
)
def test_a_text_is_found_in_ids_numbers_and_names(bank: Bank, text: str, expected: list[str]) -> None:
    """Protects a search with č and š in any letter case, and with signs that SQL reads otherwise."""
    _three_obligations(bank)
    assert _listed(bank, text) == expected


def test_a_tax_number_shows_obligations_and_accounts(bank: Bank) -> None:
    """Protects the clerk who has nothing but the number of the taxpayer on the telephone."""
    _three_obligations(bank)
    bank.record("010000000100187,50123459,Kovinarstvo Žagar d.o.o.,2020-01-01,", header=ACCOUNTS)
    bank.record("010000000100187,2026-10,250,150,100", header=MONTHS)
    found = history_of(bank.context, "50123459")
    assert isinstance(found, Taxpayer)
    assert [one.obligation for one in found.obligations] == ["O-1", "O-3"]
    assert [(one.account, one.closing_balance_cents) for one in found.accounts] == [("010000000100187", 100)]
    with pytest.raises(UsageError):
        history_of(bank.context, "11111111")


def test_the_largest_move_of_a_month_comes_first(bank: Bank, told: Callable[..., str]) -> None:
    """Protects the controller: by hand, -900 cents moves more than +100; an account may lack a month."""
    bank.record(
        *(f"010000000100{n},50123459,Žagar d.o.o.,2020-01-01," for n in ("187", "284", "381")),
        header=ACCOUNTS,
    )
    bank.record(
        "010000000100187,2026-09,0,0,1000",
        "010000000100187,2026-10,200,100,1100",
        "010000000100284,2026-09,0,0,1000",
        "010000000100284,2026-10,0,900,100",
        "010000000100381,2026-10,50,0,50",
        header=MONTHS,
    )
    with bank.context.engine.connect() as connection:
        moves = list(stream_moves(connection, bank.context.provider, "2026-10", "2026-09"))
    assert [(one.account[-5:], one.moved_cents) for one in moves] == [
        ("00284", -900),
        ("00187", 100),
        ("00381", 50),
    ]
    assert moves[2].then is None
    path = bank.folder / "moves.csv"
    told("ledger", "months", "202610", "--csv", str(path))
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["account"] for row in rows] == ["010000000100284", "010000000100187", "010000000100381"]
    assert [one["moved_cents"] for one in json.loads(told("ledger", "months", "202610", "--json"))] == [
        -900,
        100,
        50,
    ]
    assert "no account months for 2026-01" in told("ledger", "months", "202601")
