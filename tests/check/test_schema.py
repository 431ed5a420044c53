"""Where a file breaks its schema, the record is named in words a clerk can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.conftest import ANSWER_SAMPLE, NODURS_SAMPLE, SPAPP_SAMPLE, Check, changed
from tests.xmllint import complaints

EVENT, BLOCK, ACCOUNT = "O-330 / event 1", "O-330", "account 010000000100478"
HEAD = "the head of the file"

NODURS_VIOLATIONS = [
    # Section 2.2, in the order of its rows: what is written, what it becomes, record, field.
    ('datumPriprave="2026-11-04T17:10:00+01:00"', 'datumPriprave="yesterday"', HEAD, "datumPriprave"),
    ('steviloZapisov="2"', "", HEAD, "steviloZapisov"),
    ('steviloZapisov="2"', 'steviloZapisov="12345678901"', HEAD, "steviloZapisov"),
    ('sestevekZneskov="1000000"', 'sestevekZneskov="10.000,00"', HEAD, "sestevekZneskov"),
    ('datumPodatkov="2026-11-04"', 'datumPodatkov="4.11.2026"', HEAD, "datumPodatkov"),
    ('maticnaPonudnika="5860571000"', 'maticnaPonudnika="58605710"', HEAD, "maticnaPonudnika"),
    ("<Naziv>Banka Vzorec d.d.</Naziv>", "", HEAD, "Ident"),
    ('davcna="34567399"', 'davcna="SI34567399"', "debtor SI34567399", "davcna"),
    ("Pekarna Orel d.o.o.", "x" * 141, "debtor 34567399", "Naziv"),
    ('rn="010000000100478"', 'rn="SI56010000000100478"', "account SI56010000000100478", "rn"),
    ('id="O-330" ', "", "(no id)", "id"),
    ('id="O-330"', f'id="{"x" * 37}"', "x" * 37, "id"),
    ('izdajatelj="2"', 'izdajatelj="1"', BLOCK, "izdajatelj"),
    ('izdajatelj="2"', 'izdajatelj="sodišče"', BLOCK, "izdajatelj"),
    ('id="1" sSpre', "sSpre", "O-330 / event (no id)", "id"),
    ('id="1" sSpre', 'id="1" refid="" sSpre', EVENT, "refid"),
    ('sSpre="01"', 'sSpre="1"', EVENT, "sSpre"),
    ('dSpre="2026-11-03"', 'dSpre="2026-02-30"', EVENT, "dSpre"),
    ('dSpre="2026-11-03"', 'dSpre="2026-11-03Z"', EVENT, "dSpre"),
    ('znesek="800000"', 'znesek="8.000"', EVENT, "znesek"),
    ('znesek="800000"', 'znesek="8000,00"', EVENT, "znesek"),
    ('znesek="800000"', 'znesek="1234567890123456"', EVENT, "znesek"),
    ('dtVpis="2026-11-03T10:00:00"', 'dtVpis="2026-11-03"', EVENT, "dtVpis"),
    ('prior="1"', 'prior="1" model="SI11"', EVENT, "model"),
    ('prior="1"', f'prior="1" sklic="{"1" * 23}"', EVENT, "sklic"),
    ('prior="1"', 'prior="first"', EVENT, "prior"),
    ('rn="020450000123478"', f'rn="{"D" * 35}"', EVENT, "rn"),
    ('rn="020450000123478"', 'rn="DE89 3704"', EVENT, "rn"),
    ("<Naziv>Center za socialno delo</Naziv>", "", EVENT, "Upnik"),
    # Elements and attributes that nobody knows, or in the wrong place.
    ("<Upnik", "<Dolg/><Upnik", EVENT, "No"),
    ('prior="1"', 'prior="1" opomba="x"', EVENT, "No"),
    ("</Blok>", "</Blok><Blok id='O-331' izdajatelj='2'/>", "O-331", "Blok"),
    ("</Tr>", "</Tr>text", "debtor 34567399", "Dolznik"),
    ("</Ident>", "</Ident>text", "the whole file", "Nodurs"),
    ("<Nodurs ", '<Nodurs version="1" ', "the whole file", "Nodurs"),
]  # fmt: skip

SPAPP_VIOLATIONS = [
    # Section 3.2, in the order of its rows.
    ('skupajZnesekBreme="1100"', 'skupajZnesekBreme="-1100"', HEAD, "skupajZnesekBreme"),
    ('mesecPodatkov="202610"', 'mesecPodatkov="202613"', HEAD, "mesecPodatkov"),
    ('sta="11500"', 'sta="11.5"', "account 010000000100187", "sta"),
    ('dob="2500"', 'dob="-2500"', "account 010000000100187", "dob"),
    ('dob="2500" ', "", "account 010000000100187", "dob"),
    ('rn="010000000100187"', 'rn="1"', "account 1", "rn"),
    ('rn="010000000100187" ', "", "account (no id)", "rn"),
    ('bre="75"', 'bre="1e3"', "account 010000000100672", "bre"),
]

ANSWER_VIOLATIONS = [
    # Section 4.1.1, in the order of its rows.
    ('iErr="1" ', "", HEAD, "iErr"),
    ('iErr="1"', 'iErr="one"', HEAD, "iErr"),
    ('iErr="1"', f'iErr="{"9" * 5000}"', HEAD, "iErr"),
    ('iWrn="1"', 'iWrn="-1"', HEAD, "iWrn"),
    ('blokId="O-330"', f'blokId="{"x" * 37}"', f"the row about {'x' * 37} / event 2", "blokId"),
    ('id="12"', 'id="twelve"', "the row about O-330 / event 2", "id"),
    ('vrsta="ERR"', 'vrsta="FATAL"', "the row about O-330 / event 2", "vrsta"),
    ("<Opis>Dogodek", f"<Opis>{'x' * 500}Dogodek", "the row about O-330 / event 2", "Opis"),
]


@pytest.mark.parametrize(
    ("sample", "schema", "old", "new", "record", "field"),
    [
        (sample, schema, *violation)
        for sample, schema, violations in (
            (NODURS_SAMPLE, "nodurs-20100601.xsd", NODURS_VIOLATIONS),
            (SPAPP_SAMPLE, "spapp-20100601.xsd", SPAPP_VIOLATIONS),
            (ANSWER_SAMPLE, "blokodgovor.xsd", ANSWER_VIOLATIONS),
        )
        for violation in violations
    ],
)
def test_each_violation_is_explained_with_the_name_of_its_record(
    check: Check, tmp_path: Path, sample: bytes, schema: str, old: str, new: str, record: str, field: str
) -> None:
    """Whoever has to mend the file finds the record, not a line of a file without lines."""
    checked = check(changed(sample, old, new))
    assert checked.rules == {"schema"}
    assert (record, field) in {(error.record, error.field) for error in checked.errors}
    assert all(error.message and error.remedy for error in checked.errors)
    assert not any("{http" in error.message for error in checked.errors)
    assert complaints(tmp_path / "file.xml", schema) != ""


@pytest.mark.parametrize("text", [" 2026-11-03T10:00:00", "2026-11-03T10:00:00 "])
def test_what_only_the_fast_validator_minds_is_named_too(check: Check, text: str) -> None:
    """xmlschema takes blanks around a time, libxml2 does not: the clerk still gets the record."""
    (error,) = check(changed(NODURS_SAMPLE, 'dtVpis="2026-11-03T10:00:00"', f'dtVpis="{text}"')).errors
    assert error.record == EVENT
    assert "dtVpis" in error.message


def test_many_broken_records_are_counted_and_not_all_shown(check: Check) -> None:
    """A file with a fault in every record is explained by examples."""
    debtor = (
        '<Dolznik davcna="1"><Naziv>x</Naziv><Tr rn="010000000100478"><Blok id="O" izdajatelj="2">'
        '<No id="1" sSpre="01" dSpre="2026-11-03" znesek="1" dtVpis="2026-11-03T10:00:00"/>'
        "</Blok></Tr></Dolznik>"
    )
    checked = check(changed(NODURS_SAMPLE, "</Nodurs>", debtor * 300 + "</Nodurs>"))
    assert 1 <= len(checked.errors) <= 100
    assert {error.record for error in checked.errors} == {"debtor 1"}


def test_a_late_violation_is_found_behind_much_that_is_right(check: Check) -> None:
    """A file is judged to its end, not by its first block."""
    rows = "".join(f'<Pi sta="1" dob="0" rn="{number:015d}" bre="0"/>' for number in range(5_000))
    content = changed(SPAPP_SAMPLE, "</Spapp>", rows + '<Pi sta="x" dob="0" rn="9" bre="0"/></Spapp>')
    assert {error.record for error in check(content).errors} == {"account 9"}


def test_broken_and_cut_off_is_said_as_cut_off(check: Check) -> None:
    """Half a file with a fault in it is fetched again first."""
    content = changed(NODURS_SAMPLE, 'izdajatelj="2"', 'izdajatelj="x"')[:-30]
    assert [error.rule for error in check(content).errors] == ["xml"]


@pytest.mark.parametrize(
    ("written", "wrong", "told"),
    [
        ('znesek="', 'znesek="x', "znesek is 'x"),
        ('steviloZapisov="2"', "", "steviloZapisov is missing"),
        ("</Ident>", "</Ident><Idet/>", "element Idet has no place here"),
        ("<Ident ", '<Ident foo="1" ', "attribute foo has no place here"),
    ],
)
def test_the_commonest_breaches_have_words_of_our_own(
    check: Check, written: str, wrong: str, told: str
) -> None:
    """Protects a clerk from the English of the validators."""
    findings = check(changed(NODURS_SAMPLE, written, wrong)).findings
    assert any(finding.message.startswith(told) for finding in findings), findings
