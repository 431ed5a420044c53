"""The rules for single records: one test each, and the schema as a second opinion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ajpes_reporting.domain.events import Event, Obligation
from ajpes_reporting.domain.rules import (
    RuleSettings,
    check_account,
    check_account_month,
    check_cancellation,
    check_event,
    check_history,
    check_obligation,
    check_provider,
    record_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ajpes_reporting.domain.findings import Finding

SETTINGS = RuleSettings()
SCHEMA = Path(__file__).parents[2] / "schemas" / "nodurs-20100601.xsd"
NAMESPACE = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"

# The check digits of these are worked by hand in test_identifiers.py.
GOOD_ACCOUNT = "070000000000187"
BAD_ACCOUNT = "010000100002123"

OBLIGATION = Obligation("O-314", 3, "50223054", "KRATEK NAZIV DOLŽNIKA", GOOD_ACCOUNT)
EVENT = Event(
    event_id="7",
    cancels_event_id=None,
    change_type="01",
    change_date=date(2026, 11, 17),
    amount_cents=28843416,
    recorded_at=datetime(2026, 11, 17, 7, 5, tzinfo=UTC),
    recorded_as="2026-11-17T08:05:00",
    reference_model="12",
    reference="56782",
    priority=3,
    creditor_account=GOOD_ACCOUNT,
    creditor_name="KRATEK NAZIV UPNIKA",
)
CANCELLATION = replace(
    EVENT,
    event_id="9",
    cancels_event_id="7",
    change_type="00",
    recorded_at=datetime(2026, 11, 17, 8, 5, tzinfo=UTC),
    recorded_as="2026-11-17T09:05:00",
)


def errors(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings if finding.is_error]


def warnings(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings if not finding.is_error]


def event_findings(settings: RuleSettings = SETTINGS, **changes: Any) -> list[Finding]:
    return list(check_event("O-314", replace(EVENT, **changes), settings))


def obligation_findings(settings: RuleSettings = SETTINGS, **changes: Any) -> list[Finding]:
    return list(check_obligation(replace(OBLIGATION, **changes), settings))


def test_a_good_record_has_no_findings() -> None:
    """The clerk hears nothing about what is fine."""
    assert not event_findings()
    assert not obligation_findings()
    assert not list(check_event("O-314", CANCELLATION, SETTINGS))
    assert not list(check_history("O-314", [EVENT, CANCELLATION]))


def test_a_finding_names_record_field_place_breach_and_what_to_write() -> None:
    """The clerk can act on the message without asking anybody."""
    (finding,) = event_findings(creditor_account="A" * 36)
    assert finding.record == "O-314 / event 7"
    assert finding.field == "creditor_account"
    assert finding.rule == "creditor-account.length"
    assert finding.location == "Upnik/rn"
    assert finding.message == "creditor account has 36 characters, at most 34 are allowed"
    assert finding.remedy == "write 15 digits, or up to 34 letters and digits for a creditor abroad"


# --- Texts of an event (section 2.2, rows 12 to 22) ---------------------------------------------


@pytest.mark.parametrize("field", ["event_id", "change_type"])
def test_a_mandatory_text_is_not_left_out(field: str) -> None:
    """The authority does not refuse a day's report for one empty cell."""
    (code,) = errors(event_findings(**{field: ""}))
    assert code == f"{field.replace('_', '-')}.missing"


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("event_id", 36),
        ("cancels_event_id", 36),
        ("reference", 22),
        ("creditor_account", 34),
        ("creditor_name", 140),
    ],
)
def test_a_text_is_no_longer_than_its_row_allows(field: str, longest: int) -> None:
    """One long name does not keep a day's report from being taken."""
    rule = f"{field.replace('_', '-')}.length"
    assert rule not in errors(event_findings(**{field: "1" * longest}))
    assert rule in errors(event_findings(**{field: "1" * (longest + 1)}))


@pytest.mark.parametrize(
    "character", ["\0", "\t", "\n", "\x1f", "\x7f", "\x85", "\ufffe", "\uffff", "\ud800"]
)
@pytest.mark.parametrize("field", ["event_id", "cancels_event_id", "reference", "creditor_name"])
def test_a_character_that_no_report_can_carry_is_refused(field: str, character: str) -> None:
    """A stray control character is named instead of breaking the whole file."""
    findings = event_findings(**{field: f"A{character}B"})
    assert f"{field.replace('_', '-')}.character" in errors(findings)
    assert any(f"U+{ord(character):04X}" in finding.message for finding in findings)


def test_letters_beyond_ascii_are_welcome() -> None:
    """Nobody's name is refused for its č, or for a letter outside the first plane."""
    assert not event_findings(creditor_name="Žarko Čuček & sinovi <d.o.o.> \U0001d50f")


@pytest.mark.parametrize("event_id", [" 7", "7 ", "\u00a07"])
def test_an_id_has_no_blank_at_either_end(event_id: str) -> None:
    """Two ids that look alike are not two ids."""
    assert errors(event_findings(event_id=event_id)) == ["event-id.blank"]


def test_a_blank_inside_an_id_is_allowed() -> None:
    """The instruction says nothing against it."""
    assert not event_findings(event_id="7 a")


def test_a_name_is_not_only_blanks() -> None:
    """A creditor without a name is noticed."""
    assert errors(event_findings(creditor_name="   ")) == ["creditor-name.missing"]


@pytest.mark.parametrize("change_type", ["1", "001", "A1", "0 "])
def test_a_change_type_is_two_digits(change_type: str) -> None:
    """A code that the authority cannot read does not leave the house (row 14)."""
    codes = errors(event_findings(change_type=change_type))
    assert codes[0] in ("change-type.format", "change-type.length")
    assert not warnings(event_findings(change_type=change_type))


@pytest.mark.parametrize("model", ["123", "SI", "-1", "1A"])
def test_a_reference_model_is_one_or_two_digits(model: str) -> None:
    """SI12 is written as 12 (row 18)."""
    codes = errors(event_findings(reference_model=model))
    assert codes in (["reference-model.format"], ["reference-model.length"])


@pytest.mark.parametrize("account", ["AT61-1904-3002", "AT61 1904", "račun"])
def test_a_creditor_account_is_letters_and_digits(account: str) -> None:
    """An account abroad is written without blanks and hyphens (row 21)."""
    assert errors(event_findings(creditor_account=account)) == ["creditor-account.format"]


def test_a_creditor_abroad_has_an_account_of_letters_and_digits() -> None:
    """A foreign creditor's account is not measured by Slovenian check digits (row 21)."""
    assert not event_findings(creditor_account="AT611904300234573201")


@pytest.mark.parametrize(
    "recorded_as", ["2026-11-17", "2026-11-17 08:05:00", "2026-11-17T08:05", "17.11.2026T08:05:00"]
)
def test_a_time_of_recording_is_written_as_the_schema_wants(recorded_as: str) -> None:
    """A time that is no xs:dateTime would refuse the whole file (row 17)."""
    assert errors(event_findings(recorded_as=recorded_as))[0].startswith("recorded-at.")


def test_a_time_of_recording_may_be_as_fine_as_the_sample() -> None:
    """The sample's seven decimals and offset are taken."""
    recorded_at = datetime(2010, 2, 10, 7, 36, 33, tzinfo=UTC)
    assert not event_findings(
        recorded_as="2010-02-10T08:36:33.5537663+01:00",
        recorded_at=recorded_at,
        change_date=date(2010, 2, 10),
    )


def test_every_faulty_field_is_found_at_once() -> None:
    """The clerk corrects a row once, not five times."""
    findings = event_findings(
        event_id="", change_type="x", reference="1" * 23, creditor_account="-", priority=-1
    )
    assert {finding.field for finding in findings} >= {
        "event_id", "change_type", "reference", "creditor_account", "priority",
    }  # fmt: skip


# --- An event by itself -------------------------------------------------------------------------


def test_a_cancellation_names_the_event_it_cancels() -> None:
    """The authority is told what is undone (row 13)."""
    assert errors(event_findings(change_type="00")) == ["cancels-event-id.missing"]


def test_only_a_cancellation_names_an_event_to_cancel() -> None:
    """An event that undoes nothing does not pretend to (row 13)."""
    assert errors(event_findings(cancels_event_id="5")) == ["cancels-event-id.unexpected"]


def test_an_unknown_change_type_is_a_warning() -> None:
    """A new code of the regulation does not stop the bank (row 14)."""
    findings = event_findings(change_type="17")
    assert (errors(findings), warnings(findings)) == ([], ["change-type.unknown"])


def test_change_types_are_a_setting() -> None:
    """A bank that knows the annex can say so, and cancellation is always known."""
    settings = RuleSettings(change_types=frozenset({"17"}))
    assert not list(check_event("O-314", replace(EVENT, change_type="17"), settings))
    assert not list(check_event("O-314", CANCELLATION, settings))


@pytest.mark.parametrize("year", [1, 206, 9999])
def test_a_year_that_nobody_means_is_an_error(year: int) -> None:
    """A slip of the keyboard is found before it reaches the authority (rows 15 and 17)."""
    assert errors(event_findings(change_date=date(year, 11, 17))) == ["change-date.year"]
    codes = errors(event_findings(recorded_at=datetime(year, 12, 31, 23, 30, tzinfo=UTC)))
    assert codes == ["recorded-at.year"]


def test_the_last_hour_of_the_calendar_stops_no_check() -> None:
    """A time that no zone can convert is an error like any other (row 17)."""
    end_of_time = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    codes = errors(event_findings(recorded_at=end_of_time, recorded_as="9999-12-31T23:30:00Z"))
    assert codes == ["recorded-at.year"]


def test_a_change_on_another_day_than_its_recording_is_a_warning() -> None:
    """Late book-keeping is allowed, and shown (note *)."""
    findings = event_findings(change_date=date(2026, 11, 16))
    assert (errors(findings), warnings(findings)) == ([], ["change-date.not-recording-date"])


def test_the_day_of_recording_is_read_in_ljubljana() -> None:
    """An event recorded in UTC just before midnight raises no false alarm (note *)."""
    assert not event_findings(
        recorded_as="2026-11-16T23:30:00Z", recorded_at=datetime(2026, 11, 16, 23, 30, tzinfo=UTC)
    )


def test_an_amount_has_at_most_fifteen_digits() -> None:
    """A figure that the authority's field cannot hold is stopped here (row 16)."""
    assert not errors(event_findings(amount_cents=999_999_999_999_999))
    assert errors(event_findings(amount_cents=1_000_000_000_000_000)) == ["amount-cents.size"]
    assert errors(event_findings(amount_cents=-1_000_000_000_000_000)) == ["amount-cents.size"]


def test_an_amount_that_is_large_is_a_warning() -> None:
    """The number of an account in the field of the amount is asked about (row 16)."""
    assert not event_findings(amount_cents=99_999_999_999)
    assert warnings(event_findings(amount_cents=100_000_000_000)) == ["amount-cents.large"]
    assert warnings(event_findings(amount_cents=-610_000_000_100_187)) == [
        "amount-cents.negative",
        "amount-cents.large",
    ]
    assert not event_findings(RuleSettings(large_amount_cents=10**15), amount_cents=610_000_000_100_187)


def test_a_negative_amount_is_a_warning() -> None:
    """A sign that the type of change already carries is not given twice unseen (row 16)."""
    findings = event_findings(amount_cents=-1)
    assert (errors(findings), warnings(findings)) == ([], ["amount-cents.negative"])
    assert not event_findings(amount_cents=0)


@pytest.mark.parametrize("priority", [0, 4, 99])
def test_an_unknown_priority_is_a_warning(priority: int) -> None:
    """Only 1, 2 and 3 have a meaning (row 20)."""
    findings = event_findings(priority=priority)
    assert (errors(findings), warnings(findings)) == ([], ["priority.unknown"])


@pytest.mark.parametrize("priority", [-1, 100])
def test_a_priority_that_the_schema_cannot_hold_is_an_error(priority: int) -> None:
    """A figure that would refuse the whole file is stopped here (row 20)."""
    assert errors(event_findings(priority=priority)) == ["priority.size"]


def test_an_event_needs_no_priority_reference_or_creditor() -> None:
    """What the instruction leaves open is left open."""
    assert not event_findings(
        priority=None, reference_model=None, reference=None, creditor_account=None, creditor_name=None
    )


def test_a_reference_needs_its_model() -> None:
    """A reference that nobody can read is not sent (rows 18 and 19)."""
    assert errors(event_findings(reference_model=None)) == ["reference-model.missing"]


def test_only_model_99_stands_without_a_reference() -> None:
    """A forgotten reference is noticed (row 19)."""
    assert warnings(event_findings(reference=None)) == ["reference.missing"]
    assert not event_findings(reference_model="99", reference=None)


@pytest.mark.parametrize(("model", "reference"), [("13", "3006002259-2004"), ("14", "0245002259-2004")])
def test_the_models_of_the_printed_sample_are_warnings(model: str, reference: str) -> None:
    """A report like the authority's own sample can be sent (row 18)."""
    findings = event_findings(reference_model=model, reference=reference)
    assert (errors(findings), warnings(findings)) == ([], ["reference-model.unknown"])


def test_wrong_control_digits_of_a_reference_are_a_warning() -> None:
    """The clerk hears of a mistyped reference (row 19)."""
    findings = event_findings(reference="56783")
    assert (errors(findings), warnings(findings)) == ([], ["reference.check-digits"])


def test_a_creditor_has_account_and_name_or_neither() -> None:
    """The report has no place for half a creditor (rows 21 and 22)."""
    assert errors(event_findings(creditor_name=None)) == ["creditor-name.missing"]
    assert errors(event_findings(creditor_account=None)) == ["creditor-account.missing"]


def test_wrong_check_digits_of_a_creditor_account_are_a_warning() -> None:
    """The creditor's money does not go astray unseen (row 21)."""
    findings = event_findings(creditor_account=BAD_ACCOUNT)
    assert (errors(findings), warnings(findings)) == ([], ["creditor-account.check-digits"])


# --- Obligations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("obligation_id", "", "obligation-id.missing"),
        ("obligation_id", "O" * 37, "obligation-id.length"),
        ("debtor_tax_number", "", "debtor-tax-number.missing"),
        ("debtor_tax_number", "5022305", "debtor-tax-number.length"),
        ("debtor_tax_number", "SI223054", "debtor-tax-number.format"),
        ("debtor_name", "", "debtor-name.missing"),
        ("debtor_name", "Č" * 141, "debtor-name.length"),
        ("debtor_account", "", "debtor-account.missing"),
        ("debtor_account", "07000000000018", "debtor-account.length"),
        ("debtor_account", "SI5607000000187", "debtor-account.format"),
    ],
)
def test_texts_of_an_obligation_are_as_their_rows_say(field: str, value: str, rule: str) -> None:
    """One bad debtor does not refuse the report about all others (rows 7 to 10)."""
    obligation = replace(OBLIGATION, **{field: value})  # type: ignore[arg-type]  # the fields are texts
    assert errors(check_obligation(obligation, SETTINGS)) == [rule]


def test_a_name_of_140_letters_is_counted_in_letters() -> None:
    """A name is not cut short for its č (row 8)."""
    assert not obligation_findings(debtor_name="Č" * 140)


@pytest.mark.parametrize("issuer", [0, 1, 6, -3])
def test_an_issuer_is_two_to_five(issuer: int) -> None:
    """A body that does not issue orders is not reported as one (row 11)."""
    assert errors(obligation_findings(issuer=issuer)) == ["issuer.unknown"]


def test_wrong_check_digits_of_a_debtor_are_warnings() -> None:
    """A mistyped debtor is noticed before somebody else is blocked (rows 7 and 9)."""
    findings = obligation_findings(debtor_tax_number="50223055", debtor_account=BAD_ACCOUNT)
    assert not errors(findings)
    assert warnings(findings) == ["debtor-tax-number.check-digits", "debtor-account.check-digits"]


def test_an_account_of_another_bank_is_a_warning() -> None:
    """A bank does not report accounts that it does not keep (row 9)."""
    assert warnings(obligation_findings(RuleSettings(account_prefixes=("01",)))) == ["debtor-account.prefix"]
    assert not obligation_findings(RuleSettings(account_prefixes=("01", "07")))


# --- Cancellations (row 13 and note **) ---------------------------------------------------------


def cancellation_errors(
    target: Event | None = EVENT, cancelled_by: str | None = None, order_ok: bool = True, **changes: Any
) -> list[str]:
    cancellation = replace(CANCELLATION, **changes)
    return errors(check_cancellation("O-314", cancellation, target, cancelled_by, order_ok))


def test_a_cancellation_of_nothing_is_an_error() -> None:
    """A mistyped id does not leave the wrong event standing."""
    assert cancellation_errors(target=None) == ["cancels-event-id.nowhere"]


def test_a_cancellation_of_itself_is_an_error() -> None:
    """The history always can be followed back."""
    assert cancellation_errors(cancels_event_id="9") == ["cancels-event-id.itself"]
    assert cancellation_errors(target=None, cancels_event_id="9") == ["cancels-event-id.itself"]


def test_a_cancellation_is_not_cancelled() -> None:
    """What was undone stays undone; a correction is a new event."""
    assert cancellation_errors(target=replace(CANCELLATION, event_id="7")) == [
        "cancels-event-id.cancellation"
    ]


def test_nothing_is_cancelled_twice() -> None:
    """The clerk learns which event did it already."""
    (finding,) = check_cancellation("O-314", CANCELLATION, EVENT, "8")
    assert finding.rule == "cancels-event-id.twice"
    assert finding.message == "event 7 is cancelled already, by event 8"


def test_a_cancellation_carries_the_amount_of_what_it_cancels() -> None:
    """Both amounts are shown, so that the right one is easily told."""
    (finding,) = check_cancellation("O-314", replace(CANCELLATION, amount_cents=1), EVENT, None)
    assert finding.rule == "amount-cents.not-of-cancelled"
    assert finding.message == "amount is 0.01 EUR, but event 7, which it cancels, has 288,434.16 EUR"


def test_a_cancellation_is_recorded_after_what_it_cancels() -> None:
    """The order of the history is the order of what happened."""
    earlier = replace(EVENT, recorded_at=CANCELLATION.recorded_at)
    assert cancellation_errors(target=earlier) == []
    assert cancellation_errors(order_ok=False) == ["recorded-at.before-cancelled"]
    assert cancellation_errors(recorded_at=datetime(2026, 11, 17, 7, 4, tzinfo=UTC)) == [
        "recorded-at.before-cancelled"
    ]


def test_an_event_id_stands_once_in_its_obligation() -> None:
    """A cancellation always knows which event is meant (row 12)."""
    (finding,) = check_history("O-314", [EVENT, replace(EVENT, event_id="8"), EVENT])
    assert finding.rule == "event-id.duplicate"
    assert finding.record == "O-314 / event 7"


def test_a_history_finds_a_second_cancellation() -> None:
    """The first cancellation counts, the second is named."""
    (finding,) = check_history("O-314", [EVENT, CANCELLATION, replace(CANCELLATION, event_id="10")])
    assert (finding.record, finding.rule) == ("O-314 / event 10", "cancels-event-id.twice")
    assert finding.message == "event 7 is cancelled already, by event 9"


def test_a_history_finds_a_cancellation_before_its_target() -> None:
    """A file in the wrong order is found even if its times are equal."""
    same_time = replace(CANCELLATION, recorded_at=EVENT.recorded_at)
    assert not list(check_history("O-314", [EVENT, same_time]))
    assert errors(check_history("O-314", [same_time, EVENT])) == ["recorded-at.before-cancelled"]


def test_a_history_finds_a_cancellation_of_nothing() -> None:
    """An event of another obligation with the same id is not meant."""
    assert errors(check_history("O-314", [CANCELLATION])) == ["cancels-event-id.nowhere"]


# --- Accounts (section 3.2) ---------------------------------------------------------------------


def test_a_good_account_month_has_no_findings() -> None:
    """Zero turnover and a negative balance are nothing unusual (rows 7 to 10)."""
    assert not list(check_account_month(GOOD_ACCOUNT, 0, 0, -500))
    assert not list(check_account_month(GOOD_ACCOUNT, 1000, 250, 250, opening_cents=-500))


@pytest.mark.parametrize(
    ("credit", "debit", "rule"),
    [(-1, 0, "credit-turnover-cents.negative"), (0, -1, "debit-turnover-cents.negative")],
)
def test_turnover_is_never_negative(credit: int, debit: int, rule: str) -> None:
    """The authority does not refuse a month for a reversal booked as turnover (note *)."""
    assert errors(check_account_month(GOOD_ACCOUNT, credit, debit, 0)) == [rule]


def test_figures_of_a_month_are_no_longer_than_their_rows_allow() -> None:
    """A figure that the authority's field cannot hold is stopped here (rows 7, 8 and 10)."""
    codes = errors(check_account_month(GOOD_ACCOUNT, 10**15, 10**15, 10**17))
    assert codes == ["credit-turnover-cents.size", "debit-turnover-cents.size", "closing-balance-cents.size"]
    assert not list(check_account_month(GOOD_ACCOUNT, 10**15 - 1, 10**15 - 1, 1 - 10**17))


def test_opening_balance_and_turnover_give_the_closing_balance() -> None:
    """A lost posting is found before the authority publishes a wrong balance."""
    (finding,) = check_account_month(GOOD_ACCOUNT, 1000, 250, 1260, opening_cents=500)
    assert finding.rule == "closing-balance-cents.does-not-add-up"
    assert finding.record == f"account {GOOD_ACCOUNT}"
    assert finding.message == (
        "closing balance is 12.60 EUR, but the opening balance and the turnover give 12.50 EUR"
    )


def test_an_account_is_fifteen_digits() -> None:
    """A month of a malformed account is not sent (row 9)."""
    assert errors(check_account_month("0700", 0, 0, 0)) == ["account.length"]
    assert warnings(check_account_month(BAD_ACCOUNT, 0, 0, 0)) == ["account.check-digits"]


def test_an_account_and_its_holder_are_well_formed() -> None:
    """The ledger's list of accounts is as sound as the report that follows from it."""
    assert not list(check_account(GOOD_ACCOUNT, "50223054", "Podjetje d.o.o.", SETTINGS))
    codes = errors(check_account("07", "5022305A", "", SETTINGS))
    assert codes == ["account.length", "holder-tax-number.format", "holder-name.missing"]
    findings = check_account(BAD_ACCOUNT, "50223055", "Podjetje", RuleSettings(account_prefixes=("07",)))
    assert warnings(findings) == ["account.check-digits", "account.prefix", "holder-tax-number.check-digits"]


def test_a_provider_is_well_formed() -> None:
    """A report does not go out under a number that nobody has (2.2, rows 5 and 6)."""
    assert not list(check_provider("5860571000", "Banka Vzorec d.d."))
    assert not list(check_provider("5860571", "Banka Vzorec d.d."))
    assert errors(check_provider("58605710", "")) == ["registration-number.format", "name.missing"]
    assert warnings(check_provider("1234567000", "Banka")) == ["registration-number.check-digits"]


# --- Names of records ---------------------------------------------------------------------------


def test_a_record_is_called_what_an_operator_calls_it() -> None:
    """Message, log and command line speak of the same thing."""
    assert record_name("O-314") == "O-314"
    assert record_name("O-314", "7") == "O-314 / event 7"
    assert record_name("", "") == "(no id) / event (no id)"


def test_a_hostile_id_cannot_paint_the_operators_screen() -> None:
    """What a file writes into an id is shown, not obeyed by the terminal."""
    shown = record_name("\x1b[2J\n\ud800", "7" * 10_000)
    assert shown.isprintable()
    assert len(shown) < 120


# --- Whatever comes -----------------------------------------------------------------------------

any_text = st.one_of(st.text(max_size=40), st.text("0123456789A- \x1f", max_size=40))
optional_text = st.one_of(st.none(), any_text)
moments = st.datetimes(timezones=st.just(UTC))
any_event = st.builds(
    Event,
    event_id=any_text,
    cancels_event_id=optional_text,
    change_type=st.one_of(st.just("01"), any_text),
    change_date=st.dates(),
    amount_cents=st.integers(-(10**18), 10**18),
    recorded_at=moments,
    recorded_as=st.one_of(st.just("2026-11-17T08:05:00"), any_text),
    reference_model=optional_text,
    reference=optional_text,
    priority=st.one_of(st.none(), st.integers(-200, 200)),
    creditor_account=optional_text,
    creditor_name=optional_text,
)

printable = st.characters(
    exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufffe\uffff"
)
good_id = st.text(printable, min_size=1, max_size=36)
good_creditor = st.tuples(
    st.from_regex("[0-9A-Za-z]{1,34}", fullmatch=True), st.text(printable, min_size=1, max_size=140)
)
good_reference = st.tuples(
    st.from_regex("[0-9]{1,2}", fullmatch=True), st.text(printable, min_size=1, max_size=22)
)


@st.composite
def good_events(draw: st.DrawFn) -> Event:
    recorded_at = draw(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
    account, name = draw(st.one_of(st.just((None, None)), good_creditor))
    model, reference = draw(st.one_of(st.just((None, None)), good_reference))
    return Event(
        event_id=draw(good_id),
        cancels_event_id=None,
        change_type=draw(st.from_regex("0[1-9]|[1-9][0-9]", fullmatch=True)),
        change_date=draw(st.dates(date(2000, 1, 1), date(2100, 1, 1))),
        amount_cents=draw(st.integers(-(10**15) + 1, 10**15 - 1)),
        recorded_at=recorded_at.replace(tzinfo=UTC),
        recorded_as=recorded_at.isoformat(timespec="seconds"),
        reference_model=model,
        reference=reference,
        priority=draw(st.one_of(st.none(), st.integers(0, 99))),
        creditor_account=account,
        creditor_name=name,
    )


@given(good_events())
def test_a_valid_event_has_no_errors(event: Event) -> None:
    """No bank is kept from reporting by a rule that the instruction does not know."""
    assert not errors(check_event("O-314", event, SETTINGS))


@given(good_events())
def test_what_the_rules_let_pass_the_schema_takes(event: Event) -> None:
    """An event that enters the ledger never makes a file that the schema refuses."""
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(etree.tostring(report_of(OBLIGATION, event))))


@given(any_event)
def test_whatever_an_event_holds_it_gets_an_answer(event: Event) -> None:
    """A hostile file cannot stop a check, and cannot hide an error from it."""
    findings = list(check_event("O-314", event, SETTINGS))
    assert all(finding.record.isprintable() and finding.message for finding in findings)
    if not errors(findings):
        schema = etree.XMLSchema(etree.parse(SCHEMA))
        schema.assertValid(report_of(OBLIGATION, event))


@given(st.lists(any_event, max_size=6))
def test_whatever_a_history_holds_it_gets_an_answer(events: list[Event]) -> None:
    """A hostile file cannot stop a check."""
    list(check_history("O-314", events))


def report_of(obligation: Obligation, event: Event) -> etree._Element:
    """The smallest report that holds the event, written as section 2.2 says."""
    root = etree.Element(f"{{{NAMESPACE}}}Nodurs")
    head = _child(
        root,
        "Ident",
        datumPriprave="2026-11-17T17:00:00",
        steviloZapisov="1",
        sestevekZneskov=str(event.amount_cents),
        datumPodatkov="2026-11-17",
        maticnaPonudnika="5860571000",
    )
    _child(head, "Naziv").text = "Banka Vzorec d.d."
    debtor = _child(root, "Dolznik", davcna=obligation.debtor_tax_number)
    _child(debtor, "Naziv").text = obligation.debtor_name
    account = _child(debtor, "Tr", rn=obligation.debtor_account)
    block = _child(account, "Blok", id=obligation.obligation_id, izdajatelj=str(obligation.issuer))
    change = _child(
        block,
        "No",
        id=event.event_id,
        refid=event.cancels_event_id,
        sSpre=event.change_type,
        dSpre=event.change_date.isoformat(),
        znesek=str(event.amount_cents),
        dtVpis=event.recorded_as,
        model=event.reference_model,
        sklic=event.reference,
        prior=None if event.priority is None else str(event.priority),
    )
    if event.creditor_account:
        _child(_child(change, "Upnik", rn=event.creditor_account), "Naziv").text = event.creditor_name
    return root


def _child(parent: etree._Element, name: str, **attributes: str | None) -> etree._Element:
    given_ones = {key: value for key, value in attributes.items() if value}
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", given_ones)
