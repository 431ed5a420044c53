"""What becomes of bank statements: which entries count, what is proved, and how statements join."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from sqlalchemy import select

from ajpes_reporting import shipped
from ajpes_reporting.database.tables import accounts, postings, statements
from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, POSTINGS
from ajpes_reporting.ledger.restatement import Restatement
from tests.ledger.camt import balance, document, entry, statement
from tests.ledger.conftest import LATER, PROVIDER, Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.ledger.files import ImportSummary

OTHER = "<IBAN>SI56010000000100187</IBAN>"
RULES = RuleSettings()


class Desk:
    """A clerk's desk: files of statements, and what the ledger has of them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._files = 0

    def file(self, content: str | bytes) -> Path:
        self._files += 1
        path = self.ledger.folder / f"statement-{self._files}.xml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def take(self, *parts: str, version: str = "08") -> ImportSummary:
        return self.ledger.take_files(self.file(document(*parts, version=version)))[0]

    def take_bytes(self, content: str | bytes) -> ImportSummary:
        return self.ledger.take_files(self.file(content))[0]

    def refusal(self, content: str | bytes) -> LedgerRefused:
        """The refusal of a file, after which the ledger is what it was."""
        path, before = self.file(content), self.ledger.content()
        with pytest.raises(LedgerRefused) as refused:
            self.ledger.take_files(path)
        assert self.ledger.content() == before
        assert refused.value.remedy
        return refused.value

    def finding(self, *parts: str) -> Finding:
        """The only error of a refused file."""
        (finding,) = self.refusal(document(*parts)).findings
        assert finding.remedy
        return finding

    @property
    def booked(self) -> list[tuple[str, int]]:
        """Day and cents of all postings, in their order."""
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(
                select(postings.c.booked_on, postings.c.amount_cents).order_by(postings.c.id)
            )
            return [(day.isoformat(), cents) for day, cents in rows]

    @property
    def standings(self) -> list[tuple[str, str]]:
        with self.ledger.engine.connect() as connection:
            rows = connection.execute(
                select(statements.c.statement_id, statements.c.standing).order_by(statements.c.id)
            )
            return [(name, standing) for name, standing in rows]


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    ledger.take(ACCOUNTS, {}, {"account": "010000000100187"})
    return Desk(ledger)


# --- Which entries count --------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["02", "08"])
def test_only_booked_entries_count(desk: Desk, version: str) -> None:
    """A card payment that is only reserved is no turnover."""
    summary = desk.take(
        statement(
            entry(5000, version=version),
            entry(-700, status="PDNG", version=version),
            entry(900, status="INFO", version=version),
            closing=5000,
        ),
        version=version,
    )
    assert desk.booked == [("2026-10-05", 5000)]
    assert (summary.kind, summary.rows_read, summary.rows_new) == ("postings", 1, 1)
    assert summary.statements[0].not_booked == 2


def test_a_batch_counts_once(desk: Desk) -> None:
    """A hundred salaries that were booked as one amount are one turnover, not two."""
    details = "".join(f'<TxDtls><Amt Ccy="EUR">{part}.00</Amt></TxDtls>' for part in (10, 20))
    batch = entry(3000).replace("</Ntry>", f"<NtryDtls>{details}</NtryDtls></Ntry>")
    desk.take(statement(batch, closing=3000))
    assert desk.booked == [("2026-10-05", 3000)]


def test_a_reversal_has_the_direction_that_it_is_marked_with(desk: Desk) -> None:
    """By ISO's usage rule CRDT with RvslInd takes back a debit: the account gets the money."""
    reversal = "<RvslInd>true</RvslInd>"
    desk.take(statement(entry(-350), entry(350, more=reversal), entry(-80, more=reversal), closing=-80))
    assert [cents for _day, cents in desk.booked] == [-350, 350, -80]


def test_two_identical_entries_are_two(desk: Desk) -> None:
    """A fee that was charged twice was charged twice, whatever reference the bank gave it."""
    twice = [entry(-350, reference="FEE"), entry(-350, reference="FEE"), entry(-10), entry(-10)]
    parts = statement(*twice, closing=-720)
    assert desk.take(parts).rows_new == 4
    assert desk.take(parts).rows_known == 4
    assert [cents for _day, cents in desk.booked] == [-350, -350, -10, -10]


@pytest.mark.parametrize(
    ("booked", "day"),
    [
        ("<Dt>2026-10-05+02:00</Dt>", "2026-10-05"),
        ("<DtTm>2026-10-05T23:30:00Z</DtTm>", "2026-10-06"),
        ("<DtTm>2026-10-05T23:30:00.123+02:00</DtTm>", "2026-10-05"),
        ("<DtTm>2026-10-05T23:30:00</DtTm>", "2026-10-05"),
    ],
)
def test_the_day_of_booking_is_that_of_ljubljana(desk: Desk, booked: str, day: str) -> None:
    """An entry shortly before midnight belongs to one month or to the next."""
    desk.take(statement(entry(100, booked=booked), closing=100))
    assert desk.booked == [(day, 100)]


@pytest.mark.parametrize(("amount", "cents"), [("12.34000", 1234), ("12.3", 1230), ("12", 1200), (".5", 50)])
def test_amounts_may_have_up_to_five_decimals_of_whole_cents(desk: Desk, amount: str, cents: int) -> None:
    """ISO's amounts have five decimals, and some banks write them all."""
    desk.take(statement(entry(cents, amount=amount), closing=cents))
    assert desk.booked[0][1] == cents


@pytest.mark.parametrize("amount", ["12.345", "1,00", "1e2", "-5.00", "", "1 000", "9" * 16])
def test_an_amount_that_is_not_whole_cents_is_refused(desk: Desk, amount: str) -> None:
    """Nothing is rounded on the way in."""
    wrong = entry(1).replace('"EUR">0.01', f'"EUR">{amount}')
    finding = desk.refusal(document(statement(wrong, closing=0))).findings[0]
    assert finding.rule == "statement.amount"
    assert finding.record == "statement S-1 / entry 1"


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (entry(100, currency="USD"), "statement.amount"),
        (entry(100, booked=""), "statement.booking-date"),
        (entry(100, booked="<Dt>2026-02-30</Dt>"), "statement.booking-date"),
        (entry(100, status=""), "statement.status"),
        (entry(100).replace("CRDT", "PLUS"), "statement.amount"),
    ],
)
def test_an_entry_that_cannot_be_booked_refuses_the_file_and_is_named(
    desk: Desk, wrong: str, rule: str
) -> None:
    """An entry that was passed over in silence would be missing from the turnover."""
    refused = desk.refusal(document(statement(entry(100), wrong, closing=200)))
    assert refused.findings[0].rule == rule
    assert refused.findings[0].record == "statement S-1 / entry 2"


def test_no_entries_at_all_move_nothing(desk: Desk) -> None:
    """A quiet day has a statement, too, and the next one joins it."""
    desk.take(statement(opening=500, closing=500))
    desk.take(statement(entry(100), opening=500, closing=600, begins="2026-10-11", ends="2026-10-12",
                        identifier="S-2"))  # fmt: skip
    assert desk.booked == [("2026-10-05", 100)]
    assert desk.standings == [("S-1", "first"), ("S-2", "joined")]


# --- What is proved -------------------------------------------------------------------------------


def test_a_statement_that_does_not_add_up_is_refused_with_both_sums(desk: Desk) -> None:
    """A page that was lost on the way shows here, and nowhere else."""
    finding = desk.finding(statement(entry(100), entry(-30), opening=1000, closing=1100))
    assert finding.rule == "statement.proof"
    assert finding.record == "statement S-1 of account 010000100002123"
    assert all(sum_ in finding.message for sum_ in ("10.70 EUR", "11.00 EUR", "0.30 EUR"))


def test_balances_may_be_overdrawn(desk: Desk) -> None:
    """A debit balance is below zero."""
    desk.take(statement(entry(300), opening=-1000, closing=-700))
    assert desk.booked == [("2026-10-05", 300)]


def test_one_wrong_statement_refuses_its_whole_file(desk: Desk) -> None:
    """Half a file is worse than none: nobody knows which half."""
    right = statement(entry(100), closing=100)
    wrong = statement(entry(100), closing=101, account=OTHER, identifier="S-2")
    assert desk.finding(right, wrong).record == "statement S-2 of account 010000000100187"


def _summary(**sums: tuple[int, str]) -> str:
    parts = "".join(
        f"<{name}><NbOfNtries>{count}</NbOfNtries><Sum>{total}</Sum></{name}>"
        for name, (count, total) in sums.items()
    )
    return f"<TxsSummry>{parts}</TxsSummry>"


def test_sums_that_the_bank_gives_must_be_those_of_the_entries(desk: Desk) -> None:
    """Two missing entries that cancel each other leave the balance right and the turnover wrong."""
    two = [entry(100), entry(-30)]
    desk.take(
        statement(
            *two, closing=70,
            summary=_summary(TtlNtries=(2, "1.3"), TtlCdtNtries=(1, "1"), TtlDbtNtries=(1, "0.30")),
        )
    )  # fmt: skip
    finding = desk.finding(statement(*two, closing=70, summary=_summary(TtlNtries=(4, "5.30"))))
    assert finding.rule == "statement.sum"


def test_sums_may_count_what_is_not_booked_yet(desk: Desk) -> None:
    """Banks sum up either all entries or those that are booked."""
    two = [entry(100), entry(-30, status="PDNG")]
    for count, total in ((1, "1.00"), (2, "1.30")):
        assert not desk.take(
            statement(*two, closing=100, summary=_summary(TtlNtries=(count, total)))
        ).warnings[1:]


def test_a_count_alone_that_is_wrong_is_a_warning(desk: Desk) -> None:
    """Some banks count the payments within a batch; the money is proved all the same."""
    summary = desk.take(statement(entry(100), closing=100, summary=_summary(TtlNtries=(7, "1.00"))))
    assert [finding.rule for finding in summary.warnings] == ["statement.count"]


@pytest.mark.parametrize("missing", ["OPBD", "CLBD"])
def test_a_statement_without_both_balances_is_refused(desk: Desk, missing: str) -> None:
    """What cannot be proved is not believed."""
    balances = balance("OPBD", 0, "2026-10-01") + balance("CLBD", 100, "2026-10-10")
    finding = desk.finding(statement(entry(100), closing=100, balances=balances.replace(missing, "CLAV")))
    assert (finding.rule, missing in finding.message) == ("statement.balance", True)


def test_other_balances_do_not_count(desk: Desk) -> None:
    """What is available, or forecast, is not what is booked."""
    others = balance("CLAV", 99999, "2026-10-10") + balance("FWAV", 5, "2026-10-11")
    booked = balance("PRCD", 0, "2026-09-30") + balance("CLBD", 100, "2026-10-10")
    desk.take(statement(entry(100), closing=100, balances=others + booked))
    assert desk.booked == [("2026-10-05", 100)]


def test_pages_are_proved_each_by_its_interim_balances(desk: Desk) -> None:
    """A statement of three pages comes as three, which join each other."""

    def page(number: int, first: str, opening: int, cents: int, last: str) -> str:
        balances = balance(first, opening, "2026-10-10") + balance(last, opening + cents, "2026-10-10")
        return statement(entry(cents), page=number, sequence=4, closing=0, balances=balances)

    pages = (
        page(1, "OPBD", 0, 100, "ITBD"),
        page(2, "ITBD", 100, 100, "ITBD"),
        page(3, "ITBD", 200, 7, "CLBD"),
    )
    assert desk.take(*pages[:2]).rows_new == 2
    assert desk.take(*pages).rows_new == 1
    assert [cents for _day, cents in desk.booked] == [100, 100, 7]


# --- Whose account ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "account",
    [
        "<IBAN>si56 0100 0010 0002 123</IBAN>",
        "<Othr><Id>010000100002123</Id></Othr>",
        "<Othr><Id>01000-0100002123</Id></Othr>",
    ],
)
def test_an_account_is_known_in_each_of_its_spellings(desk: Desk, account: str) -> None:
    """Banks write the same account as an IBAN, in groups, or without its country."""
    assert desk.take(statement(entry(100), closing=100, account=account)).rows_new == 1


def test_an_account_that_the_ledger_does_not_know_is_told_once(desk: Desk) -> None:
    """A clerk reads one line, not one for each of a thousand entries."""
    finding = desk.finding(
        statement(entry(1), entry(2), closing=3, account="<IBAN>SI56010000000100284</IBAN>")
    )
    assert finding.rule == "statement.account-unknown"
    assert "010000000100284" in finding.record


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"account": "<IBAN>DE89370400440532013000</IBAN>"}, "statement.account"),
        ({"account": "<Othr><Id>1234</Id></Othr>"}, "statement.account"),
        ({"currency": "USD"}, "statement.currency"),
        ({"identifier": ""}, "statement.id"),
        ({"identifier": "x" * 40}, "statement.id"),
    ],
)
def test_a_statement_of_another_kind_of_account_is_refused(
    desk: Desk, change: dict[str, str], rule: str
) -> None:
    """Only accounts of the provider in euros are in its reports."""
    assert desk.finding(statement(entry(100), closing=100, **change)).rule == rule  # type: ignore[arg-type]


# --- Nothing counts twice ---------------------------------------------------------------------------


def _october(*more: str, **change: str) -> str:
    """A statement with two entries, 150 cents in all."""
    facts = {"identifier": "S-1", "ends": "2026-10-10", **change}
    return statement(entry(100, reference="A"), entry(50, reference="B"), *more, closing=150, **facts)  # type: ignore[arg-type]


def test_the_same_statement_again_changes_nothing(desk: Desk) -> None:
    """A bank delivers again, a clerk imports again."""
    desk.take(_october())
    before = desk.ledger.content()
    summary = desk.take(_october())
    assert (summary.rows_new, summary.rows_known) == (0, 2)
    assert summary.statements[0].standing == "known"
    assert desk.ledger.content() == before


@pytest.mark.parametrize("reference", ["", "A", "NONREF"])
def test_a_copy_under_another_name_changes_nothing(desk: Desk, reference: str) -> None:
    """A duplicate on request has an identifier of its own, and it must not count twice."""
    parts = [entry(100, reference=reference), entry(-100, reference=reference)]
    desk.take(statement(*parts, closing=0))
    copy = statement(*parts, closing=0, identifier="COPY").replace(
        "</CreDtTm><Acct>", "</CreDtTm><CpyDplctInd>DUPL</CpyDplctInd><Acct>"
    )
    summary = desk.take(copy)
    assert (summary.rows_new, [finding.rule for finding in summary.warnings]) == (0, ["statement.copy"])
    assert len(desk.booked) == 2


def test_a_statement_twice_in_one_file_counts_once(desk: Desk) -> None:
    """A clerk who joins files may take one of them twice."""
    assert desk.take(_october(), _october(identifier="COPY")).rows_new == 2
    assert len(desk.booked) == 2


def test_an_overlapping_statement_brings_what_is_new_in_it(desk: Desk) -> None:
    """The statement of noon and that of the evening have the morning in common."""
    desk.take(_october())
    evening = statement(
        entry(100, reference="A"), entry(50, reference="B"), entry(7, reference="C"),
        closing=157, identifier="EVENING",
    )  # fmt: skip
    summary = desk.take(evening)
    assert (summary.rows_new, summary.rows_known) == (1, 2)
    assert summary.statements[0].standing == "overlaps"
    assert [cents for _day, cents in desk.booked] == [100, 50, 7]


def test_the_statement_of_a_month_after_those_of_its_days_brings_nothing(desk: Desk) -> None:
    """Some banks send both."""
    first, second = entry(100, reference="A"), entry(-100, reference="B", booked="<Dt>2026-10-12</Dt>")
    desk.take(statement(first, closing=100))
    desk.take(statement(second, opening=100, closing=0, begins="2026-10-11", ends="2026-10-12"))
    month = statement(first, second, closing=0, ends="2026-10-31", identifier="MONTH")
    assert desk.take(month).statements[0].standing == "known"
    assert len(desk.booked) == 2


def test_an_overlap_that_cannot_be_told_apart_is_refused(desk: Desk) -> None:
    """Without references a month's entries cannot be told from those of its days, even where they cancel."""
    first, second = entry(100), entry(-100, booked="<Dt>2026-10-12</Dt>")
    desk.take(statement(first, closing=100))
    desk.take(statement(second, opening=100, closing=0, begins="2026-10-11", ends="2026-10-12"))
    finding = desk.finding(statement(first, second, closing=0, ends="2026-10-31", identifier="MONTH"))
    assert finding.rule == "statement.covered"


def test_two_accounts_may_have_the_same_reference(desk: Desk) -> None:
    """A payment between two customers of one bank has one reference on both accounts."""
    paid = statement(entry(-100, reference="X"), closing=-100)
    received = statement(entry(-100, reference="X"), closing=-100, account=OTHER)
    assert desk.take(paid, received).rows_new == 2


def test_an_identifier_of_a_posting_fits_and_shows_the_reference(desk: Desk) -> None:
    """A person who looks for an entry searches by the bank's reference."""
    desk.take(statement(entry(1, reference="2026/10/05-000123456789012345678901"), closing=1))
    with desk.ledger.engine.connect() as connection:
        (name,) = connection.scalars(select(postings.c.posting_id))
    assert re.fullmatch(r"012345678901-[0-9a-f]{20}|[0-9A-Za-z]{15}-[0-9a-f]{20}", name)
    assert name.startswith("789012345678901"[:15])


# --- Statements join --------------------------------------------------------------------------------


def _next(opening: int, **change: object) -> str:
    facts = {"begins": "2026-10-11", "ends": "2026-10-20", "identifier": "S-2", **change}
    booked = entry(10, booked="<Dt>2026-10-12</Dt>", reference="N")
    return statement(booked, opening=opening, closing=opening + 10, **facts)  # type: ignore[arg-type]


def test_a_statement_that_is_missing_between_two_is_found(desk: Desk) -> None:
    """What was posted in it would be missing from the turnover, and nobody would see it."""
    desk.take(_october())
    finding = desk.finding(_next(170))
    assert finding.rule == "statement.gap"
    assert all(words in finding.message for words in ("1.70 EUR", "S-1", "1.50 EUR", "0.20 EUR"))


def test_a_gap_within_one_file_is_found(desk: Desk) -> None:
    """Two gaps that cancel each other are two."""
    refused = desk.refusal(
        document(
            _october(),
            _next(170),
            statement(opening=160, closing=160, begins="2026-10-21", ends="2026-10-25", identifier="S-3"),
        )
    )
    assert [finding.record for finding in refused.findings] == [
        "statement S-2 of account 010000100002123",
        "statement S-3 of account 010000100002123",
    ]


def test_a_person_may_let_a_gap_stand_with_a_reason(desk: Desk) -> None:
    """A bank that no longer has a statement must not stop all later ones."""
    desk.take(_october())
    path = desk.file(document(_next(170)))
    (summary,) = import_files(
        desk.ledger.engine, PROVIDER, [path], RULES, now=LATER, restatement=Restatement("lost", LATER)
    )
    assert summary.statements[0].standing == "gap"
    assert summary.warnings[0].rule == "statement.gap"
    assert desk.standings == [("S-1", "first"), ("S-2", "gap")]


def test_statements_may_come_in_any_order(desk: Desk) -> None:
    """A clerk names files as they lie in the folder; they are put in order, within a file and after it."""
    third = statement(opening=160, closing=160, begins="2026-10-21", ends="2026-10-25", identifier="S-3")
    desk.take(third, _next(150))
    desk.take(_october())
    assert [name for name, _standing in desk.standings] == ["S-2", "S-3", "S-1"]
    assert {standing for _name, standing in desk.standings} == {"first", "joined"}


def test_an_earlier_statement_must_join_the_one_after_it(desk: Desk) -> None:
    """What is imported afterwards is held to the same proof."""
    desk.take(_next(170))
    finding = desk.finding(_october())
    assert finding.rule == "statement.gap"
    assert "S-2" in finding.message


def test_each_account_has_its_own_chain(desk: Desk) -> None:
    """A file has the statements of many accounts."""
    desk.take(_october(), statement(opening=900, closing=900, account=OTHER))
    desk.take(_next(150), _next(900, account=OTHER, identifier="T-2"))
    assert len(desk.booked) == 4


def test_a_number_that_was_left_out_is_a_warning(desk: Desk) -> None:
    """The entries of a missing statement may cancel each other: the balances join, the turnover is wrong."""
    desk.take(statement(closing=0, sequence=4))
    summary = desk.take(_next(0, sequence=6))
    assert "statement.number" in [finding.rule for finding in summary.warnings]
    assert "number 6 follows number 4" in summary.warnings[0].message


def test_a_statement_that_is_given_anew_is_told(desk: Desk) -> None:
    """A corrected statement with a further entry brings that entry, and a person hears of it."""
    desk.take(statement(entry(100, reference="A"), closing=100, sequence=4))
    summary = desk.take(
        statement(entry(100, reference="A"), entry(5, reference="B"), closing=105, sequence=4)
    )
    assert "statement.restated" in [finding.rule for finding in summary.warnings]
    assert [cents for _day, cents in desk.booked] == [100, 5]


def test_a_corrected_statement_without_an_entry_that_was_taken_in_is_refused(desk: Desk) -> None:
    """Postings are facts: a person balances what the bank took back."""
    desk.take(_october())
    assert desk.finding(statement(entry(100, reference="A"), closing=100)).rule == "statement.gap"


# --- Beside what the ledger has ----------------------------------------------------------------------


def test_another_balance_in_the_ledger_is_told(desk: Desk) -> None:
    """Postings that do not begin at zero need the account month before them, or SPAPP is wrong."""
    summary = desk.take(statement(entry(100), opening=5000, closing=5100))
    (warning,) = summary.warnings
    assert warning.rule == "statement.balance-differs"
    assert all(sum_ in warning.message for sum_ in ("51.00 EUR", "1.00 EUR"))


def test_a_balance_that_follows_from_an_imported_month_agrees(desk: Desk) -> None:
    """With the month before them the postings lead to the balance of the statement."""
    desk.ledger.take(ACCOUNT_MONTHS, {"month": "2026-09", "closing_balance_cents": "5000"})
    assert not desk.take(statement(entry(100), opening=5000, closing=5100)).warnings


def test_an_imported_month_is_compared_at_its_last_day(desk: Desk) -> None:
    """Where the bank's own books closed the month, the two must say the same."""
    desk.ledger.take(ACCOUNT_MONTHS, {"month": "2026-10", "closing_balance_cents": "5100"})
    rules = [
        finding.rule
        for finding in desk.take(
            statement(entry(100), opening=5000, closing=5100, ends="2026-10-31")
        ).warnings
    ]
    assert rules == ["posting.imported-month"]


# --- Whatever the file is like -------------------------------------------------------------------------


def test_any_prefix_encoding_and_envelope_will_do(desk: Desk) -> None:
    """Every bank's program writes XML in its own way."""
    plain = document(_october())
    prefixed = re.sub(r"<(/?)(?=[A-Z])", r"<\1ns2:", plain).replace("xmlns=", "xmlns:ns2=")
    enveloped = f'<e:Envelope xmlns:e="urn:e"><e:Header><Ntry/></e:Header>{plain}</e:Envelope>'
    desk.take_bytes(plain)
    for content in (
        prefixed.encode(),
        b"\xef\xbb\xbf" + plain.encode(),
        f'<?xml version="1.0" encoding="UTF-16"?>{plain}'.encode("utf-16"),
        f'<?xml version="1.0" encoding="windows-1250"?>{plain}'.encode("cp1250"),
        b'\r\n <?xml version="1.0"?>' + plain.encode(),
        enveloped.encode(),
        plain.replace("><", "><!-- a comment --><?an instruction?>\n<").encode(),
    ):
        assert desk.take_bytes(content).rows_known == 2


def test_entries_within_entries_and_beside_statements_are_passed_over(desk: Desk) -> None:
    """What a bank adds to a message in its own words does not become turnover."""
    stray = f"<SplmtryData><Envlp><Stmt>{entry(7)}</Stmt></Envlp></SplmtryData>"
    nested = entry(100).replace("</Ntry>", f"{stray}</Ntry>")
    desk.take_bytes(document(statement(nested, closing=100) + stray))
    assert desk.booked == [("2026-10-05", 100)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("urn:iso:std:iso:20022:tech:xsd:camt.052.001.08", "intraday account report"),
        ("urn:iso:std:iso:20022:tech:xsd:camt.054.001.02", "notification"),
        ("urn:iso:std:iso:20022:tech:xsd:camt.053.001.01", "is not known here"),
        ("urn:iso:std:iso:20022:tech:xsd:pain.001.001.09", "another message"),
    ],
)
def test_another_message_is_told_by_its_name(desk: Desk, message: str, said: str) -> None:
    """A clerk who took the wrong file from the bank's portal reads which one to take."""
    refused = desk.refusal(document(_october(), message=message))
    assert said in refused.message
    assert "camt.053" in refused.remedy


def test_a_version_that_was_not_tried_is_a_warning(desk: Desk) -> None:
    """The names are the same in all of them, but nobody here has seen one."""
    assert [finding.rule for finding in desk.take(_october(), version="06").warnings] == ["statement.version"]


@pytest.mark.parametrize("content", ["<Nodurs/>", "<a>", "<Document><x></Document>", " <"])
def test_xml_that_is_no_statement_is_refused(desk: Desk, content: str) -> None:
    """A report of ours is read by `check`, not by the ledger."""
    assert "was not read" in desk.refusal(content).message


def test_a_file_without_a_statement_is_refused(desk: Desk) -> None:
    """An empty message must not pass for a quiet day."""
    assert [finding.rule for finding in desk.refusal(document()).findings] == ["statement.none"]


def test_half_a_file_is_refused(desk: Desk) -> None:
    """What was cut off on the way brings nothing."""
    assert "was not read" in desk.refusal(document(_october(), _next(150))[:-200]).message


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
HOSTILE = {
    "entities": BOMB + document(_october(identifier="&b;")),
    "another file": '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + document(_october()),
    "depth": document("<x>" * 5000 + "</x>" * 5000 + _october()),
    "a huge text": document(_october(identifier="x" * (5 << 20))),
    "a huge attribute": document(_october()).replace("<Stmt>", f'<Stmt x="{"x" * (5 << 20)}">'),
    "elements without end": document("<x/>" * (2 << 20) + _october()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_bounded_memory(desk: Desk, name: str) -> None:
    """A file from outside can neither fill the memory nor read another file."""
    assert "was not read" in desk.refusal(HOSTILE[name]).message


def test_a_type_that_an_element_claims_is_passed_over(desk: Desk) -> None:
    """Nothing of ours obeys xsi:type."""
    typed = '<Ntry xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="nothing">'
    desk.take_bytes(document(statement(entry(100).replace("<Ntry>", typed), closing=100)))
    assert desk.booked == [("2026-10-05", 100)]


# --- The samples -------------------------------------------------------------------------------------


def test_the_samples_give_what_is_counted_in_them_by_other_means(desk: Desk) -> None:
    """An XPath over the whole tree, written without our reader, finds the same entries."""
    desk.ledger.take(ACCOUNTS, {"account": "010000000100478"})
    for name in ("camt053-001-02", "camt053-001-08"):
        path = shipped.sample(f"statements/{name}.xml")
        before = sum(cents for _day, cents in desk.booked)
        (summary,) = desk.ledger.take_files(path)
        booked = "//*[local-name()='Ntry'][normalize-space(*[local-name()='Sts'])='BOOK']"
        credit, debit = (
            etree.parse(path).xpath(
                f"sum({booked}[*[local-name()='CdtDbtInd']='{direction}']/*[local-name()='Amt'])"
            )
            for direction in ("CRDT", "DBIT")
        )
        assert sum(cents for _day, cents in desk.booked) - before == round(100 * (credit - debit))
        assert not summary.warnings
    assert desk.booked[1] == ("2026-11-06", -25010)  # half past midnight in Ljubljana


def test_statements_go_with_csv_files_in_one_import(ledger: Ledger) -> None:
    """One command takes all that came in this morning; accounts go first."""
    desk = Desk(ledger)
    files = [desk.file(document(_october())), ledger.file(POSTINGS, {}), ledger.file(ACCOUNTS, {})]
    assert [summary.kind for summary in ledger.take_files(*files)] == ["accounts", "postings", "postings"]
    with ledger.engine.connect() as connection:
        assert connection.scalar(select(accounts.c.account)) == "010000100002123"
