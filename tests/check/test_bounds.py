"""A stranger's document is read in bounded time and memory, whoever explains it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import poison
from tests.check.conftest import NODURS_SAMPLE, Check, changed

# Of a process of its own, which has loaded nothing before. The time is a processor's, and generous: today's
# code took minutes, or never ended.
_MOST_SECONDS = 5.0
_MOST_MIB = 200

_PROGRAM = """
import json, pathlib, re, sys, time
from tests.check.conftest import check_path
begun = time.process_time()
checked = check_path(pathlib.Path(sys.argv[1]))
used = time.process_time() - begun
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss would tell of whoever started it, too
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024
words = [checked.refused, *(finding.message for finding in checked.errors)]
print(json.dumps([used, peak, [text for text in words if text]]))
"""


def explained(path: Path) -> list[str]:
    """What a check says of a file, within the bounds."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, path], check=True, capture_output=True, text=True, timeout=120
    )
    seconds, mib, words = json.loads(done.stdout)
    assert seconds < _MOST_SECONDS
    assert mib < _MOST_MIB
    return list(words)


@pytest.mark.parametrize("name", poison.LARGE)
def test_a_file_that_would_take_minutes_or_gigabytes_is_refused_at_once(tmp_path: Path, name: str) -> None:
    """One small letter does not hold up a bank's machine, and is still told in words."""
    (path := tmp_path / "file.xml").write_bytes(poison.as_bytes(poison.LARGE[name]()))
    words = explained(path)
    assert words
    assert all(len(text) < 1_000 for text in words)


@pytest.mark.parametrize("name", poison.LOOSE)
def test_what_is_read_nevertheless_is_still_an_error(check: Check, name: str) -> None:
    """Whoever makes answers is told where they break their schema, however much of them counts."""
    checked = check(poison.LOOSE[name][0].encode())
    assert not checked.ok
    assert all(str(finding) for finding in checked.findings)


@pytest.mark.parametrize("count", [2_000, 3_000, 5_000])
def test_attributes_beyond_measure_are_counted_and_not_explained(check: Check, count: int) -> None:
    """The cube of them took minutes."""
    many = " ".join(f'a{number}="1"' for number in range(count))
    (error,) = check(poison.answer(f"{poison.IDENT} {many}").encode()).errors
    assert error.record == "the head of the file"
    assert error.message == f"element Ident has {count + 5:,} attributes, its schema knows 5"


def test_a_few_attributes_too_many_are_each_explained(check: Check) -> None:
    """What a person may have written is still told in full."""
    errors = check(changed(NODURS_SAMPLE, 'prior="1"', 'prior="1" prva="1" druga="2"')).errors
    assert {error.record for error in errors} == {"O-330 / event 1"}
    assert "prva" in " ".join(error.message for error in errors)


def test_one_wrong_event_of_a_debtor_with_thousands_is_named(check: Check) -> None:
    """The largest debtor of a bank has a file's worth of events under his name."""
    row = (
        '<No id="{0}" sSpre="01" dSpre="2026-11-03" znesek="{1}" dtVpis="2026-11-03T10:00:00" prior="1">'
        '<Upnik rn="020450000123478"><Naziv>Center</Naziv></Upnik></No>'
    )
    rows = "".join(row.format(number, 1 if number != 1_700 else "x") for number in range(2, 2_000))
    assert {error.record for error in check(changed(NODURS_SAMPLE, "</Blok>", f"{rows}</Blok>")).errors} == {
        "O-330 / event 1700"
    }


def test_a_wrong_record_behind_more_than_can_be_looked_through_is_named(check: Check) -> None:
    """What the fast validator has found right is not looked through again."""
    right, wrong = (
        '<Dolznik davcna="{}"><Naziv>x</Naziv><Tr rn="010000000100478"><Blok id="{}" izdajatelj="{}">'
        '<No id="1" sSpre="01" dSpre="2026-11-03" znesek="1" dtVpis="2026-11-03T10:00:00"/>'
        "</Blok></Tr></Dolznik>".format(34567399, "{}", issuer)
        for issuer in (2, 9)
    )
    rows = "".join(right.format(number) for number in range(6_000)) + wrong.format("bad")
    assert {
        error.record for error in check(changed(NODURS_SAMPLE, "</Nodurs>", rows + "</Nodurs>")).errors
    } == {"bad"}


@pytest.mark.parametrize("name", {**poison.UNREADABLE, **poison.UNMATCHED})
def test_whatever_is_checked_ends_with_words(check: Check, name: str) -> None:
    """Bad input never gives a traceback: a cut-off namespace, braces in it, a type that nobody knows."""
    content = {**poison.UNREADABLE, **poison.UNMATCHED}[name]
    checked = check(poison.as_bytes(content))
    assert checked.ok == (name in poison.UNMATCHED)
    assert all(str(finding) for finding in checked.findings)


@pytest.mark.parametrize("namespace", ["urn:a", "a}b{c", "{", "}", "x" * 10_000])
def test_a_namespaced_answer_cut_off_anywhere_ends_with_words(check: Check, namespace: str) -> None:
    """Half a file is the most frequent of all broken files."""
    whole = poison.answer(rows=poison.row(text="x"), root=f'xmlns="{namespace}"').encode()
    assert check(whole).ok or "xmlns" in str(check(whole).findings)
    for cut in range(0, len(whole), max(1, len(whole) // 60)):
        assert not check(whole[:cut]).ok
