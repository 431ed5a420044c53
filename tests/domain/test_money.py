"""Money, compared with `decimal.Decimal`, which rounds and writes by its own means."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.domain.money import (
    amounts_format_of,
    format_decimal,
    parse_amount,
)

cents = st.integers(-(10**17) + 1, 10**17 - 1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(28843416, "288434.16"), (0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-100, "-1.00"), (-12345, "-123.45")],
)
def test_decimal_amounts_always_have_two_decimals(amount: int, text: str) -> None:
    """A negative amount below one euro keeps its sign and its zeros (first value: the printed sample)."""
    assert format_decimal(amount) == text


@given(cents)
def test_decimal_writing_agrees_with_decimal(amount: int) -> None:
    """No amount changes its value by being written."""
    assert Decimal(format_decimal(amount)) == Decimal(amount).scaleb(-2)


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_what_is_written_is_read_again(amount: int) -> None:
    """A report that was written here is understood here."""
    assert parse_amount(str(amount), "cents") == amount
    assert parse_amount(format_decimal(amount), "decimal") == amount
    assert parse_amount(str(amount), "euros") == amount * 100


@pytest.mark.parametrize("amounts", ["cents", "euros"])
def test_decimals_among_whole_amounts_are_refused(amounts: str) -> None:
    """A factor of 100 does not slip through."""
    with pytest.raises(ValueError, match=amounts):
        parse_amount("288434.16", amounts)  # type: ignore[arg-type]  # parametrised as plain text


def test_whole_amount_among_decimals_is_refused() -> None:
    """A factor of 100 does not slip through the other way either."""
    with pytest.raises(ValueError, match="decimal"):
        parse_amount("28843416", "decimal")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1,00",
        "1.0",
        "1.000",
        ".50",
        "1.",
        "+1",
        "--1",
        "1e3",
        "0x1",
        "NaN",
        "1_000",
        "\u0661\u0662",
        "1\n",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Nobody's amount is guessed from a text that the instruction does not allow."""
    with pytest.raises(ValueError, match="not an amount"):
        amounts_format_of(text)


def test_amount_longer_than_any_report_allows_is_refused() -> None:
    """A hostile file with a number of ten thousand digits is an error, not a strain."""
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount("9" * 10_000, "cents")


def test_writing_of_an_amount_is_recognised() -> None:
    """A check can tell in which way a file is written before it reads a figure."""
    assert amounts_format_of("-288434.16") == "decimal"
    assert amounts_format_of("28843416") == "whole"
