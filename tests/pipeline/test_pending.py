"""What the next report holds, and why: a clerk sees before anything is sent what will go."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import Engine
from sqlalchemy import event as hooks

from ajpes_reporting import wiring
from ajpes_reporting.cli import output
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.cli.session import Session
from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.periods import Day, Month
from ajpes_reporting.domain.states import State
from ajpes_reporting.ledger.reported import Difference, Figures
from ajpes_reporting.pipeline.facts import exclude_obligation
from ajpes_reporting.pipeline.foresee import rehearse
from ajpes_reporting.queries.obligations import PendingObligation
from ajpes_reporting.queries.pending import NextSpapp, pending
from ajpes_reporting.reports.registry import by_code
from tests.pipeline.conftest import NAMESPACE, NOV_17, NOV_18, Bank, event
from tests.pipeline.test_moved_months import ACCOUNTS, ONE, POSTINGS, TWO, report
from tests.pipeline.test_plans import scanned

OF_16, OF_17, OF_18 = (f"2026-11-{day}T08:00:00" for day in (16, 17, 18))
OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A command at this bank, at its time: exit code, standard output, messages."""
    monkeypatch.setattr(Session, "context", lambda _session: bank.context)
    monkeypatch.setattr(wiring, "open_context", lambda _workspace: bank.context)

    def called(*command: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = command_line(["-w", str(bank.folder), *command])
        return code, *capsys.readouterr()

    return called


def listed(bank: Bank, day: Day | None = None) -> dict[str, PendingObligation]:
    """What is pending, by obligation."""
    with pending(bank.context) as asked:
        return {item.obligation: item for item in asked.nodurs(day).obligations()}


def reasons(bank: Bank, day: Day | None = None) -> dict[str, list[str]]:
    return {name: [str(one) for one in item.reasons] for name, item in listed(bank, day).items()}


def spapp(bank: Bank) -> tuple[NextSpapp, list[Difference]]:
    with pending(bank.context) as asked:
        found = asked.spapp()
        return found, list(found.differences())


def built(bank: Bank, folder: Path, day: Day) -> dict[str, list[str]]:
    """The events of the file that `build` writes, by obligation."""
    folder.mkdir()
    made = rehearse(bank.context, by_code("NODURS"), day, folder)
    if made is None:
        return {}
    return {
        block.get("id", ""): [item.get("id", "") for item in block.iterfind("n:No", NAMESPACE)]
        for block in etree.parse(made.path).iterfind(".//n:Blok", NAMESPACE)
    }


def accept(bank: Bank, day: Day = NOV_17) -> None:
    result = bank.run(period=day)
    assert result.submission is not None
    assert result.submission.state is State.ACCEPTED


def refuse(bank: Bank, day: Day = NOV_17) -> None:
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    result = bank.run(period=day)
    assert result.submission is not None
    assert result.submission.state is State.REFUSED


def test_an_obligation_that_ajpes_does_not_know_is_new(bank: Bank) -> None:
    """The clerk sees a debtor blocked for the first time as such."""
    bank.record(event("O-1", 1), event("O-1", 2))
    assert reasons(bank) == {"O-1": ["new"]}
    item = listed(bank)["O-1"]
    assert item.in_report
    assert not item.held_back
    assert [(one.event_id, one.amount_cents, one.new) for one in item.events] == [
        ("1", 10_000, True),
        ("2", 10_000, True),
    ]


def test_a_known_obligation_with_a_further_event_is_changed(bank: Bank) -> None:
    """Its whole history goes again, and the clerk sees which of it is new for AJPES."""
    bank.record(event("O-1", 1))
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded=OF_18))
    assert reasons(bank) == {"O-1": ["changed"]}
    assert [(one.event_id, one.new) for one in listed(bank)["O-1"].events] == [("1", False), ("2", True)]


def test_an_event_of_a_day_that_was_accepted_is_late(bank: Bank) -> None:
    """Whatever was entered after its day's report went is told, also of a day before that one."""
    bank.record(event("O-1", 1))
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-17T23:59:59"), event("O-3", 1, recorded=OF_16))
    bank.record(event("O-4", 1, recorded="2026-11-18T00:00:00"), event("O-1", 2, recorded=OF_16))
    assert reasons(bank) == {
        "O-1": ["changed", "late"], "O-2": ["new", "late"], "O-3": ["new", "late"], "O-4": ["new"],
    }  # fmt: skip


def test_a_cancellation_and_its_replacement_are_a_correction(bank: Bank) -> None:
    """A correction on its way to AJPES is seen as one."""
    bank.record(event("O-1", 1))
    accept(bank)
    bank.time.pass_by(days=1)
    bank.cancel("O-1", "1", {"amount_cents": "20000"})
    assert reasons(bank) == {"O-1": ["changed", "correction"]}


def test_a_replacement_that_follows_days_after_its_cancellation_is_a_correction(bank: Bank) -> None:
    """A bank's own system may cancel on one day and say on another what is right."""
    bank.record(event("O-1", 1), event("O-2", 1))
    bank.record(
        event("O-1", 2, recorded="2026-11-17T09:00:00", change_type="00", cancels="1"),
        event("O-2", 2, recorded="2026-11-17T09:00:00", change_type="00", cancels="1"),
    )
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 3, recorded=OF_18), event("O-2", 3, recorded=OF_18, change_type="02"))
    assert reasons(bank) == {"O-1": ["changed", "correction"], "O-2": ["changed"]}
    accept(bank, NOV_18)
    bank.record(event("O-1", 4, recorded="2026-11-18T12:00:00"))
    assert reasons(bank) == {"O-1": ["changed", "late"]}  # what was cancelled has its replacement already


def test_what_was_refused_before_is_told_until_it_is_accepted(bank: Bank) -> None:
    """A clerk looks twice at what AJPES did not take."""
    bank.record(event("O-1", 1))
    refuse(bank)
    bank.record(event("O-2", 1))
    assert reasons(bank) == {"O-1": ["new", "refused before"], "O-2": ["new"]}
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded=OF_18))
    assert reasons(bank) == {"O-1": ["changed"]}


def test_a_refusal_is_told_also_after_a_report_that_did_not_arrive(bank: Bank) -> None:
    """What AJPES said last counts, not what never reached it."""
    bank.record(event("O-1", 1))
    refuse(bank)
    bank.record(event("O-1", 2))
    bank.authority.faults.add("sftp", "refuse")
    unreachable = bank.run(via="sftp")
    assert unreachable.submission is not None
    assert unreachable.submission.state is State.UNREACHABLE
    assert reasons(bank) == {"O-1": ["new", "refused before"]}


def test_several_reasons_may_hold_at_once(bank: Bank) -> None:
    """None hides another: a late correction of a known obligation that was refused is all four."""
    bank.record(event("O-1", 1))
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-17T09:00:00", change_type="00", cancels="1"))
    refuse(bank, NOV_18)
    assert reasons(bank) == {"O-1": ["changed", "late", "correction", "refused before"]}


def test_what_is_listed_is_what_build_writes(bank: Bank, tmp_path: Path) -> None:
    """What a clerk looks at is what goes: for each day, with what is held back, kept out and known."""
    bank.record(event("O-1", 1), event("O-2", 1), event("O-5", 1))
    accept(bank)
    bank.time.pass_by(days=1)
    bank.record(
        event("O-1", 2, recorded=OF_16), event("O-1", 3, recorded=OF_18), event("O-2", 2, recorded=OF_18),
        event("O-3", 1, recorded=OF_17), event("O-4", 1, recorded=OF_18),
    )  # fmt: skip
    exclude_obligation(bank.context, "O-3", "a court is asked")
    for day in (Day(NOV_17.value.replace(day=16)), NOV_17, NOV_18):
        told = {
            name: [one.event_id for one in item.reported_events]
            for name, item in listed(bank, day).items()
            if item.in_report
        }
        assert told == built(bank, tmp_path / day.key, day)
    assert set(listed(bank, NOV_17)) == {"O-1", "O-2", "O-3", "O-4"}


def test_what_a_cutoff_holds_back_is_listed_as_such(bank: Bank) -> None:
    """An event of tomorrow is not lost from sight, be its obligation in the report or not."""
    bank.time.pass_by(days=1)
    bank.record(
        event("O-1", 1, recorded=OF_17), event("O-1", 2, recorded=OF_18), event("O-2", 1, recorded=OF_18)
    )
    found = listed(bank, NOV_17)
    assert [(name, item.in_report, item.held_back) for name, item in found.items()] == [
        ("O-1", True, True), ("O-2", False, True),
    ]  # fmt: skip
    assert [one.event_id for one in found["O-1"].reported_events] == ["1"]
    assert found["O-2"].reported_events == ()
    assert reasons(bank, NOV_17) == {"O-1": ["new"], "O-2": ["new"]}
    assert not any(item.held_back for item in listed(bank, NOV_18).values())


def test_what_a_person_keeps_out_is_listed_with_the_reason(bank: Bank) -> None:
    """Whoever asks what goes next also learns what does not, and why."""
    bank.record(event("O-1", 1), event("O-2", 1))
    exclude_obligation(bank.context, "O-2", "a court is asked")
    found = listed(bank)
    assert [(name, item.in_report) for name, item in found.items()] == [("O-1", True), ("O-2", False)]
    exclusion = found["O-2"].excluded
    assert exclusion is not None
    assert (exclusion.reason, exclusion.since) == ("a court is asked", bank.time())


def test_the_next_report_is_tomorrows_once_todays_is_accepted(bank: Bank) -> None:
    """One report is accepted per day; what comes after it goes with the next."""
    bank.record(event("O-1", 1))
    with pending(bank.context) as asked:
        assert asked.nodurs().period == NOV_17
    accept(bank)
    bank.record(event("O-2", 1, recorded="2026-11-17T16:59:00"))
    with pending(bank.context) as asked:
        assert asked.nodurs().period == NOV_18
    assert reasons(bank) == {"O-2": ["new", "late"]}


def test_of_the_next_monthly_report_it_tells_the_accounts_and_what_moved(bank: Bank) -> None:
    """AJPES has 100 for October, the ledger 70: the clerk sees both, and which submission to send again."""
    bank.record(
        *(f"{number},50123459,Kovinarstvo d.o.o.,2020-01-01" for number in (ONE, TWO)), header=ACCOUNTS
    )
    bank.record(f"P-1,{ONE},2026-10-05,10000", header=POSTINGS)
    found, differences = spapp(bank)
    assert (found.period, found.has_ended, found.accounts, found.silent) == (OCTOBER, True, 2, 1)
    assert dict(found.totals)["skupajZnesekStanj"] == "100"
    assert differences == []
    report(bank, OCTOBER)
    bank.record(f"P-2,{ONE},2026-10-20,-3000", header=POSTINGS)
    found, differences = spapp(bank)
    assert (found.period, found.has_ended) == (NOVEMBER, False)
    assert differences == [
        Difference(ONE, "2026-10", 1, Figures(10000, 0, 10000), Figures(10000, 3000, 7000))
    ]
    assert [(month.month, month.submission, month.count) for month in found.moved] == [("2026-10", 1, 1)]


def test_the_list_costs_what_has_changed(bank: Bank) -> None:
    """After years of history the question is answered as quickly as on the first day."""
    bank.record(event("O-1", 1), event("O-2", 1))
    refuse(bank)
    statements: dict[str, object] = {}

    def note(_c: object, _cursor: object, text: str, parameters: object, _x: object, _many: object) -> None:
        if text.startswith("SELECT") and "pending_obligations" in text:
            statements.setdefault(text, parameters)

    with pending(bank.context) as asked, listening(note):
        assert len(list(asked.nodurs().obligations())) == 2
        assert statements
        for text, parameters in statements.items():
            assert scanned(asked.connection, text, parameters) == []


class listening:  # noqa: N801 - read as a word
    """Notes every statement of any engine meanwhile."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        hooks.listen(Engine, "before_cursor_execute", self._note)

    def __exit__(self, *_of: object) -> None:
        hooks.remove(Engine, "before_cursor_execute", self._note)


@pytest.fixture
def busy(bank: Bank) -> Bank:
    """One obligation in the report of the 17th, one held back, one kept out; and a month that moved."""
    bank.record(f"{ONE},50123459,Kovinarstvo d.o.o.,2020-01-01", header=ACCOUNTS)
    bank.record(f"P-1,{ONE},2026-10-05,10000", header=POSTINGS)
    report(bank, OCTOBER)
    bank.record(f"P-2,{ONE},2026-10-20,-3000", header=POSTINGS)
    bank.time.pass_by(days=1)
    bank.record(
        event("O-1", 1, amount_cents=123_456), event("O-2", 1, recorded=OF_18),
        event("O-3", 1, name='"=1+1 d.o.o."'),
    )  # fmt: skip
    exclude_obligation(bank.context, "O-3", "=why")
    return bank


DAY = ("--date", "2026-11-17")


def test_for_a_program_it_is_a_list_of_obligations_or_of_differences(busy: Bank, call: Call) -> None:
    """Other programs read it: one document each, and an object with both where none is named."""
    code, out, err = call("pending", "nodurs", *DAY, "--json")
    assert (code, err) == (0, "")
    obligations = json.loads(out)
    assert [
        (one["obligation"], one["reasons"], one["in_report"], one["held_back"]) for one in obligations
    ] == [
        ("O-1", ["new"], True, False), ("O-2", ["new"], False, True), ("O-3", ["new"], False, False),
    ]  # fmt: skip
    assert obligations[0]["events"] == [
        {
            "event_id": "1", "cancels_event_id": None, "change_type": "01", "change_date": "2026-11-17",
            "amount_cents": 123456, "recorded_at": "2026-11-17T08:00:00+01:00", "new": True,
            "held_back": False,
        }
    ]  # fmt: skip
    assert obligations[1]["excluded"] is None
    assert obligations[2]["excluded"]["reason"] == "=why"
    differences = json.loads(call("pending", "spapp", "--json")[1])
    assert differences == [
        {
            "account": ONE, "month": "2026-10", "submission": 1,
            "accepted": {
                "credit_turnover_cents": 10000, "debit_turnover_cents": 0, "closing_balance_cents": 10000,
            },
            "now": {
                "credit_turnover_cents": 10000, "debit_turnover_cents": 3000, "closing_balance_cents": 7000,
            },
        }
    ]  # fmt: skip
    both = json.loads(call("--json", "pending", *DAY)[1])
    assert both == {"nodurs": obligations, "spapp": differences}


def test_a_person_reads_amounts_in_euros_and_what_to_do(busy: Bank, call: Call) -> None:
    """What goes, what does not and why, and which month may be sent again."""
    code, out, err = call("pending", *DAY)
    assert (code, err) == (0, "")
    told = " ".join(out.split())
    assert "NODURS for 17 November 2026 holds 1 obligation with 1 event, 1 of them new for AJPES." in told
    assert "O-1 new 1 01 2026-11-17 1,234.56 EUR 2026-11-17 08:00" in told
    assert "1 event of 1 obligation waits for a later report" in told
    assert "person since 2026-11-18 17:" in told
    assert "=why" in told
    assert "`ajpes-reporting ledger include O-3`" in told
    assert "SPAPP for November 2026 holds 1 account" in told
    assert "accepted: balance 100.00 EUR, credit 100.00 EUR, debit 0.00 EUR; now:" in told
    assert "ajpes-reporting resubmit 1" in told


def test_nothing_pending_is_said_in_words_and_in_json(bank: Bank, call: Call) -> None:
    """An empty ledger is an answer, not an error."""
    code, out, _err = call("pending")
    assert code == 0
    assert "NODURS for 17 November 2026 holds nothing. No obligation has changed." in out
    assert "SPAPP for October 2026 holds nothing: the ledger has no accounts for it." in out
    assert json.loads(call("pending", "--json")[1]) == {"nodurs": [], "spapp": []}
    assert json.loads(call("pending", "nodurs", "--json")[1]) == []
    assert len(list(csv.reader(io.StringIO(call("pending", "nodurs", "--csv", "-")[1])))) == 1


def test_a_person_is_shown_the_first_obligations_and_how_many_more(bank: Bank, call: Call) -> None:
    """A day of thousands does not run over the screen."""
    bank.record(*(event(f"O-{number:02}", 1) for number in range(1, 23)))
    bank.record(*(event("O-01", number) for number in range(2, 9)))
    told = " ".join(call("pending", "nodurs")[1].split())
    assert "holds 22 obligations with 29 events, 29 of them new for AJPES." in told
    assert "… and 2 obligations more" in told
    assert "… 3 more, 0 known to AJPES" in told
    assert ("O-20" in told, "O-21" in told) == (True, False)


def test_the_table_has_a_row_for_each_event_and_no_formula(busy: Bank, call: Call, tmp_path: Path) -> None:
    """A spreadsheet must neither compute what a debtor is called nor take the zeros from an account."""
    target = tmp_path / "pending.csv"
    code, out, _err = call("pending", "nodurs", *DAY, "--csv", str(target))
    assert (code, out) == (0, f"{target}: 3 rows. Nothing was sent.\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    text = target.read_text(encoding="utf-8")
    assert '"010000000100187"' in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["obligation"], row["reasons"], row["in_report"], row["held_back"]) for row in rows] == [
        ("O-1", "new", "yes", "no"), ("O-2", "new", "no", "yes"), ("O-3", "new", "no", "no"),
    ]  # fmt: skip
    assert rows[0]["amount_cents"] == "123456"
    assert (rows[2]["debtor_name"], rows[2]["excluded_because"]) == ("'=1+1 d.o.o.", "'=why")
    assert call("pending", "nodurs", *DAY, "--csv", "-")[1] == text


def test_the_table_of_both_says_which_report_a_row_is_about(busy: Bank, call: Call) -> None:
    """Without a name one table holds both, and nothing of either is lost."""
    rows = list(csv.DictReader(io.StringIO(call("pending", *DAY, "--csv", "-")[1])))
    assert [(row["report"], row["obligation"], row["account"]) for row in rows] == [
        ("NODURS", "O-1", ""), ("NODURS", "O-2", ""), ("NODURS", "O-3", ""), ("SPAPP", "", ONE),
    ]  # fmt: skip
    assert (rows[3]["accepted_closing_balance_cents"], rows[3]["now_closing_balance_cents"]) == (
        "10000",
        "7000",
    )


def test_a_file_that_is_there_is_left_as_it_is(busy: Bank, call: Call, tmp_path: Path) -> None:
    """A table of yesterday, or something else of that name, goes only by a person's word."""
    target = tmp_path / "pending.csv"
    target.write_text("mine", encoding="utf-8")
    code, _out, err = call("pending", "nodurs", "--csv", str(target))
    assert code == 2
    assert "is there already; it was left as it is" in err
    assert target.read_text(encoding="utf-8") == "mine"
    assert call("pending", "nodurs", "--csv", str(target), "--overwrite")[0] == 0
    assert target.read_text(encoding="utf-8").startswith('"obligation"')


@pytest.mark.parametrize(
    "options",
    [
        ("other",), ("spapp", *DAY), ("nodurs", "--date", "2026-13-01"), ("--json", "--csv", "-"),
        ("--csv", "missing/out.csv"), ("--csv", "."),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_so_is_refused_before_anything_is_read(
    bank: Bank, call: Call, options: tuple[str, ...]
) -> None:
    """A wrong option is a matter of words and code 2, never of a traceback."""
    code, _out, err = call("pending", *options)
    assert code == 2
    assert err


def test_a_long_list_is_written_item_by_item(capsys: pytest.CaptureFixture[str]) -> None:
    """A million obligations are not held in memory: what is written follows what is read."""
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            read.append(number)
            yield number

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            written.append((text.strip(), len(read)))
            return super().write(text)

    written: list[tuple[str, int]] = []
    out = Slow()
    output.write_json({"list": numbers(), "none": iter(()), "text": "a\x9bb"}, out)
    assert [seen for text, seen in written if text.endswith(("0", "1", "2"))] == [1, 2, 3]
    assert json.loads(out.getvalue()) == {"list": [0, 1, 2], "none": [], "text": "a\x9bb"}
    assert "\x9b" not in out.getvalue()


def test_nobody_waits_for_the_reader_of_the_list(
    busy: Bank, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pages through the list must not keep the daily run from the ledger."""
    from ajpes_reporting.cli import pending as command

    def read_slowly(_path: Path) -> None:
        with writing(busy.context.engine):
            pass

    monkeypatch.setattr(command, "echo_file", read_slowly)
    assert call("pending", "--json")[0] == 0
