"""The archive's own word of what has left: `archive/sent.log`, a line for each hand-over.

It does not lie in the database, so it still tells when that was put back from a snapshot. A line is on the
disk before the report may leave. The first line names the archive, by a number made by chance: moved or
copied, it is still the same one.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.private import make_folder, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "sent.log"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """One line: the report that was handed over, and how the journal numbers it. `at` has an offset."""

    submission: int
    attempt: int
    report: str
    period: str
    file_name: str
    sha256: str
    via: str
    at: datetime


class SentLog:
    """The log of the archive in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._path = root / _NAME

    def archive(self) -> str | None:
        """The archive's number; nothing as long as it has none. Raises `AjpesReportingError`."""
        try:
            with self._path.open("rb") as log:
                # It is the first line, unless that was damaged and the log begun again.
                return next((str(head["archive"]) for head in map(_json, log) if "archive" in head), None)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def begin(self, archive: str | None = None) -> str:
        """Makes the log if there is none, for an archive of that number or a new one; gives the number."""
        if (there := self.archive()) is not None:
            return there
        number = archive or secrets.token_hex(8)
        head = json.dumps({"archive": number})
        made = self._path.with_name(f"{_NAME}.{secrets.token_hex(4)}.part")
        try:
            make_folder(made.parent)
            if self._path.exists():  # a damaged disk has taken its first line, or everything
                self._write_line(head)
                return number
            _write(made, f"{head}\n", os.O_CREAT | os.O_EXCL)
            with suppress(FileExistsError):  # another machine was quicker
                os.link(made, self._path)
            made.unlink()
            sync(self._path.parent)
        except OSError as error:
            raise self._unusable(error) from error
        return self.archive() or number

    def append(self, line: HandedOver) -> None:
        """Notes a hand-over; it is on the disk when this returns. Raises `AjpesReportingError`."""
        self.begin()
        text = json.dumps({**asdict(line), "at": line.at.isoformat()}, ensure_ascii=False)
        try:
            self._write_line(text)
        except OSError as error:
            raise self._unusable(error) from error

    def since(self, offset: int) -> Iterator[HandedOver]:
        """Yields the lines from a place on, which is a size that the log has had; from 0: all lines."""
        try:
            with self._path.open("rb") as log:
                log.seek(offset)
                yield from (line for text in log if (line := _line(text)) is not None)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error

    def size(self) -> int:
        """Returns the present size in bytes."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unusable(error) from error

    def _write_line(self, text: str) -> None:
        # One that was cut off in the middle of its line had handed nothing over.
        _write(self._path, f"{'' if self._ends_whole() else chr(10)}{text}\n", os.O_APPEND)

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as log:
            if log.seek(0, os.SEEK_END) == 0:
                return True
            log.seek(-1, os.SEEK_END)
            return log.read(1) == b"\n"

    def _unusable(self, error: OSError) -> AjpesReportingError:
        return AjpesReportingError(
            _(
                "The log {path} of what is sent cannot be used: {reason}. Nothing was sent.",
                path=str(self._path),
                reason=system_reason(error),
            ),
            _("make room on the disk, or correct the rights of the archive, then run again"),
        )


def _line(text: bytes) -> HandedOver | None:
    """One line; nothing for the head, and for one that was cut off or damaged."""
    try:
        values = _json(text)
        return HandedOver(**{**values, "at": datetime.fromisoformat(values["at"])})
    except (KeyError, TypeError, ValueError):
        return None


def _json(text: bytes) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, text: str, how: int) -> None:
    """The whole text is on the disk when this returns: a full one may take a part of it without an error."""
    with os.fdopen(os.open(path, os.O_WRONLY | how, 0o600), "wb") as log:
        log.write(text.encode())
        log.flush()
        os.fsync(log.fileno())
