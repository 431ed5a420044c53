"""The provider's folders on the exchange server (section 4.2).

A file never disappears from sight: it moves from `v_ajpes` to `accepted` in one step, whatever
the verdict will be.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sections 2.1 and 3.1.
_NAMES = {
    "nodurs": re.compile(r"NODURS_(\d{4})(\d{2})(\d{2})_(\d{7})\.xml", re.ASCII),
    "spapp": re.compile(r"SPAPP_(\d{4})(\d{2})_(\d{7})\.xml", re.ASCII),
}
_IN_SIGHT, _OUT_OF_SIGHT = "in sight", "out of sight"
# How an upload is called while it is under way.
_UNDER_WAY = re.compile(r"(?P<final>[^.]+\.xml)(\..+)?", re.ASCII)


class NameParts(NamedTuple):
    """The parts of a file name: period (YYYY-MM-DD or YYYYMM) and the provider's seven digits."""

    period: str
    provider: str


@dataclass(frozen=True, slots=True)
class Folders:
    """The tree of one provider: `nodurs` and `spapp`, each with v_ajpes, accepted and iz_ajpes."""

    root: Path

    def make(self) -> None:
        for report in _NAMES:
            for name in ("v_ajpes", "accepted", "iz_ajpes"):
                (self.root / report / name).mkdir(parents=True, exist_ok=True)
            for place in (_IN_SIGHT, _OUT_OF_SIGHT):
                (self._swept(report) / place).mkdir(parents=True, exist_ok=True)

    def incoming(self, report: str) -> Path:
        return self.root / report / "v_ajpes"

    def accepted(self, report: str) -> Path:
        return self.root / report / "accepted"

    def outgoing(self, report: str) -> Path:
        return self.root / report / "iz_ajpes"

    def waiting(self) -> Iterator[tuple[str, Path]]:
        """Yield the reports that have come in, each with its kind; files with other names are left alone."""
        for report in _NAMES:
            swept = self._swept(report).glob("*/*/*")
            for path in sorted((*self.incoming(report).iterdir(), *swept)):
                if parts_of(report, path.name) and path.is_file() and not path.is_symlink():
                    yield report, path

    def sweep(self, path: Path, *, shown: bool) -> None:
        """Take a report away at once, also under the name of an unfinished upload.

        With `shown` the report will lie in `accepted`. Anything but a report stays where it is.
        """
        report, match = path.parent.parent.name, _UNDER_WAY.fullmatch(path.name)
        if path.parent != self.incoming(report) or match is None or not parts_of(report, match["final"]):
            return
        place = self._swept(report) / (_IN_SIGHT if shown else _OUT_OF_SIGHT)
        path.rename(Path(tempfile.mkdtemp(dir=place)) / match["final"])

    def is_out_of_sight(self, path: Path) -> bool:
        """Whether a file that waits was swept away to be seen nowhere."""
        return path.parent.parent.name == _OUT_OF_SIGHT

    def copy(self, report: str, path: Path) -> Path:
        """Copy a file to `accepted`, as a whole or not at all, and leave the original in place."""
        whole = self._swept(report) / path.name
        shutil.copy2(path, whole)
        return self.accept(report, whole)

    def accept(self, report: str, path: Path) -> Path:
        """Move a file to `accepted`. An earlier one of that name gets a suffix."""
        target = self.accepted(report) / path.name
        if target.exists():
            target.rename(_free_name(target))
        return path.rename(target)

    def publish_answer(self, report: str, name: str, answer: bytes) -> None:
        """Lay an answer into `iz_ajpes`, as a whole or not at all."""
        unfinished = self.root.parent / f"{name}.new"
        unfinished.write_bytes(answer)
        unfinished.replace(self.outgoing(report) / name)

    def _swept(self, report: str) -> Path:
        """Return the folder for swept reports, which no login over SFTP can see."""
        return self.root.parent.with_name("swept") / self.root.name / report


def parts_of(report: str, file_name: str) -> NameParts | None:
    """Return the parts of a report's file name; None for any other name."""
    match = _NAMES[report].fullmatch(file_name)
    if match is None:
        return None
    year, month, *day, provider = match.groups()
    try:
        date(int(year), int(month), int(day[0]) if day else 1)
    except ValueError:
        return None
    return NameParts(f"{year}-{month}-{day[0]}" if day else f"{year}{month}", provider)


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.stem}_{number:04d}{path.suffix}")).exists():
        number += 1
    return free


def rename_without_overwriting(old: bytes, new: bytes) -> None:
    """Rename as OpenSSH's server does. Raises `FileExistsError` if the new name is taken."""
    os.link(old, new, follow_symlinks=False)
    os.unlink(old)  # noqa: PTH108 -- SFTP paths are bytes
