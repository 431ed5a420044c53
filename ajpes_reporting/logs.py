"""The log of the unattended commands on stderr: one line for each event, without personal data.

Every line is masked in the last moment before it is written, whoever wrote it: a library, or the
traceback of a fault of ours.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import threading
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.escaping import shown
from ajpes_reporting.domain.masking import mask, mask_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

OURS = "ajpes_reporting"
# What these tell below is told by the outcome of the job, or is no trouble at all.
_SPEAKS_TOO_SOON = {
    "paramiko.transport": logging.CRITICAL,  # a connection that was refused, as a traceback line by line
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


class Sparing(logging.Filter):
    """Lets the first lines of a kind through, and counts the others: each minute one line tells how many.

    For what strangers can make us write. A kind is the message without its values.
    """

    def __init__(self, logger: logging.Logger, first: int = 5, seconds: float = 60.0) -> None:
        super().__init__()
        self._logger, self._first, self._seconds = logger, first, seconds
        self._counts: dict[tuple[int, object], int] = {}
        self._lock = threading.Lock()
        self._end: threading.Timer | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        kind = record.levelno, record.msg
        with self._lock:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            if self._end is None:
                self._end = threading.Timer(self._seconds, self.tell)
                self._end.daemon = True
                self._end.start()
        return count <= self._first

    def tell(self) -> None:
        """Tells how many lines were not written, and begins to count anew."""
        with self._lock:
            if self._end is not None:
                self._end.cancel()
            counts, self._counts, self._end = self._counts, {}, None
        for (level, message), count in counts.items():
            if count > self._first and self._logger.isEnabledFor(level):
                kind = str(message).partition("%")[0].rstrip(" .:")
                text = f"{kind}: {count - self._first:,} more such lines were not written."
                told = self._logger.makeRecord(self._logger.name, level, __file__, 0, "%s", (text,), None)
                self._logger.callHandlers(told)  # past the filter


@contextmanager
def sparing(logger: logging.Logger) -> Iterator[None]:
    """Inside, a logger writes no more lines of a kind than a person reads."""
    filter_ = Sparing(logger)
    logger.addFilter(filter_)
    try:
        yield
    finally:
        logger.removeFilter(filter_)
        filter_.tell()


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
