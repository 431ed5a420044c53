"""Personal data stays out of the log; what an operator works with stays readable."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.domain.masking import mask, mask_value

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

accounts = st.text(DIGITS, min_size=15, max_size=15)
tax_numbers = st.from_regex("[1-9][0-9]{7}", fullmatch=True)
slovenian_ibans = st.text(DIGITS, min_size=17, max_size=17).map(lambda digits: f"SI56{digits[2:]}")
# ISO 13616: two letters, two check digits, up to 30 letters and digits; the shortest in use has 15.
foreign_ibans = st.builds(
    "{}{}{}{}".format,
    st.text(LETTERS, min_size=2, max_size=2),
    st.text(DIGITS, min_size=2, max_size=2),
    st.text(DIGITS, min_size=8, max_size=12),
    st.text(DIGITS + LETTERS, min_size=3, max_size=18),
)
numbers = st.one_of(accounts, tax_numbers, slovenian_ibans, foreign_ibans)
around = st.text(
    alphabet=st.characters(exclude_characters=DIGITS + LETTERS, exclude_categories=("Cs",)), max_size=30
)


def spoken(number: str, way: str) -> str:
    """A number as people write it: in one piece, in fours, or as on old forms, with hyphens."""
    if way == "fours":
        return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    if way == "unbreakable":
        return "\u00a0".join(number[i : i + 4] for i in range(0, len(number), 4))
    if way == "hyphen" and number.isdigit():
        return f"{number[:5]}-{number[5:]}"
    return number


ways = st.sampled_from(["plain", "fours", "unbreakable", "hyphen"])


def survives(number: str, text: str) -> bool:
    """Whether five characters of the number in a row can still be read, however they are grouped."""
    squeezed = re.sub(r"[\s-]", "", text)
    return any(number[i : i + 5] in squeezed for i in range(len(number) - 4))


@given(numbers, ways, around, around)
def test_no_number_of_a_person_survives(number: str, way: str, before: str, after: str) -> None:
    """Whoever reads the log cannot tell whose account or tax number it was."""
    assert not survives(number, mask(before + spoken(number, way) + after))


@given(accounts, tax_numbers, around)
def test_several_numbers_in_one_text_are_all_masked(account: str, tax_number: str, between: str) -> None:
    """The second number is as protected as the first."""
    shown = mask(f"{account} {between} {tax_number}, SI{tax_number} and {between}{account}")
    assert not survives(account, shown)
    assert not survives(tax_number, shown)


@pytest.mark.parametrize(
    "text",
    [
        "NODURS_20261117_5860571.xml",
        "SPAPP_202610_5860571000.xml",
        "Odgovor_20261120_205926_0007.xml: submission 9 (NODURS) is accepted.",
        "2026/11/NODURS_20261102_5860571.xml.ebd0076b.zst",
        "NODURS for 2026-11-17, due 2026-11-17T18:00:00+01:00, at 2026-11-20T21:55:00.123456+01:00",
        "refused SPAPP 2026-10, submission 12, 9 events, 2,703 bytes",
        "sha256 38c6105ccd80d9b0646934b9b81f96631b264b0a1e6f6d9cbdc7c2ca9e409e11",
        "O-314 / event 7: creditor-account.length",
        "1234567890 / event 2: this event cancels itself",
        "O-20261117-00012 / event 1-S",
        "5e2c1f0a-1234-4b6f-8d2e-12345678abcd / event 3",
        "obligation 1234567890: debtor-name.length",
        "provider 5860571000",
        "127.0.0.1, port 36497, showed the host key SHA256:Vs5J…",
    ],
)
def test_what_an_operator_works_with_stays_readable(text: str) -> None:
    """File names, dates, ids, hashes and our own number are what a person looks things up by."""
    assert mask(text, frozenset({"5860571000"})) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('<Dolznik Naziv="Kovina &amp; d.o.o." ds="50123459"/>', '<Dolznik Naziv="…" ds="…459"/>'),
        ("imeUpnika='Ana Novak' rn='010000000100187'", "imeUpnika='…' rn='…187'"),
        ("{'debtor_name': 'Ana', 'amount_cents': 300}", "{'debtor_name': '…', 'amount_cents': 300}"),
        ('{"creditor_name": "Ana \\"A\\" Novak"}', '{"creditor_name": "…"}'),
        ("ledger cancel --replace creditor_name=Ana Novak", "ledger cancel --replace creditor_name=…"),
        ('it was cut off: Naziv="Kovin', 'it was cut off: Naziv="…"'),
        ("[parameters: ('Ana Novak', 3)]\n(Background on", "[parameters: …]\n(Background on"),
        ("Key (name)=(Ana Novak) already exists.", "Key (name)=(…) already exists."),
        ("Failing row contains (1, Ana Novak).", "Failing row contains (…)."),
        ("account 010000000100187 / event 7", "account …187 / event 7"),
        ("50123459 / event 7", "…459 / event 7"),
        ("postgresql://ajpes:secret@db/ajpes", "postgresql://…@db/ajpes"),
        ("POST https://host/path?token=secret failed", "POST https://host/path?… failed"),
    ],
)
def test_names_and_logins_are_hidden(text: str, shown: str) -> None:
    """A name in XML, in arguments or in a database's complaint is as personal as a number."""
    assert mask(text) == shown


@given(st.sampled_from(["name", "debtor_name", "creditor_name", "holder_name"]), around)
def test_a_field_that_is_a_name_is_hidden_whatever_it_holds(field: str, name: str) -> None:
    """Names follow no pattern: the key decides."""
    assert mask_value("who", {field: name}) == {field: "…"}


@given(numbers)
def test_values_of_any_kind_are_masked(number: str) -> None:
    """A number that was put into a list, an exception, a key or an int is masked there, too."""
    nested = {"a": [number, (number,)], number: {"b": ValueError(number)}}
    assert not survives(number, str(mask_value("field", nested)))
    if number.isdigit() and not number.startswith("0"):
        assert not survives(number, str(mask_value("field", int(number))))


def test_numbers_that_say_nothing_keep_their_type() -> None:
    """A program that reads the log counts with them."""
    assert mask_value("f", {"submission": 12, "ok": True, "none": None}) == {
        "submission": 12, "ok": True, "none": None,
    }  # fmt: skip


@given(st.integers(9_900, 10_100))
def test_a_text_without_end_is_cut_and_still_masked(length: int) -> None:
    """A reply of a million characters holds nobody up, and no number shows at the cut."""
    shown = mask("x" * length + " 010000000100187 " + "y" * 1_000_000)
    assert len(shown) <= 10_000
    assert not survives("010000000100187", shown)
