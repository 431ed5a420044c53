"""Files that are no XML, or not XML that we take: always a finding, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.check.conftest import ANSWER_SAMPLE, NODURS_SAMPLE, SPAPP_SAMPLE, Check, changed, check_path

SAMPLES = {"nodurs": NODURS_SAMPLE, "spapp": SPAPP_SAMPLE, "answer": ANSWER_SAMPLE}
NAMESPACE = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"

_LETTERS = "abcdefghij"
BOMB = (
    f'<!ENTITY a "{"x" * 1000}">'
    + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 30}">'
        for before, after in pairwise(_LETTERS)
    )
)  # fmt: skip
DOCTYPES = {
    "plain": "<!DOCTYPE Nodurs>",
    "system": '<!DOCTYPE Nodurs SYSTEM "file:///etc/hostname">',
    "entity": '<!DOCTYPE Nodurs [<!ENTITY j SYSTEM "file:///etc/hostname">]>',
    "parameter entity": '<!DOCTYPE Nodurs [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
    "bomb": f"<!DOCTYPE Nodurs [{BOMB}]>",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_half_a_file_is_always_an_error(name: str, check: Check) -> None:
    """A file that was cut off on its way must not be taken for a smaller one."""
    sample = SAMPLES[name]
    whole = len(sample.rstrip())
    for length in {*range(0, whole, 50), *range(whole - 20, whole)}:
        assert not check(sample[:length]).ok, f"cut after {length} bytes"


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_broken_byte_ends_in_a_traceback(name: str, check: Check, data: st.DataObject) -> None:
    """Whatever a disk or a line does to a file, the clerk gets a finding."""
    content = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(content))


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_at_all_is_refused_in_words(check: Check, content: bytes) -> None:
    """Somebody will check a spreadsheet or a picture."""
    assert not check(content).ok


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("body", ["<Nodurs/>", "<Nodurs>&j;</Nodurs>", '<Nodurs a="&j;"/>'])
@pytest.mark.parametrize("doctype", DOCTYPES)
def test_a_doctype_is_refused(check: Check, doctype: str, body: str, encoding: str) -> None:
    """Every attack by entities begins with a DOCTYPE; nothing of AJPES's has one."""
    document = f'<?xml version="1.0" encoding="{encoding}"?>{DOCTYPES[doctype]}{body}'
    checked = check(document.encode(encoding))
    assert checked.refused
    assert "localhost" not in str(checked.findings)


def test_a_doctype_behind_much_white_space_is_refused(check: Check) -> None:
    """The DOCTYPE need not be in the first block that is read."""
    content = b'<?xml version="1.0"?>' + b" " * 100_000 + b"<!DOCTYPE Nodurs>" + NODURS_SAMPLE[39:]
    assert "DOCTYPE" in check(content).findings[0].message


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    """Billions of laughs, and the machine goes on working."""
    path = tmp_path / "bomb.xml"
    path.write_text(f'{DOCTYPES["bomb"]}<Nodurs xmlns="{NAMESPACE}" a="&j;">&j;</Nodurs>')
    program = (
        "import re, sys, pathlib; from tests.check.conftest import check_path;"
        "print(bool(check_path(pathlib.Path(sys.argv[1])).refused),"
        r"re.search(r'VmHWM:\s+(\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], check=True, capture_output=True, text=True, timeout=60
    )
    refused, kibibytes = done.stdout.split()
    assert refused == "True"
    assert int(kibibytes) < 300_000


def test_an_entity_that_nobody_declared_is_an_error(check: Check) -> None:
    """Text must not vanish from a name because it looked like an entity."""
    checked = check(changed(NODURS_SAMPLE, "Pekarna Orel", "Pekarna &Orel;"))
    assert [error.rule for error in checked.errors] == ["xml"]
    assert "Orel" in checked.errors[0].message


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hello", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"<?xml version='1.0'?>", b"\xef\xbb\xbf"],
)
def test_what_is_no_xml_is_refused(check: Check, content: bytes) -> None:
    """An empty file or an archive is told apart from a report with faults."""
    checked = check(content)
    assert "is not XML" in checked.refused
    assert [finding.rule for finding in checked.findings] == ["xml"]


@pytest.mark.parametrize("root", ["html", "Nodur", "nodurs", "NODURS", "Envelope"])
def test_a_document_of_another_kind_is_named(check: Check, root: str) -> None:
    """An error page saved as a report is recognised as what it is."""
    assert f"a {root} document" in check(f"<{root}><body/></{root}>".encode()).refused


@pytest.mark.parametrize(
    ("sample", "old", "new"),
    [
        (NODURS_SAMPLE, "nodurs-20100601", "nodurs-20200101"),
        (NODURS_SAMPLE, f' xmlns="{NAMESPACE}"', ""),
        (SPAPP_SAMPLE, "spapp/spapp-20100601", "nodurs/nodurs-20100601"),
    ],
)
def test_a_wrong_namespace_is_one_clear_finding(check: Check, sample: bytes, old: str, new: str) -> None:
    """With another namespace every element is wrong; one finding says it, not a thousand."""
    (finding,) = check(changed(sample, old, new)).findings
    assert (finding.is_error, finding.field) == (True, "xmlns")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</Nodurs>", "</Nodurs><Nodurs/>"),
        ("</Nodurs>", "</Nodurs>rest"),
        ("</Blok>", "</Block>"),
        ("Pekarna", "\x01"),
        ("Pekarna", "&#1;"),
        ("Pekarna", "\ufffe"),
        ('prior="1"', 'prior="1" prior="1"'),
        ('encoding="UTF-8"', 'encoding="klingon"'),
        ('encoding="UTF-8"', 'encoding="UTF-16"'),
    ],
)
def test_xml_that_is_not_well_formed_is_an_error(check: Check, old: str, new: str) -> None:
    """No parser of the authority would take it, so it does not leave."""
    checked = check(changed(NODURS_SAMPLE, old, new))
    assert [finding.rule for finding in checked.findings][-1:] == ["xml"]
    assert not checked.ok


def test_bytes_of_another_encoding_are_an_error(check: Check) -> None:
    """A file in windows-1250 that calls itself UTF-8 is not guessed at."""
    content = changed(NODURS_SAMPLE, "Pekarna", "Žaga").decode().encode("windows-1250")
    assert [error.rule for error in check(content).errors] == ["xml"]


@pytest.mark.parametrize("size", [1_000_000, 9_000_000, 12_000_000])
def test_an_enormous_value_is_an_error_that_can_be_read(check: Check, size: int) -> None:
    """A value of millions of characters does not fill the clerk's screen or the journal."""
    checked = check(changed(NODURS_SAMPLE, 'id="O-330"', f'id="{"x" * size}"'))
    assert not checked.ok
    assert all(len(str(finding)) < 1_000 for finding in checked.findings)


@pytest.mark.parametrize("depth", [100, 250, 300, 100_000])
def test_deep_nesting_is_an_error(check: Check, depth: int) -> None:
    """A document as deep as a well must not exhaust the stack."""
    deep = f"{'<a>' * depth}{'</a>' * depth}"
    assert not check(changed(NODURS_SAMPLE, "<Upnik", f"{deep}<Upnik")).ok
    assert not check(f'<Nodurs xmlns="{NAMESPACE}">{deep}</Nodurs>'.encode()).ok


def test_a_folder_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A slip in the name of the file is told, not thrown."""
    assert "is not XML" in check_path(tmp_path).refused
    assert "is not XML" in check_path(tmp_path / "nothing.xml").refused


def test_nothing_is_fetched_for_a_schema_location(check: Check) -> None:
    """A document does not choose what its reader downloads: this one names a port nobody serves."""
    located = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{NAMESPACE} http://127.0.0.1:9/x.xsd" '
    )
    assert check(changed(NODURS_SAMPLE, "<Nodurs ", f"<Nodurs {located}")).findings == ()
    broken = changed(NODURS_SAMPLE, 'prior="1"', 'prior="x"')
    assert {
        finding.rule for finding in check(changed(broken, "<Nodurs ", f"<Nodurs {located}")).findings
    } == {"schema"}
