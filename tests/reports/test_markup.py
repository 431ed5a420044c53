"""Whatever stands in the ledger comes out of the file again, character by character."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ajpes_reporting.reports.kind import Selection
from ajpes_reporting.reports.markup import escape
from ajpes_reporting.reports.nodurs.write import write
from tests.reports.conftest import NODURS_REQUEST

# Everything that XML 1.0 can hold (production 2), with the dangerous ones made likely.
XML_TEXT = st.text(
    st.one_of(
        st.sampled_from("&<>\"'\t\n\r \u0085\u2028]"),
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        st.characters(min_codepoint=0x10000),
    ),
    min_size=1,
)


@given(XML_TEXT)
def test_text_comes_back_as_it_went_in(text: str) -> None:
    """No name and no reference is altered, cut or made into markup."""
    element = etree.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    assert (element.get("b"), element.text, len(element)) == (text, text, 0)


@given(names=st.lists(XML_TEXT, min_size=4, max_size=4), ids=st.lists(XML_TEXT, min_size=4, max_size=4))
def test_a_whole_report_reads_back_as_it_was_written(names: list[str], ids: list[str]) -> None:
    """A bank, a debtor or a creditor with a strange name cannot break the file or hide in it."""
    provider, debtor, other_debtor, creditor = names
    obligation, event, cancelled, reference = ids
    rows: list[tuple[Any, ...]] = [
        (1, "50123459", debtor, "010000000100187", 1, obligation, 3, event, None, "01", date(2026, 11, 17),
         -5, "2026-11-17T08:00:00", "99", reference, 3, "DE1", creditor),
        (2, "50123459", other_debtor, "010000000100187", 2, event, 2, "2", cancelled, "00",
         date(2026, 11, 17), 7, "2026-11-17T08:00:00", None, None, None, None, None),
    ]  # fmt: skip
    selection = Selection(2, {"steviloZapisov": "2", "sestevekZneskov": "2"}, rows)
    request = replace(NODURS_REQUEST, provider_name=provider)
    root = etree.fromstring(b"".join(write(request, selection)))
    assert [element.text for element in root.iter("{*}Naziv")] == [provider, debtor, creditor, other_debtor]
    assert [element.get("id") for element in root.iter("{*}Blok")] == [obligation, event]
    assert [dict(element.attrib) for element in root.iter("{*}No")] == [
        {"id": event, "sSpre": "01", "dSpre": "2026-11-17", "znesek": "-5", "dtVpis": "2026-11-17T08:00:00",
         "model": "99", "sklic": reference, "prior": "3"},
        {"id": "2", "refid": cancelled, "sSpre": "00", "dSpre": "2026-11-17", "znesek": "7",
         "dtVpis": "2026-11-17T08:00:00"},
    ]  # fmt: skip
