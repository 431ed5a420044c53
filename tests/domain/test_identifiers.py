"""Check digits; each expectation is worked by hand beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_97_10
from stdnum.si import ddv

from ajpes_reporting.domain.identifiers import (
    account_ok,
    model_known,
    reference_ok,
    registration_number_ok,
    tax_number_ok,
)

digits = st.text("0123456789", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("tax_number", "ok"),
    [
        ("50223054", True),  # 5*8+0*7+2*6+2*5+3*4+0*3+5*2 = 84, 84 mod 11 = 7, 11-7 = 4
        ("78439388", True),  # 7*8+8*7+4*6+3*5+9*4+3*3+8*2 = 212, 212 mod 11 = 3, 11-3 = 8
        ("50223055", False),
        ("SI50223054", False),
        ("05022304", False),  # 5*7+2*5+2*4+3*3 = 62, 62 mod 11 = 7, 11-7 = 4; but none begins with 0
        ("5022 3054", False),
        ("\uff15\uff10\uff12\uff12\uff13\uff10\uff15\uff14", False),  # full-width digits
        ("", False),
    ],
)
def test_tax_number_is_eight_digits_with_a_check_digit(tax_number: str, ok: bool) -> None:
    """The clerk hears of a mistyped tax number before the authority does."""
    assert tax_number_ok(tax_number) is ok


@given(st.text("0123456789", min_size=7, max_size=9))
def test_the_check_digit_of_a_tax_number_is_that_of_the_maintained_tables(number: str) -> None:
    """What the tables call valid is known by its last digit, and nothing else is."""
    every_end = [f"{number[:-1]}{digit}" for digit in range(10)]
    expected = [len(tax_number) == 8 and ddv.is_valid(tax_number) for tax_number in every_end]
    assert [tax_number_ok(tax_number) for tax_number in every_end] == expected


@given(st.text("0123456789", min_size=12, max_size=14))
def test_the_check_digits_of_an_account_are_those_of_the_maintained_tables(number: str) -> None:
    """Of a hundred ends those pass that ISO 7064 lets pass."""
    every_end = [f"{number}{end:02}" for end in range(100)]
    expected = [len(account) == 15 and mod_97_10.is_valid(account) for account in every_end]
    assert [account_ok(account) for account in every_end] == expected


@pytest.mark.parametrize(
    ("number", "ok"),
    [
        ("5860571", True),  # 5*7+8*6+6*5+0*4+5*3+7*2 = 142, 142 mod 11 = 10, 11-10 = 1
        ("5860571000", True),
        ("5860571001", True),  # a unit of the same company
        ("1572814", True),  # 1*7+5*6+7*5+2*4+8*3+1*2 = 106, 106 mod 11 = 7, 11-7 = 4
        ("1234567000", False),  # the sample's: 7+12+15+16+15+12 = 77, 77 mod 11 = 0: no such digit
        ("5860572", False),
        ("58605710", False),
        ("5860571A01", False),
        ("5.860.571", False),
        ("", False),
    ],
)
def test_registration_number_is_seven_or_ten_digits_with_a_check_digit(number: str, ok: bool) -> None:
    """A provider that mistypes its own number is told so at the start."""
    assert registration_number_ok(number) is ok


@pytest.mark.parametrize(
    ("account", "ok"),
    [
        # Modulo 97: 10^4 = 9, 10^8 = 81, 10^12 = 81*9 = 50, 10^13 = 15.
        # 7*10^13 + 100 = 8 + 100 = 11; 98 - 11 = 87.
        ("070000000000187", True),
        # The sample's: 10^13 + 10^8 + 2100 = 15 + 81 + 63 = 62; 98 - 62 = 36, but 23 stands there.
        ("010000100002123", False),
        ("010000100002136", True),
        ("70000000000187", False),
        ("07000000000018A", False),
        ("", False),
    ],
)
def test_account_is_fifteen_digits_with_two_check_digits(account: str, ok: bool) -> None:
    """A mistyped account is noticed before another debtor's account is blocked for it."""
    assert account_ok(account) is ok


@given(st.integers(0, 10**13 - 1))
def test_one_wrong_digit_in_an_account_is_always_noticed(number: int) -> None:
    """The commonest slip of a keyboard does not pass."""
    account = f"{number:013d}{98 - number * 100 % 97:02d}"
    assert account_ok(account)
    for place in range(15):
        wrong = account[:place] + str((int(account[place]) + 1) % 10) + account[place + 1 :]
        assert not account_ok(wrong)


# Control digits: 5678 gives 5*5+6*4+7*3+8*2 = 86, 86 mod 11 = 9, K = 2.
#                 12345 gives 1*6+2*5+3*4+4*3+5*2 = 50, 50 mod 11 = 6, K = 5.
#                 6 gives 6*2 = 12, 12 mod 11 = 1, 10 counts as 0.
#                 14 gives 1*3+4*2 = 11, 11 mod 11 = 0, 11 counts as 0.
@pytest.mark.parametrize(
    ("model", "reference"),
    [
        ("00", "anything at all"),
        ("99", ""),
        ("12", "56782"),
        ("12", "60"),
        ("12", "140"),
        ("05", "56782-2004"),
        ("5", "56782-2004"),
        ("55", "56782-1-2"),
        ("11", "56782-140-999"),
        ("11", "56782-140"),
        ("01", "12-34-55"),
        ("01", "123455"),
        ("02", "999-56782-60"),
        ("03", "56782-140-60"),
        ("04", "56782-999-60"),
        ("06", "999-123-455"),
        ("07", "999-60-999"),
        ("08", "12-3455-60"),
        ("09", "123-455-999"),
        ("10", "60-123-455"),
        *((model, "140-60-7") for model in ("18", "19", "28", "38", "40", "41", "48", "49", "51", "58")),
    ],
)
def test_reference_with_right_control_digits_is_ok(model: str, reference: str) -> None:
    """The clerk is not bothered about references that any bank would take."""
    assert reference_ok(model, reference)


@pytest.mark.parametrize(
    ("model", "reference"),
    [
        ("12", "56783"),
        ("12", "56782-1"),  # model 12 is one part only
        ("05", "56783-2004"),
        ("11", "56782-141"),
        ("11", "56782"),  # its second part is missing
        ("02", "56782"),
        ("01", "12-34-56"),
        ("01", "12-34-5-5"),  # four parts
        ("05", "5678X-1"),
        ("05", "-56782"),
        ("05", ""),
        ("13", "3006002259-2004"),  # the sample's models 13 and 14 do not exist
        ("14", "0245002259-2004"),
        ("", "56782"),
        ("012", "56782"),
    ],
)
def test_reference_with_wrong_control_digits_is_not_ok(model: str, reference: str) -> None:
    """The creditor whose payment would go astray profits from the warning."""
    assert not reference_ok(model, reference)


@given(digits, digits)
def test_control_digit_follows_the_rule(first: str, second: str) -> None:
    """Whatever the length of a part, the rule is the one the banks publish."""

    def with_control(number: str) -> str:
        weighted = [int(number[-1 - place]) * (place + 2) for place in range(len(number))]
        return f"{number}{(11 - sum(weighted) % 11) % 11 % 10}"

    assert reference_ok("11", f"{with_control(first)}-{with_control(second)}")
    assert reference_ok(
        "01", with_control(first + second)[: len(first)] + "-" + with_control(first + second)[len(first) :]
    )


@given(st.text(), st.text())
def test_any_text_gets_an_answer(one: str, other: str) -> None:
    """A hostile file cannot stop a check by what it writes into a number."""
    for answer in (
        tax_number_ok(one),
        registration_number_ok(one),
        account_ok(one),
        reference_ok(one, other),
    ):
        assert answer in (True, False)


def test_models_of_the_sample_are_unknown() -> None:
    """The clerk is told that the model is wrong, not the digits."""
    assert model_known("1")
    assert not model_known("13")
    assert not model_known("14")
