"""Files that a command hands out to a person: whole, private, and in the place of plain files alone."""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.private import open_private

if TYPE_CHECKING:
    from pathlib import Path


def refuse_no_plain_file(target: Path, option: str) -> None:
    """Raises `UsageError` where no file can be put; `option` is how a person names another."""
    if not target.parent.is_dir():
        raise UsageError(
            _("There is no folder {folder}.", folder=str(target.parent)),
            _("make it, or name another with {option}", option=option),
        )
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise UsageError(
            _("{file} is no plain file; it was left as it is.", file=str(target)),
            _("name another file with {option}", option=option),
        )


def hand_out(source: Path, target: Path, option: str) -> None:
    """A new file on the same disk needs no second copy of what may be hundreds of megabytes.

    Unless the folder gives its files to a group: only what is made there belongs to it.
    """
    with suppress(OSError):  # a copy can do more, and says why if it cannot
        if not target.parent.stat().st_mode & stat.S_ISGID:
            target.unlink(missing_ok=True)
            target.hardlink_to(source)
            return
    try:
        with source.open("rb") as made, open_private(target, "wb") as copy:
            shutil.copyfileobj(made, copy)
    except OSError as error:
        raise AjpesReportingError(
            _(
                "{file} could not be written: {reason}.",
                file=str(target),
                reason=system_reason(error),
            ),
            _("name another file with {option}", option=option),
        ) from None
