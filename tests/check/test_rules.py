"""Business rules over report files, whoever made them: what a schema cannot say."""

from __future__ import annotations

import pytest

from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.rules import RuleSettings
from tests.check.conftest import NODURS_SAMPLE, SPAPP_SAMPLE, Check, Settings, changed

EVENT = "O-330 / event 1"
BLOCK_START = NODURS_SAMPLE.index(b"<Blok")
BLOCK_END = NODURS_SAMPLE.index(b"</Blok>") + len("</Blok>")
BLOCK = NODURS_SAMPLE[BLOCK_START:BLOCK_END].decode()

DECIMAL_NODURS = (
    NODURS_SAMPLE.replace(b'"1000000"', b'"10000.00"')
    .replace(b'"800000"', b'"8000.00"')
    .replace(b'"200000"', b'"2000.00"')
)


def test_a_right_file_has_no_findings(check: Check) -> None:
    """A clerk who sees a finding can trust that something is wrong."""
    assert check(NODURS_SAMPLE).findings == ()
    assert check(SPAPP_SAMPLE).findings == ()
    assert check(DECIMAL_NODURS, Settings(nodurs="decimal")).findings == ()


# --- NODURS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["999999", "1000001", "10000", "0", "-1000000"])
def test_a_wrong_total_is_an_error(check: Check, total: str) -> None:
    """AJPES adds up too; a total that is off by a cent is found here first."""
    checked = check(changed(NODURS_SAMPLE, '"1000000"', f'"{total}"'))
    assert [error.rule for error in checked.errors] == ["nodurs.total"]
    assert "10,000.00 EUR" in checked.errors[0].message


@pytest.mark.parametrize("count", ["0", "1", "3", "0000000003"])
def test_a_wrong_count_is_an_error(check: Check, count: str) -> None:
    """A record that got lost while the file was made is missed."""
    checked = check(changed(NODURS_SAMPLE, 'steviloZapisov="2"', f'steviloZapisov="{count}"'))
    assert [error.rule for error in checked.errors] == ["nodurs.count"]


def test_an_empty_report_must_say_so(check: Check) -> None:
    """Without a single debtor the count and the total are nought."""
    start, end = NODURS_SAMPLE.index(b"<Dolznik"), NODURS_SAMPLE.index(b"</Nodurs>")
    empty = NODURS_SAMPLE[:start] + NODURS_SAMPLE[end:]
    assert check(empty).rules == {"nodurs.count", "nodurs.total"}
    right = empty.replace(b'steviloZapisov="2"', b'steviloZapisov="0"').replace(b'"1000000"', b'"0"')
    assert check(right).findings == ()


@pytest.mark.parametrize("between", ["", '</Tr><Tr rn="010000000100575">'])
def test_an_obligation_twice_is_an_error(check: Check, between: str) -> None:
    """An obligation stands once, with its whole history, also when it claims two accounts."""
    content = changed(NODURS_SAMPLE, "</Blok>", f"</Blok>{between}{BLOCK}")
    content = changed(content, 'steviloZapisov="2"', 'steviloZapisov="4"')
    checked = check(changed(content, '"1000000"', '"2000000"'))
    assert [(error.rule, error.record) for error in checked.errors] == [("obligation.duplicate", "O-330")]


def test_an_event_twice_is_an_error(check: Check) -> None:
    """An event's id stands once in its obligation."""
    (error,) = check(changed(NODURS_SAMPLE, 'id="2"', 'id="1"')).errors
    assert (error.rule, error.record) == ("event-id.duplicate", EVENT)


def test_the_same_event_id_in_two_obligations_is_right(check: Check) -> None:
    """The id of an event counts only within its obligation (row 12)."""
    content = changed(NODURS_SAMPLE, "</Blok>", f"</Blok>{BLOCK.replace('O-330', 'O-331')}")
    content = changed(content, 'steviloZapisov="2"', 'steviloZapisov="4"')
    assert check(changed(content, '"1000000"', '"2000000"')).findings == ()


@pytest.mark.parametrize(
    ("content", "amounts"), [(NODURS_SAMPLE, "decimal"), (DECIMAL_NODURS, "cents")], ids=["cents", "decimal"]
)
def test_a_file_in_the_other_format_of_amounts_is_refused_once(
    check: Check, content: bytes, amounts: Amounts
) -> None:
    """A factor of 100 must not slip through; one finding says it for the whole file."""
    (error,) = check(content, Settings(nodurs=amounts)).errors
    assert (error.rule, error.location) == ("nodurs.amounts-format", "Ident/sestevekZneskov")


@pytest.mark.parametrize(
    ("old", "new", "record"),
    [
        ('znesek="200000"', 'znesek="2000.00"', "O-330 / event 2"),
        ('znesek="800000"', 'znesek="8000.00"', "O-330 / event 1"),
        ('sestevekZneskov="1000000"', 'sestevekZneskov="10000.00"', "the head"),
    ],
)
def test_formats_of_amounts_are_never_mixed(check: Check, old: str, new: str, record: str) -> None:
    """The sums agree, and still one amount would be read as a hundredth of itself."""
    (error,) = check(changed(NODURS_SAMPLE, old, new)).errors
    assert (error.rule, error.record) == ("nodurs.amounts-format", record)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('sSpre="03"', 'sSpre="00"', "cancels-event-id.missing"),
        ('sSpre="03"', 'refid="1" sSpre="03"', "cancels-event-id.unexpected"),
        ('sSpre="03"', 'refid="9" sSpre="00"', "cancels-event-id.nowhere"),
        ('sSpre="03"', 'refid="2" sSpre="00"', "cancels-event-id.itself"),
        ('sSpre="03"', 'refid="1" sSpre="00"', "amount-cents.not-of-cancelled"),
    ],
)
def test_the_rules_of_cancellations_hold_in_any_file(check: Check, old: str, new: str, rule: str) -> None:
    """A correction that AJPES would refuse is refused here."""
    assert [error.rule for error in check(changed(NODURS_SAMPLE, old, new)).errors] == [rule]


def test_a_right_cancellation_is_right(check: Check) -> None:
    """A cancellation names an earlier event and carries its amount."""
    content = changed(NODURS_SAMPLE, 'sSpre="03"', 'refid="1" sSpre="00"')
    content = changed(content, 'znesek="200000"', 'znesek="800000"')
    assert check(changed(content, '"1000000"', '"1600000"')).findings == ()


def test_a_record_that_is_taken_back_is_no_error_even_with_strict(check: Check) -> None:
    """A wrong event stays in the history for ever; once it is cancelled, nothing is left to mend."""
    wrong = changed(NODURS_SAMPLE, 'sSpre="01"', 'sSpre="77"')
    assert [error.record for error in check(wrong, Settings(strict=True)).errors] == [EVENT]
    cancelled = changed(changed(wrong, 'sSpre="03"', 'refid="1" sSpre="00"'), '"200000"', '"800000"')
    checked = check(changed(cancelled, '"1000000"', '"1600000"'), Settings(strict=True))
    assert (checked.ok, checked.rules) == (True, {"change-type.unknown"})


# --- Times that a schema takes and Python does not ------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "text", "rule"),
    [
        ("dtVpis", "2026-11-03T24:00:00", "recorded-at.format"),
        ("dtVpis", "2026-11-03T24:00:00Z", "recorded-at.format"),
        ("dtVpis", "10000-11-03T10:00:00", "recorded-at.format"),
        ("dtVpis", "-0001-11-03T10:00:00", "recorded-at.format"),
        ("dtVpis", "2026-11-03T10:00:00.1234567890", "recorded-at.format"),
        ("dtVpis", "0001-01-01T00:00:00+14:00", "recorded-at.year"),
        ("dtVpis", "9999-12-31T23:59:59-14:00", "recorded-at.year"),
        ("dtVpis", "2026-11-03T10:00:60", "schema"),
        ("dtVpis", "2026-02-30T10:00:00", "schema"),
        ("dtVpis", "2026-11-03T10:00:00+15:00", "schema"),
        ("dSpre", " 2026-11-03", "change-date.format"),
        ("dSpre", "0001-01-01", "change-date.year"),
        ("dSpre", "9999-12-31", "change-date.year"),
        ("dSpre", "0000-01-01", "schema"),
    ],
)
def test_a_time_that_cannot_be_meant_is_an_error(check: Check, attribute: str, text: str, rule: str) -> None:
    """The file is anybody's; its strangest time is a finding with the event's name."""
    old = {"dtVpis": 'dtVpis="2026-11-03T10:00:00"', "dSpre": 'dSpre="2026-11-03"'}[attribute]
    checked = check(changed(NODURS_SAMPLE, old, f'{attribute}="{text}"'))
    assert rule in {error.rule for error in checked.errors}
    assert {error.record for error in checked.errors if error.rule == rule} == {EVENT}
    assert all(error.location == f"No/{attribute}" for error in checked.errors)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-03T10:00:00Z",
        "2026-11-03T10:00:00+14:00",
        "2026-11-03T10:00:00-11:00",
        "2026-11-03T10:00:00.5",
        "2026-11-03T10:00:00.5537663",
        "2026-11-03T10:00:00.123456789+01:00",
    ],
)
def test_every_common_way_to_write_a_time_is_read(check: Check, text: str) -> None:
    """The instruction's own sample has seven digits of a second and an offset."""
    old = 'dtVpis="2026-11-03T10:00:00"'
    assert check(changed(NODURS_SAMPLE, old, f'dtVpis="{text}"')).findings == ()


def test_an_unreadable_time_still_counts_its_record(check: Check) -> None:
    """One fault is one finding: the count and the total are not wrong for it too."""
    content = changed(NODURS_SAMPLE, 'dtVpis="2026-11-03T10', 'dtVpis="2026-11-03T24')
    checked = check(changed(content, 'sSpre="03"', 'refid="1" sSpre="00"'))
    assert [error.rule for error in checked.errors] == ["recorded-at.format"]
    assert checked.record_count == 2


# --- SPAPP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "value"),
    [("skupajZnesekBreme", "1100"), ("skupajZnesekDobro", "2625"), ("skupajZnesekStanj", "12600")],
)
def test_each_wrong_total_of_spapp_is_an_error(check: Check, total: str, value: str) -> None:
    """The file adds up, in each of its three columns."""
    checked = check(changed(SPAPP_SAMPLE, f'{total}="{value}"', f'{total}="{int(value) + 1}"'))
    assert [(error.rule, error.field) for error in checked.errors] == [("spapp.total", total)]
    assert value in checked.errors[0].message


def test_an_account_twice_is_an_error(check: Check) -> None:
    """Each account has one row."""
    checked = check(changed(SPAPP_SAMPLE, "010000000100284", "010000000100187"))
    assert [(error.rule, error.record) for error in checked.errors] == [
        ("account.duplicate", "account 010000000100187")
    ]


@pytest.mark.parametrize(("amounts", "ok"), [("euros", True), ("cents", True), ("decimal", False)])
def test_whole_amounts_where_decimals_are_set_are_refused(check: Check, amounts: Amounts, ok: bool) -> None:
    """Whole euros and whole cents look alike; decimals do not."""
    checked = check(SPAPP_SAMPLE, Settings(spapp=amounts))
    assert checked.ok is ok
    assert checked.rules == (set() if ok else {"spapp.amounts-format"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('skupajZnesekBreme="1100"', 'skupajZnesekBreme="11.00"'),
        ('skupajZnesekStanj="12600"', 'skupajZnesekStanj="126.00"'),
        ('sta="11500"', 'sta="115.00"'),
        ('bre="1001"', 'bre="10.01"'),
    ],
)
def test_formats_of_spapp_are_never_mixed(check: Check, old: str, new: str) -> None:
    """The sums agree digit by digit, and still one figure is a hundredth of what it should be."""
    checked = check(changed(SPAPP_SAMPLE, old, new))
    assert [error.rule for error in checked.errors] == ["spapp.amounts-format"]


# --- Warnings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "old", "new", "rule"),
    [
        (NODURS_SAMPLE, "34567399", "34567398", "debtor-tax-number.check-digits"),
        (NODURS_SAMPLE, "010000000100478", "010000000100479", "debtor-account.check-digits"),
        (NODURS_SAMPLE, "020450000123478", "020450000123479", "creditor-account.check-digits"),
        (NODURS_SAMPLE, "5860571000", "5860572000", "registration-number.check-digits"),
        (NODURS_SAMPLE, 'sSpre="03"', 'sSpre="77"', "change-type.unknown"),
        (NODURS_SAMPLE, 'prior="1"', 'prior="9"', "priority.unknown"),
        (NODURS_SAMPLE, 'dSpre="2026-11-03"', 'dSpre="2026-11-02"', "change-date.not-recording-date"),
        (SPAPP_SAMPLE, "010000000100187", "010000000100188", "account.check-digits"),
    ],
)
def test_a_check_digit_is_a_warning_and_with_strict_an_error(
    check: Check, sample: bytes, old: str, new: str, rule: str
) -> None:
    """The instruction's own samples fail such digits; a bank that wants more sets `checks.strict`."""
    content = changed(sample, old, new)
    lenient, strict = check(content), check(content, Settings(strict=True))
    assert (lenient.ok, lenient.rules) == (True, {rule})
    assert (strict.ok, {error.rule for error in strict.errors}) == (False, {rule})


def test_an_account_of_another_bank_is_a_warning_where_prefixes_are_set(check: Check) -> None:
    """Only the provider's own accounts are reported; which those are, the settings say."""
    assert check(NODURS_SAMPLE, Settings(rules=RuleSettings(("01", "05")))).findings == ()
    checked = check(NODURS_SAMPLE, Settings(rules=RuleSettings(("05",))))
    assert (checked.ok, checked.rules) == (True, {"debtor-account.prefix"})


def test_a_rule_that_fails_everywhere_does_not_drown_the_others(check: Check) -> None:
    """The first hundred findings of a rule are shown, the rest is counted."""
    events = "".join(
        f'<No id="x{number}" sSpre="77" dSpre="2026-11-04" znesek="0" dtVpis="2026-11-04T14:20:00"/>'
        for number in range(150)
    )
    content = changed(NODURS_SAMPLE, "</Blok>", f"{events}</Blok>")
    checked = check(changed(content, 'prior="1"', 'prior="9"'))
    shown = [finding.rule for finding in checked.findings]
    assert shown.count("change-type.unknown") == 100
    assert "priority.unknown" in shown
    assert "nodurs.count" in shown
