"""Files that are no report at all: each is answered, none does harm."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.conftest import SCHEMAS, Deliver, answers, findings, ident
from tests.sandbox.letters import debtor, event, nodurs, obligation, one

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lxml import etree

GOOD = one(event("1"), count=1, total=10000)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "dokument se konča pred koncem korenskega elementa (vrstica 1, stolpec 1)."),
        (
            b"<html><body>503</body></html>",
            "kontrolni shemi XSD: korenski element je html, ki ga shema ne pozna.",
        ),
        (GOOD[:-30].encode(), "oznaka ni zaključena (vrstica 1, "),
        ((LAUGHS + GOOD).encode(), "DOCTYPE"),
        ((LAUGHS + GOOD).encode("utf-16"), "DOCTYPE"),
        (GOOD.encode("cp1250"), "znak na tem mestu ni dovoljen"),
        (b"<a>" * 5000 + b"</a>" * 5000, "kontrolni shemi"),
        (
            GOOD.replace('sSpre="01"', 'sSpre="1"').encode(),
            "podatek No/sSpre ima vrednost »1«, ki ne ustreza vzorcu [0-9]{2}.",
        ),
        (
            GOOD.replace('id="O-1"', f'id="{"O" * 37}"').encode(),
            "podatek Blok/id je predolg (dolžina 37, največ 36).",
        ),
        (GOOD.replace('dSpre="', 'dSpre="x').encode(), "ki ni veljavna za tip Datum."),
        (GOOD.replace('znesek="', 'znesk="').encode(), "podatek znesk v elementu No ni dovoljen."),
        (GOOD.replace("</Blok>", "</Tr>").encode(), "začetna in končna oznaka se ne ujemata (vrstica 1, "),
        (GOOD.replace("<Upnik", "<Upnik/><Upnik").encode(), "v elementu Upnik manjka podatek rn."),
        (GOOD.replace("5860571000", "1572814000").encode(), "ni številka ponudnika, ki podatke oddaja"),
        (
            GOOD.replace('datumPodatkov="2026-11-17"', 'datumPodatkov="2026-11-16"').encode(),
            "Obdobje v imenu",
        ),
    ],
)
def test_what_is_no_report_is_refused_with_a_reason(
    sandbox: Sandbox, put: Callable[[str, bytes], etree._Element], content: bytes, said: str
) -> None:
    """The operator: every file gets an answer in the right form, about the period in its name."""
    answer = put("NODURS_20261117_5860571.xml", content)
    assert said in findings(answer, "ERR")[0][2]
    about = ident(answer)
    assert (about["maticnaPonudnika"], about["datumPodatkov"]) == ("5860571000", "2026-11-17")
    assert sandbox.store.events() == []


def test_a_report_in_utf_16_is_read(deliver: Deliver, put: Callable[[str, bytes], etree._Element]) -> None:
    """Banks that follow the printed sample to the letter."""
    whole = '<?xml version="1.0" encoding="utf-16"?>' + GOOD
    assert findings(put("NODURS_20261117_5860571.xml", whole.encode("utf-16")), "ERR") == []


def test_seven_digits_mean_the_main_unit(deliver: Deliver) -> None:
    """Banks that write their registration number short."""
    assert findings(deliver(GOOD.replace("5860571000", "5860571")), "ERR") == []


def test_a_file_named_for_another_provider_is_refused(
    put: Callable[[str, bytes | str], etree._Element],
) -> None:
    """The operator: name and content must agree."""
    answer = put("NODURS_20261117_1572814.xml", GOOD)
    assert "v imenu datoteke (1572814)" in findings(answer, "ERR")[0][2]


@pytest.mark.parametrize(
    "name",
    ["NODURS_20261117_5860571.xml.part", "nodurs_20261117_5860571.xml", "NODURS_20261399_5860571.xml",
     "NODURS_20261117_58605710.xml", "SPAPP_202610_5860571.xml", ".NODURS_20261117_5860571.xml"],
)  # fmt: skip
def test_files_with_other_names_are_left_alone(sandbox: Sandbox, name: str) -> None:
    """A client that uploads under another name first."""
    path = sandbox.folder / "nodurs" / "v_ajpes" / name
    path.write_text(GOOD)
    sandbox.process_now()
    assert path.exists()
    assert sandbox.store.submissions() == []


def test_texts_of_answers_have_at_most_500_characters(deliver: Deliver) -> None:
    """Clients with a column of that width (section 4.1.1, row 11)."""
    answer = deliver(GOOD.replace('dSpre="2026-11-17"', f'dSpre="{"x" * 3000}"'))
    assert len(findings(answer, "ERR")[0][2]) == 500


def test_xmllint_finds_the_answer_valid(sandbox: Sandbox, deliver: Deliver) -> None:
    """Clients on other libraries than ours."""
    if not (xmllint := shutil.which("xmllint")):
        pytest.skip("install libxml2-utils")
    deliver(one(event("1", sSpre="55"), event("1"), count=3, total=1))
    (answer,) = answers(sandbox, "nodurs")
    schema = SCHEMAS / "blokodgovor.xsd"
    done = subprocess.run([xmllint, "--noout", "--schema", schema, answer], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    """The authority's disk."""
    with Sandbox(tmp_path / "ajpes", largest_bytes=100, poll_seconds=None) as sandbox:
        (sandbox.folder / "nodurs" / "v_ajpes" / "NODURS_20261117_5860571.xml").write_text(GOOD)
        sandbox.process_now()
        assert sandbox.store.submissions()[0].verdict == "refused"


def test_a_large_report_needs_little_memory(tmp_path: Path) -> None:
    """A laptop: ten times the events must not need ten times the memory.

    The peak is that of a process that does nothing else; what rusage tells includes its parent.
    """
    small, large = (_peak_kib(tmp_path / str(size), size) for size in (3_000, 30_000))
    assert large - small < 6_000


def _peak_kib(folder: Path, size: int) -> int:
    incoming = folder / "folders" / "5860571000" / "nodurs" / "v_ajpes"
    incoming.mkdir(parents=True)
    blocks = [obligation(f"O-{at}", event("1")) for at in range(size)]
    report = nodurs(debtor(*blocks), count=size, total=size * 10000)
    (incoming / "NODURS_20261117_5860571.xml").write_text(report)
    script = f"""
from pathlib import Path
from ajpes_reporting.sandbox import Sandbox
with Sandbox(Path({str(folder)!r}), poll_seconds=None) as sandbox:
    sandbox.process_now()
    assert sandbox.store.submissions()[0].verdict == "accepted", sandbox.store.submissions()
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""
    root = SCHEMAS.parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
