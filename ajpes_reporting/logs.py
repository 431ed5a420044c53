"""What the unattended commands write on stderr: one line for each event, without personal data.

Every line is masked in the last moment before it is written, whoever wrote it: a library, or the
traceback of a fault of ours.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.domain.masking import mask, mask_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

OURS = "ajpes_reporting"
# What these tell below is told by the outcome of the job, or is no trouble at all.
_SPEAKS_TOO_SOON = {
    "paramiko.transport": logging.CRITICAL,  # a connection that was refused, as a traceback line by line
    "apscheduler.scheduler": logging.ERROR,  # a tick that takes longer than the pause between two
}
_STANDARD = frozenset({*RESERVED_ATTRS, "message", "asctime"})


def configure(format: str, level: str, known: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Sends log lines to `stream` (stderr), as "text" or as "json", from `level` up.

    Libraries are heard from "warning" up: below that, some tell addresses and messages. `known` are
    numbers that may be read by anybody, such as registration numbers of providers.
    """
    handler = MaskingHandler(frozenset(known), stream or sys.stderr)
    handler.setFormatter(_JsonLines() if format == "json" else _TextLines())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, MaskingHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    least = getattr(logging, level.upper())
    root.setLevel(max(least, logging.WARNING))
    logging.getLogger(OURS).setLevel(least)
    for name, loud in _SPEAKS_TOO_SOON.items():
        logging.getLogger(name).setLevel(loud)
    logging.captureWarnings(True)
    _log_what_nobody_catches()


class MaskingHandler(logging.StreamHandler[TextIO]):
    """Writes records of which message, exception and extra fields are masked."""

    def __init__(self, known: frozenset[str], stream: TextIO) -> None:
        super().__init__(stream)
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked. The record itself is left alone: others may want it as it is."""
        return super().format(_masked(record, self._known))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A line that cannot be written is not shown by logging itself either, which does not mask."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"A line of the log could not be written (from {shown(record.name)}).\n")


def _masked(record: logging.LogRecord, known: frozenset[str]) -> logging.LogRecord:
    clean = copy.copy(record)
    clean.msg, clean.args = mask(_message(record), known), None
    clean.exc_text = mask(_exception(record), known) or None
    clean.exc_info = None
    clean.stack_info = mask(record.stack_info, known) if record.stack_info else None
    for key in _extra(record):
        clean.__dict__[key] = mask_value(key, record.__dict__[key], known)
    return clean


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (the values {record.args!r} do not fit)"


def _exception(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""


def _extra(record: logging.LogRecord) -> list[str]:
    return [key for key in record.__dict__ if key not in _STANDARD]


class _TextLines(logging.Formatter):
    """`2026-11-17T17:00:00+01:00 INFO NODURS for 2026-11-17 was accepted. submission=1 …`."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join([_time(record), record.levelname, record.getMessage(), *_pairs(record)])
        more = "\n".join(text for text in (record.exc_text, record.stack_info) if text)
        return "\n  ".join(shown(each) for each in [line, *more.splitlines()])


class _JsonLines(JsonFormatter):
    """One JSON object on each line: time, level, logger, message, and the fields of the event."""

    def __init__(self) -> None:
        super().__init__(json_default=str)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data |= {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        log_data["message"] = record.getMessage()
        super().add_fields(log_data, record, message_dict)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, LJUBLJANA).isoformat(timespec="seconds")


def _pairs(record: logging.LogRecord) -> list[str]:
    return [f"{key}={_quoted(record.__dict__[key])}" for key in _extra(record)]


def _quoted(value: object) -> str:
    if isinstance(value, str) and value and not any(letter in value for letter in ' "=\n\r\t'):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _log_what_nobody_catches() -> None:
    """A fault of ours goes into the log, masked, instead of bare onto stderr."""
    log = logging.getLogger(OURS)

    def in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("The program failed.", exc_info=(kind, error, trace))

    sys.excepthook = in_main
