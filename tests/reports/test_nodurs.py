"""What goes into a NODURS report, and what stays out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.periods import Day
from ajpes_reporting.reports.nodurs.select import NodursSettings, reported_events
from tests.reports.conftest import (
    BANK,
    NODURS_REQUEST,
    OTHER_BANK,
    Books,
    canonical,
    evening,
    on,
)
from tests.xmllint import complaints

SCHEMA = "nodurs-20100601.xsd"

# Worked by hand from samples/ledger/events.csv. The total: 28843416 + 5000000 + 150799 + 50799
# + 50799 + 57099 + 1299900 + 45000 + 999999, the cancellation of event 2 of O-302 included.
SAMPLE_LEDGER_REPORTED = """<?xml version="1.0"?>
<Nodurs xmlns="http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601">
 <Ident datumPriprave="2026-11-04T18:00:00+01:00" steviloZapisov="9" sestevekZneskov="36497811"
        datumPodatkov="2026-11-04" maticnaPonudnika="5860571000"><Naziv>Banka Vzorec d.d.</Naziv></Ident>
 <Dolznik davcna="43456286"><Naziv>Mlin Sava d.d.</Naziv>
  <Tr rn="010000000100575">
   <Blok id="O-320" izdajatelj="5">
    <No id="1" sSpre="01" dSpre="2026-11-04" znesek="999999" dtVpis="2026-11-04T07:59:59"/>
   </Blok>
  </Tr>
 </Dolznik>
 <Dolznik davcna="50123459"><Naziv>Kovinarstvo Žagar &amp; sin d.o.o.</Naziv>
  <Tr rn="010000000100187">
   <Blok id="O-301" izdajatelj="3">
    <No id="1" sSpre="01" dSpre="2026-10-12" znesek="28843416" dtVpis="2026-10-12T08:36:33" model="11"
        sklic="1234501-202614" prior="2">
     <Upnik rn="011005000000154"><Naziv>Republika Slovenija, FURS</Naziv></Upnik></No>
    <No id="2" sSpre="02" dSpre="2026-10-20" znesek="5000000" dtVpis="2026-10-20T09:12:04" model="11"
        sklic="1234501-202614" prior="2">
     <Upnik rn="011005000000154"><Naziv>Republika Slovenija, FURS</Naziv></Upnik></No>
   </Blok>
  </Tr>
  <Tr rn="010000000100284">
   <Blok id="O-302" izdajatelj="2">
    <No id="1" sSpre="01" dSpre="2026-10-14" znesek="150799" dtVpis="2026-10-14T10:00:00" model="00"
        sklic="302-2026" prior="3">
     <Upnik rn="020450000123478"><Naziv>Odvetnica Zupančič</Naziv></Upnik></No>
    <No id="2" sSpre="03" dSpre="2026-10-15" znesek="50799" dtVpis="2026-10-15T11:30:00" model="00"
        sklic="302-2026" prior="3">
     <Upnik rn="020450000123478"><Naziv>Odvetnica Zupančič</Naziv></Upnik></No>
    <No id="3" refid="2" sSpre="00" dSpre="2026-10-16" znesek="50799" dtVpis="2026-10-16T08:05:00" model="00"
        sklic="302-2026" prior="3">
     <Upnik rn="020450000123478"><Naziv>Odvetnica Zupančič</Naziv></Upnik></No>
    <No id="4" sSpre="03" dSpre="2026-10-16" znesek="57099" dtVpis="2026-10-16T08:06:00" model="00"
        sklic="302-2026" prior="3">
     <Upnik rn="020450000123478"><Naziv>Odvetnica Zupančič</Naziv></Upnik></No>
   </Blok>
  </Tr>
 </Dolznik>
 <Dolznik davcna="72345179"><Naziv>Gostilna "Pri mostu" s.p.</Naziv>
  <Tr rn="010000000100381">
   <Blok id="O-310" izdajatelj="2">
    <No id="1" sSpre="01" dSpre="2026-11-02" znesek="1299900" dtVpis="2026-11-02T12:00:00" model="99"
        prior="3">
     <Upnik rn="DE89370400440532013000"><Naziv>Müller Maschinenbau GmbH</Naziv></Upnik></No>
   </Blok>
  </Tr>
 </Dolznik>
 <Dolznik davcna="72345179"><Naziv>GOSTILNA PRI MOSTU S.P.</Naziv>
  <Tr rn="010000000100381">
   <Blok id="O-311" izdajatelj="5">
    <No id="1" sSpre="01" dSpre="2026-11-03" znesek="45000" dtVpis="2026-11-03T09:45:00" prior="3">
     <Upnik rn="031001234567891"><Naziv>Vodovod &lt;Sever&gt; d.o.o.</Naziv></Upnik></No>
   </Blok>
  </Tr>
 </Dolznik>
</Nodurs>"""


def test_the_sample_ledger_gives_the_report_worked_out_by_hand(books: Books) -> None:
    """A new user sees in the first report exactly what the instruction asks for."""
    books.take_files(shipped.sample("ledger/events.csv"))
    report = books.nodurs(on(Day(date(2026, 11, 4)), evening(4)))
    assert canonical(report.content) == canonical(SAMPLE_LEDGER_REPORTED.encode())


def test_the_sample_report_is_what_its_ledger_gives(books: Books) -> None:
    """Whoever compares the samples with each other finds that they agree."""
    books.take_files(
        shipped.sample("ledger/events-day-two.csv"), shipped.sample("ledger/events-forgotten.csv")
    )
    cutoff = evening(4) - timedelta(minutes=50)
    report = books.nodurs(on(Day(date(2026, 11, 4)), cutoff))
    expected = shipped.sample("reports/NODURS_20261104_5860571.xml").read_bytes()
    assert canonical(report.content) == canonical(expected)


def test_xmllint_accepts_the_file(books: Books, tmp_path: Path) -> None:
    """The authority's validator is not ours; another one than ours agrees."""
    books.take_files(shipped.sample("ledger/events.csv"))
    path = tmp_path / "report.xml"
    path.write_bytes(books.nodurs().content)
    assert complaints(path, SCHEMA) == ""


def test_accounts_and_obligations_of_a_debtor_are_grouped(books: Books) -> None:
    """AJPES gets each debtor and each account once, whatever the order of recording."""
    first, second = {"debtor_account": "010000000100187"}, {"debtor_account": "010000000100284"}
    books.record(
        {"obligation_id": "A", **second}, {"obligation_id": "B", **first}, {"obligation_id": "C", **second}
    )
    report = books.nodurs()
    assert len(report.all("Dolznik")) == 1
    assert {account.get("rn"): [block.get("id") for block in account] for account in report.all("Tr")} == {
        "010000000100187": ["B"],
        "010000000100284": ["A", "C"],
    }


def test_one_account_under_two_debtors_stays_under_both(books: Books) -> None:
    """An account that changed hands must not move an obligation to the wrong debtor."""
    books.record({"obligation_id": "A"}, {"obligation_id": "B", "debtor_tax_number": "72345179"})
    found = {
        debtor.get("davcna"): [block.get("id") for block in debtor.iter("{*}Blok")]
        for debtor in books.nodurs().all("Dolznik")
    }
    assert found == {"50123459": ["A"], "72345179": ["B"]}


def test_a_debtor_with_two_names_keeps_both(books: Books) -> None:
    """A debtor whose name is written in two ways loses neither name nor obligation."""
    books.record(
        {"obligation_id": "A", "debtor_name": "Žagar"},
        {"obligation_id": "B", "debtor_name": "ŽAGAR"},
        {"obligation_id": "C", "debtor_name": "Žagar"},
    )
    found = {
        debtor[0].text: [block.get("id") for block in debtor.iter("{*}Blok")]
        for debtor in books.nodurs().all("Dolznik")
    }
    assert found == {"Žagar": ["A", "C"], "ŽAGAR": ["B"]}


def test_events_stand_in_order_of_recording(books: Books) -> None:
    """AJPES reads a history from top to bottom; at the same moment the order of entry holds."""
    moments = {"9": "T12:00:00", "10": "T09:00:00", "b": "T10:00:00", "a": "T10:00:00", "1": "T17:59:59"}
    books.record(*({"event_id": name, "recorded_at": f"2026-11-17{at}"} for name, at in moments.items()))
    assert books.nodurs().histories() == {"O-1": ["10", "b", "a", "9", "1"]}


def test_order_of_recording_is_that_of_instants(books: Books) -> None:
    """09:30 in London is later than 10:00 in Ljubljana; as text it would come first."""
    books.record(
        {"event_id": "second", "recorded_at": "2026-11-17T09:30:00+00:00"},
        {"event_id": "first", "recorded_at": "2026-11-17T10:00:00"},
    )
    report = books.nodurs()
    assert report.histories() == {"O-1": ["first", "second"]}
    assert report.attributes("No", "dtVpis") == ["2026-11-17T10:00:00", "2026-11-17T09:30:00+00:00"]


def test_a_changed_obligation_goes_with_its_whole_history(books: Books) -> None:
    """AJPES refuses an obligation whose earlier events are missing."""
    books.record({"event_id": "1"}, {"event_id": "2"}, {"event_id": "3"})
    books.accept("O-1", "1", "2")
    assert books.nodurs().histories() == {"O-1": ["1", "2", "3"]}


def test_an_obligation_that_is_accepted_whole_stays_out(books: Books) -> None:
    """Only changed obligations are sent."""
    books.record({"obligation_id": "old"}, {"obligation_id": "new"})
    books.accept("old", "1")
    report = books.nodurs()
    assert report.histories() == {"new": ["1"]}
    assert (report.head["steviloZapisov"], report.head["sestevekZneskov"]) == ("1", "10000")


def test_a_late_entry_goes_although_its_date_is_old(books: Books) -> None:
    """What was forgotten last year is reported tomorrow; dates decide nothing."""
    books.record({"event_id": "1"})
    books.accept("O-1", "1")
    books.record({"event_id": "0", "recorded_at": "2025-02-03T10:00:00", "change_date": "2025-02-03"})
    assert books.nodurs().histories() == {"O-1": ["0", "1"]}


def test_an_event_after_the_cutoff_waits(books: Books) -> None:
    """What is recorded after the run is for tomorrow; the rest of its obligation is not."""
    books.record(
        {"event_id": "1"},
        {"event_id": "2", "recorded_at": "2026-11-17T18:00:00", "amount_cents": "5"},
        {"event_id": "3", "recorded_at": "2026-11-17T18:00:01", "amount_cents": "7"},
        {"obligation_id": "O-2", "recorded_at": "2026-11-17T18:00:01"},
    )
    today = books.nodurs()
    assert today.histories() == {"O-1": ["1", "2"]}
    assert (today.head["steviloZapisov"], today.head["sestevekZneskov"]) == ("2", "10005")
    books.accept("O-1", "1", "2")
    tomorrow = books.nodurs(on(Day(date(2026, 11, 18)), evening(18)))
    assert tomorrow.histories() == {"O-1": ["1", "2", "3"], "O-2": ["1"]}


def test_an_obligation_with_nothing_new_before_the_cutoff_stays_out(books: Books) -> None:
    """An event recorded too late today does not send yesterday's history again."""
    books.record({"event_id": "1"}, {"event_id": "2", "recorded_at": "2026-11-17T18:00:01"})
    books.accept("O-1", "1")
    assert books.nodurs().selection.record_count == 0


def test_the_same_event_id_under_two_obligations_is_two_events(books: Books) -> None:
    """An event's id counts only within its obligation; accepting one accepts not the other."""
    books.record({"obligation_id": "A", "event_id": "1"}, {"obligation_id": "B", "event_id": "1"})
    assert books.nodurs().histories() == {"A": ["1"], "B": ["1"]}
    books.accept("A", "1")
    assert books.nodurs().histories() == {"B": ["1"]}


def test_two_banks_in_one_database_do_not_mix(books: Books) -> None:
    """One installation may serve several banks, and their obligations may have the same ids."""
    books.record({"amount_cents": "1"})
    books.record({"amount_cents": "2"}, {"event_id": "2", "amount_cents": "4"}, provider=OTHER_BANK)
    ours = books.nodurs()
    theirs = books.nodurs(replace(NODURS_REQUEST, provider=OTHER_BANK))
    assert (ours.head["steviloZapisov"], ours.head["sestevekZneskov"]) == ("1", "1")
    assert (theirs.head["steviloZapisov"], theirs.head["sestevekZneskov"]) == ("2", "6")
    assert (ours.head["maticnaPonudnika"], theirs.head["maticnaPonudnika"]) == (BANK, OTHER_BANK)


def test_cancellations_count_in_the_totals(books: Books) -> None:
    """The totals are over all rows of the file, as the authority adds them up."""
    books.record(
        {"event_id": "1", "amount_cents": "150"},
        {"event_id": "2", "amount_cents": "150", "change_type": "00", "cancels_event_id": "1"},
        {"event_id": "3", "amount_cents": "205"},
    )
    head = books.nodurs().head
    assert (head["steviloZapisov"], head["sestevekZneskov"]) == ("3", "505")


@pytest.mark.parametrize(
    ("amounts", "total", "rows"),
    [("cents", "28843916", ["28843416", "500"]), ("decimal", "288439.16", ["288434.16", "5.00"])],
)
def test_amounts_are_all_written_in_one_format(
    books: Books, amounts: Amounts, total: str, rows: list[str]
) -> None:
    """A factor of 100 must not slip through."""
    books.record({"event_id": "1", "amount_cents": "28843416"}, {"event_id": "2", "amount_cents": "500"})
    report = books.nodurs(replace(NODURS_REQUEST, settings=NodursSettings(amounts=amounts)))
    assert report.head["sestevekZneskov"] == total
    assert report.attributes("No", "znesek") == rows


def test_nothing_to_report_is_an_empty_selection(books: Books, tmp_path: Path) -> None:
    """A day without changes is seen before anything is written, and is no error."""
    report = books.nodurs()
    assert report.selection.record_count == 0
    assert (report.head["steviloZapisov"], report.head["sestevekZneskov"]) == ("0", "0")
    path = tmp_path / "empty.xml"
    path.write_bytes(report.content)
    assert complaints(path, SCHEMA) == ""


def test_a_report_tells_of_the_pending_events_up_to_its_cutoff(books: Books) -> None:
    """Acceptance settles what was told for the first time, and nothing that was not in the file."""
    books.record(
        {"event_id": "old", "recorded_at": "2026-11-16T10:00:00"},
        {"event_id": "new"},
        {"event_id": "late", "recorded_at": "2026-11-17T19:00:00"},
    )
    books.record({"event_id": "theirs"}, provider=OTHER_BANK)
    books.accept("O-1", "old")
    with snapshot(books.engine) as connection:
        told = connection.execute(reported_events(NODURS_REQUEST)).scalars().all()
    assert len(told) == 1
    books.accept("O-1", "new")
    with snapshot(books.engine) as connection:
        assert connection.execute(reported_events(NODURS_REQUEST)).scalars().all() == []


def test_special_characters_survive_the_way_through_the_database(books: Books, tmp_path: Path) -> None:
    """A debtor called <"Žagar" & 'sin'> is reported under that very name."""
    name, key, reference = "<\"Žagar\" & 'sin'> 𝄞 €", "O<&>\"'𝄞", "1<2&\"3'"
    books.record(
        {
            "obligation_id": key, "event_id": key, "debtor_name": name, "reference_model": "99",
            "reference": reference, "creditor_account": "DE1", "creditor_name": name,
        },
        {
            "obligation_id": key, "event_id": "2", "debtor_name": name,
            "cancels_event_id": key, "change_type": "00",
        },
    )  # fmt: skip
    report = books.nodurs()
    assert report.histories() == {key: [key, "2"]}
    assert [element.text for element in report.all("Naziv")] == ["Banka Vzorec d.d.", name, name]
    assert (report.all("No")[0].get("sklic"), report.all("No")[1].get("refid")) == (reference, key)
    path = tmp_path / "report.xml"
    path.write_bytes(report.content)
    assert complaints(path, SCHEMA) == ""
