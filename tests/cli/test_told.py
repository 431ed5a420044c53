"""`--json` holds all that the same command says in words."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.shipped import sample
from ajpes_reporting.workspace import complete_workspace

_HEADINGS = """
prepared records bytes file SHA-256 the raw reply see it with ajpes-reporting show --reply --attempt
What happened when state why Our own findings severity record field what do AJPES says code text event /
superseded by submission obligation id
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose submission 2 AJPES has refused for one record; an obligation is left out of it."""
    folder = tmp_path_factory.mktemp("told") / "bank"
    today = datetime.now(LJUBLJANA).date()
    with Sandbox(folder / "authority") as authority:
        authority.write_settings(folder / "ajpes.toml")
        complete_workspace(folder)
        _call(
            folder, "ledger", "import", str(sample("ledger/accounts.csv")), str(sample("ledger/events.csv"))
        )
        _call(folder, "run", "nodurs", "--date", (today - timedelta(days=1)).isoformat())
        known = "NODURS_20261104_5860571.xml"
        known_to_ajpes = authority.folder / "nodurs" / "v_ajpes" / known
        known_to_ajpes.write_bytes(sample(f"reports/{known}").read_bytes())
        authority.process_now()
        _call(folder, "ledger", "import", str(sample("ledger/events-day-two.csv")))
        _call(folder, "ledger", "exclude", "O-301", "--reason", "a court is asked")
        assert run(["-w", str(folder), "run", "nodurs", "--date", today.isoformat()]) == 4
    yield folder


def test_the_document_of_a_submission_holds_all_that_show_says(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs that stand in for a person: history, findings, files and what AJPES says are all in it."""
    document, said = _both(refused, ["show", "2"], capsys)
    told = _told(document)
    missing = [word for word in _words(said) if word not in told and word not in _HEADINGS.split()]
    assert missing == [], said


def test_the_document_of_the_state_holds_what_is_due_and_what_to_do(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page beside the command line: the same words for what is due, how it stands, and what to do."""
    document, said = _both(refused, ["status"], capsys)
    for item in document["due"]:
        assert item["standing"] in said
    assert [item["to_do"] for item in document["submissions"]] == [
        "see show 2, correct, resubmit 2 (or --same)",
        "",
    ]


def test_what_is_told_of_a_submission_is_told_in_the_readers_language(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Slovene clerk: moments as he writes them, while a program reads the same document in any language."""
    capsys.readouterr()
    _call(refused, "--lang", "sl", "show", "2")
    today = datetime.now(LJUBLJANA).date()
    assert f"{today.day}. {today.month}. {today.year} ob " in capsys.readouterr().out
    _call(refused, "--lang", "sl", "--json", "show", "2")
    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["history"][0]["state"]) == ("refused", "prepared")
    assert document["history"][0]["at"].startswith(today.isoformat())


def _both(folder: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    capsys.readouterr()
    _call(folder, *command)
    said = capsys.readouterr().out
    _call(folder, "--json", *command)
    return json.loads(capsys.readouterr().out), said


def _call(folder: Path, *arguments: str) -> None:
    assert run(["-w", str(folder), *arguments]) == 0, arguments


def _words(text: str) -> list[str]:
    return [_bare(word) for word in text.split() if re.search(r"\w|/", word)]


def _bare(word: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3})", "", word).strip(".,:()`")


def _told(document: object) -> set[str]:
    """Every word of every value, and of every key that names one; moments also as a person reads them."""
    if isinstance(document, dict):
        return set().union(*({name} | _told(value) for name, value in document.items()))
    if isinstance(document, list):
        return set().union(*map(_told, document)) if document else set()
    text = str(document)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return set(_words(text))
    day: date = moment.date()
    return {text, day.isoformat(), f"{moment:%H:%M}"}
