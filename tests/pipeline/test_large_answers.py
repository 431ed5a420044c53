"""Answers of many rows: read in one pass, and taken in as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from ajpes_reporting.database.tables import answer_rows
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal.answers import APPLIED, UNMATCHED, UNREADABLE
from ajpes_reporting.pipeline.answers import Taken
from ajpes_reporting.pipeline.collect import take_by_hand
from tests.pipeline.conftest import NOV_17, Bank
from tests.pipeline.test_thousand_answers import deliver, impatient, state

ROWS = 3_000  # several blocks of the parser, and of the database
HEAD = (
    '<Ident iErr="{errors}" maticnaPonudnika="{provider}" datumPriprave="2026-11-17T17:30:00" iWrn="0"'
    ' datumPodatkov="2026-11-17"/>'
)
ROW = (
    '<Napaka refId="{0}" blokId="O-{0}" dogId="{0}" id="17" vrsta="ERR">'
    "<Opis>Št. {0} &amp; več</Opis></Napaka>"
)


def written(path: Path, *, last: str = "", provider: str = "5860571000") -> Path:
    """A BlokOdgovor with an error about each of `ROWS` events, and something at its end."""
    rows = "".join(ROW.format(number) for number in range(ROWS))
    head = HEAD.format(errors=ROWS, provider=provider)
    path.write_text(f"<BlokOdgovor>{head}{rows}{last}</BlokOdgovor>", encoding="utf-8")
    return path


def taken(bank: Bank, path: Path) -> Taken:
    [one] = take_by_hand(bank.context, [path])
    return one


def stored(bank: Bank) -> list[tuple[object, ...]]:
    """What the journal holds of the rows of all answers."""
    columns = [column for column in answer_rows.columns if column.name not in ("id", "answer")]
    with bank.context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(answer_rows.c.id))]


def test_each_row_is_kept_in_its_order(bank: Bank, tmp_path: Path) -> None:
    """The clerk finds what was said about any of them."""
    key = deliver(impatient(bank), NOV_17)
    assert taken(bank, written(tmp_path / "answer.xml")).status == APPLIED
    assert state(bank, key) is State.REFUSED
    assert stored(bank) == [
        ("error", "17", f"Št. {number} & več", f"O-{number}", f"{number}", f"{number}", None)
        for number in range(ROWS)
    ]


def test_what_was_said_stays_said(bank: Bank, tmp_path: Path) -> None:
    """The guard that is put aside for a million rows on SQLite is back when they are in."""
    deliver(impatient(bank), NOV_17)
    taken(bank, written(tmp_path / "answer.xml"))
    with bank.context.engine.begin() as connection, pytest.raises(DatabaseError, match="append-only"):
        connection.exec_driver_sql(
            "REPLACE INTO answer_rows (id, answer, severity, code, text) VALUES (1, 1, 'warning', '1', 't')"
            if connection.dialect.name == "sqlite"
            else "UPDATE answer_rows SET severity = 'warning'"
        )


@pytest.mark.parametrize("last", ["<!-- -->\0<x/>", "</BlokOdgovor><x>"], ids=["xml", "half"])
def test_an_answer_that_is_broken_at_its_end_leaves_nothing(bank: Bank, tmp_path: Path, last: str) -> None:
    """What was read before the break counts for nothing; the right answer comes later and is applied."""
    key = deliver(impatient(bank), NOV_17)
    assert taken(bank, written(tmp_path / "broken.xml", last=last)).status == UNREADABLE
    assert (stored(bank), state(bank, key)) == ([], State.DELIVERED)
    assert taken(bank, written(tmp_path / "answer.xml")).status == APPLIED
    assert (len(stored(bank)), state(bank, key)) == (ROWS, State.REFUSED)
    assert bank.problems() == ()


def test_a_row_that_breaks_the_schema_costs_none_of_the_others(bank: Bank, tmp_path: Path) -> None:
    """The clerk gets every row of a refusal, and is told which one was not as it should be."""
    key = deliver(impatient(bank), NOV_17)
    one = taken(bank, written(tmp_path / "answer.xml", last='<Napaka blokId="O-9" vrsta="err"/>'))
    assert (one.status, state(bank, key)) == (APPLIED, State.REFUSED)
    assert stored(bank)[ROWS - 1 :] == [
        ("error", "17", f"Št. {ROWS - 1} & več", f"O-{ROWS - 1}", f"{ROWS - 1}", f"{ROWS - 1}", None),
        ("error", "", "", "O-9", None, None, None),
    ]
    assert "the row about O-9" in one.note
    assert "vrsta err was read as ERR" in one.note
    assert "the counts in its head and its rows disagree" in one.note


def test_a_head_that_makes_no_sense_does_not_hide_a_refusal(bank: Bank, tmp_path: Path) -> None:
    """Three thousand errors say what became of the report, whatever the count above them."""
    key = deliver(impatient(bank), NOV_17)
    path = written(tmp_path / "answer.xml")
    path.write_text(path.read_text("utf-8").replace(f'iErr="{ROWS}"', 'iErr="mnogo"'), encoding="utf-8")
    one = taken(bank, path)
    assert (one.status, state(bank, key), len(stored(bank))) == (APPLIED, State.REFUSED, ROWS)
    assert "iErr cannot be read: mnogo" in one.note


def test_a_strangers_broken_answer_is_the_strangers(bank: Bank, tmp_path: Path) -> None:
    """It is set aside whether or not it follows its schema."""
    deliver(impatient(bank), NOV_17)
    stranger = "1234567000"
    assert taken(bank, written(tmp_path / "a.xml", provider=stranger)).status == UNMATCHED
    assert taken(bank, written(tmp_path / "b.xml", provider=stranger, last="<Napaka/>")).status == UNMATCHED
    assert stored(bank) == []
