"""Files that are no CSV of ours: told in words, by exit code and as JSON, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.ledger import csvfile
from ajpes_reporting.ledger.kinds import EVENTS, POSTINGS

HEADER = ",".join(POSTINGS.columns).encode()
ROW = b"P-1,010000000100575,2026-11-17,100\n"
EVENT_HEADER = ",".join(EVENTS.columns).encode()


@pytest.fixture
def take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Imports a file twice, for a person and for a program; gives the exit code, stderr and the document."""
    folder = tmp_path / "ws"
    assert run(["init", str(folder)]) == 0
    monkeypatch.setenv("AJPES_WORKSPACE", str(folder))
    capsys.readouterr()

    def taken(path: Path) -> tuple[int, str, dict[str, Any]]:
        code = run(["ledger", "import", str(path)])
        said = capsys.readouterr()
        assert run(["ledger", "import", str(path), "--json"]) == code
        return code, said.err, json.loads(capsys.readouterr().out)

    return taken


REFUSED: dict[str, tuple[bytes, str]] = {
    "a quotation mark within a value": (b'obligation_id,"is"suer,x\n', "is not CSV"),
    "a name of the header too long": (b"obligation_id," + b"a" * 131_073 + b"\n", "more than 131,072"),
    "a quotation mark that is not closed": (b'obligation_id,"issuer\n' + ROW * 9, "not CSV"),
    "the same, and a long file": (b'obligation_id,"issuer\n' + ROW * 9_999, "more than 131,072"),
    "a value too long": (HEADER + b"\n" + b"a" * 131_073 + b",b,c,d\n", "more than 131,072"),
    "NUL in the header": (HEADER.replace(b"account", b"acc\0unt") + b"\n" + ROW, "NUL"),
    "NUL in a row": (HEADER + b"\nP\0-1,010000000100575,2026-11-17,100\n", "U+0000"),
    "UTF-16 without one": ((HEADER + b"\n" + ROW).decode().encode("utf-16-le"), "UTF-16"),
    "UTF-32": ((HEADER + b"\n" + ROW).decode().encode("utf-32"), "UTF-32"),
    "not UTF-8 at the very end": (HEADER + b"\n" + ROW + b"\xc5", "0xC5"),
    "nothing": (b"", "no column"),
    "blanks": (b" \n \n", "no column"),
    "a mark alone": (b"\xef\xbb\xbf", "no column|cut off"),
    "a column twice": (HEADER + b",account\n", "more than once"),
    "a column without a name": (b"," + HEADER + b"\n", "without a name"),
    "a thousand columns": (HEADER + b"".join(b",c%d" % n for n in range(1000)) + b"\n", "980 more"),
    "a long name": (HEADER + b"," + b"x" * 1000 + b"\n", "x" * 40 + "…"),
    "a line without end": (HEADER + b"\n" + b"1," * 3_000_000, "bytes"),
    "a header without end": (b"1," * 3_000_000, "bytes"),
    "one byte 0xFF and no line": (b"\xff" * 6_000_000, "not UTF-8|UTF-16"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "not UTF-8"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(range(256)), "not UTF-8"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_none_of_ours_is_refused_in_words(
    take: Any, tmp_path: Path, content: bytes, said: str
) -> None:
    """For a clerk and for a program: exit code 3, what is wrong, what to do."""
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    code, err, document = take(path)
    assert code == 3
    assert any(part in err for part in said.split("|"))
    assert "Do: " in err
    assert len(err) < 3000
    assert document["exit_code"] == 3
    assert document["error"]["remedy"]
    told = [document["error"]["message"], *(found["message"] for found in document["error"]["findings"])]
    assert any(part in text for part in said.split("|") for text in told)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" * 2 + HEADER + b"\n", HEADER + b"\n", HEADER + b"\r", HEADER + b"\r\n\r\n",
        b"\xef\xbb\xbf" + b'"posting_id",account,booked_on,amount_cents\n',
    ],
)  # fmt: skip
def test_what_some_programs_write_is_read(take: Any, tmp_path: Path, content: bytes) -> None:
    """Two marks of UTF-8, a file with nothing but its header, the line ends of every system."""
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    code, _err, document = take(path)
    assert code == 0
    assert [(each["kind"], each["rows"]) for each in document] == [("postings", 0)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "a folder"), (os.mkfifo, "a pipe or a device"),
        (lambda path: path.symlink_to("/dev/zero"), "a pipe or a device"),
        (lambda path: path.symlink_to("/dev/null"), "a pipe or a device"),
        (lambda path: path.symlink_to(path), "links"), (lambda path: None, "No such file"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_not_read(
    take: Any, tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    """A slip with a path neither hangs nor fills memory: exit code 2."""
    path = tmp_path / "file.csv"
    make(path)
    code, err, document = take(path)
    assert (code, document["exit_code"]) == (2, 2)
    assert said in err


def test_a_line_of_a_hundred_megabytes_takes_no_memory(tmp_path: Path) -> None:
    """It is given up after four."""
    path = tmp_path / "file.csv"
    with path.open("wb") as file:
        file.write(HEADER + b"\n" + b"P-1,")
        file.truncate(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with closing(csvfile.rows(path, POSTINGS)) as lines:
        (finding,) = lines
    assert "more than 4,194,304 bytes" in finding.message  # type: ignore[union-attr]
    assert finding.line == 2  # type: ignore[union-attr]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10  # KiB


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    """It is looked at twice: for its kind, and for its rows."""
    path = tmp_path / "file.csv"
    with closing(csvfile.rows(path, POSTINGS)) as lines, pytest.raises(UsageError, match="cannot be read"):
        list(lines)
    path.write_bytes(EVENT_HEADER + b"\n")
    with closing(csvfile.rows(path, POSTINGS)) as lines, pytest.raises(LedgerRefused, match="is not known"):
        list(lines)
