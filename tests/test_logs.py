"""The log: what a program and a person read of it, and what must never stand in it."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting import logs
from tests.domain.test_masking import around, numbers, spoken, survives, ways

LOG = logging.getLogger("ajpes_reporting.tests")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Logging, and what happens to faults, are as they were."""
    root, ours, hook = logging.getLogger(), logging.getLogger(logs.OURS), sys.excepthook
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    sys.excepthook = hook
    logging.captureWarnings(False)


def configured(format: str = "text", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(format, level, ["5860571000"], stream)
    root = logging.getLogger()  # pytest listens, too, and stumbles over wrong arguments
    root.handlers[:] = [each for each in root.handlers if isinstance(each, logs.MaskingHandler)]
    return stream


@pytest.mark.parametrize("format", ["text", "json"])
@given(number=numbers, way=ways, words=around)
def test_no_number_survives_in_any_part_of_a_line(format: str, number: str, way: str, words: str) -> None:
    """Message, arguments, exception, its cause, extra fields: whoever wrote it, it is masked."""
    stream = configured(format)
    text = f"{words} {spoken(number, way)} {words}"
    LOG.info(text.replace("%", ""))
    LOG.info("an argument: %s", text)
    LOG.info("in an entry: %(entry)s", {"entry": text})
    LOG.info("extra", extra={"detail": text, "many": [text, {text: text}]})
    LOG.info("wrong %d arguments", text)
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(text) from error
    except ValueError:
        LOG.exception("failed", stack_info=True)
    shown = stream.getvalue()
    assert shown.count("Traceback") == 2
    # Digits at the end of one line and the time on the next are no number together.
    lines = [_without_time(line, format) for line in shown.splitlines()]
    assert [line for line in lines if survives(number, line)] == []


def _without_time(line: str, format: str) -> str:
    if format == "json":
        return str({key: value for key, value in json.loads(line).items() if key != "time"})
    return re.sub(r"^\d{4}-\d\d-\d\dT\S+ ", "", line)


@given(st.sampled_from(["name", "debtor_name", "creditor_name", "holder_name"]))
def test_a_name_as_a_field_is_hidden(field: str) -> None:
    """A name follows no pattern; the key says that it is one. (`name` itself logging keeps for its own.)"""
    stream = configured("json")
    extra = {"row": {field: "Ana Novak"}} if field == "name" else {field: "Ana Novak"}
    LOG.warning("x", extra=extra)
    assert "Novak" not in stream.getvalue()


def test_a_line_of_json_has_time_level_and_the_fields() -> None:
    """A log collector finds them under fixed names; the time says which zone it is in."""
    stream = configured("json")
    LOG.info("NODURS for %s was accepted.", "2026-11-17", extra={"provider": "5860571000", "submission": 12})
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    at = datetime.fromisoformat(entry.pop("time"))
    assert at.utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    assert entry == {
        "level": "info", "logger": "ajpes_reporting.tests", "message": "NODURS for 2026-11-17 was accepted.",
        "provider": "5860571000", "submission": 12,
    }  # fmt: skip


def test_a_line_of_text_is_one_line_with_time_and_offset() -> None:
    """A person reads it in the journal of systemd, and greps for a field."""
    stream = configured()
    LOG.warning("It waits.", extra={"period": "2026-11-17", "detail": "no route\nto host", "state": None})
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00 WARNING It waits\. "
    assert re.fullmatch(
        pattern + r'period=2026-11-17 detail="no route\\nto host" state=null\n', stream.getvalue()
    )


def test_nobody_can_forge_a_second_line() -> None:
    """A text from outside with a line break in it does not look like a line of ours."""
    stream = configured()
    LOG.info("answer %s", "x\n2026-11-17T18:00:00+01:00 INFO NODURS was accepted.\x1b[2J")
    try:
        raise ValueError("x\n2026-11-17T18:00:00+01:00 INFO NODURS was accepted.\x1b[2J")
    except ValueError:
        LOG.exception("failed")
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if re.match("20.* INFO", line)] == lines[:1]
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_strangers_text_acts_on_no_terminal(format: str) -> None:
    """Whoever reads the log with `less -R` or `journalctl` obeys nobody's name or answer."""
    stream = configured(format)
    evil = "\x9b31m\u202e\u2028\u200b\ufeff\x1b[2J\r\ud800"
    LOG.warning("answer %s", evil, extra={"detail": evil, "many": [evil, {evil: evil}]})
    try:
        raise ValueError(evil)
    except ValueError:
        LOG.exception("failed")
    assert stream.getvalue().replace("\n", "").isprintable()


def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    """At debug, httpx tells addresses and zeep the whole message with its password."""
    stream = configured(level="debug")
    for name in ("httpx", "httpcore", "zeep.transports", "paramiko", "procrastinate"):
        logging.getLogger(name).info("POST https://host/?token=secret")
        logging.getLogger(name).warning("slow https://user:secret@host/?token=secret")
    LOG.debug("ours")
    assert "secret" not in stream.getvalue()
    assert stream.getvalue().count("WARNING") == 5
    assert "ours" in stream.getvalue()


def test_the_level_keeps_lesser_lines_away() -> None:
    """Who sets `error` is not told of each quiet day."""
    stream = configured(level="error")
    LOG.info("quiet")
    LOG.warning("waits")
    logging.getLogger("paramiko").warning("slow")
    assert stream.getvalue() == ""


def test_configured_twice_it_still_writes_once() -> None:
    """Two commands in one process do not double each line."""
    configured()
    stream = configured()
    LOG.info("once")
    assert stream.getvalue().count("once") == 1


def test_others_get_the_record_as_it_is() -> None:
    """Masking belongs to our lines; a record is shared with other handlers."""
    configured()
    record = LOG.makeRecord("x", logging.INFO, "f", 1, "account %s", ("010000000100187",), None)
    logging.getLogger().handle(record)
    assert record.args == ("010000000100187",)


def test_a_line_that_cannot_be_written_tells_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """logging itself would show message and arguments on stderr, unmasked."""
    configured().close()
    LOG.info("account %s", "010000000100187")
    assert "010000" not in capfd.readouterr().err


def test_a_fault_of_ours_is_masked_too() -> None:
    """A bare traceback would tell what the exception holds."""
    program = (
        "from ajpes_reporting import logs; logs.configure('json', 'info');"
        "raise RuntimeError('account 010000000100187')"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    entry = json.loads(told.stderr)
    assert entry["level"] == "critical"
    assert "account …187" in entry["exc_info"]
    assert "0100" not in told.stderr
