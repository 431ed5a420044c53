"""The context of a run, and the run itself. `wiring` puts it together; nothing here makes an adapter."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.database.lease import Lease
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.domain.ports import AnswerBox, Carrier, Clock, Parcel
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.journal.archive import Archive
    from ajpes_reporting.reports.kind import ReportKind, ReportSettings


_LONGER_THAN_ANY_RUN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Context:
    """One provider's context: its ledger and journal, its archive, its ways to the authority.

    `carriers` makes the ways that are set up for a report, "nodurs", or the one that is named, and is given
    a folder for what comes back; it raises `UsageError` if the report does not go that way, and
    `ConfigurationError` if settings are wrong. `ways` puts them in order for one parcel. `answer_boxes` are
    those in which answers to a report come later. `refresh_ledger` brings the ledger up to date for a kind
    of report and a period: a bank's own views, months closed from postings. `patience_seconds` is how long
    it is tried to record what became of a call. `report_settings` has the section of each kind of report,
    by its code.
    """

    provider: str
    provider_name: str
    engine: Engine
    archive: Archive
    scratch: Path
    kinds: tuple[ReportKind, ...]
    schemas: Callable[[str], Path]
    report_settings: Mapping[str, ReportSettings]
    rules: RuleSettings
    strict: bool
    extra_days_off: frozenset[date]
    clock: Clock
    carriers: Callable[[str, str | None, Path], list[Carrier]]
    ways: Callable[[Sequence[Carrier], Parcel], Sequence[Carrier]]
    answer_boxes: Callable[[str], Sequence[AnswerBox]]
    answer_wait_seconds: float
    refresh_ledger: Callable[[Connection, ReportKind, str], None]
    exclusive: Callable[[], AbstractContextManager[Lease]]
    resend_after_unknown: bool = False
    patience_seconds: float = 600

    def kind(self, code: str) -> ReportKind:
        """Returns the registered kind of report with this code, "NODURS"."""
        return next(kind for kind in self.kinds if kind.code == code)

    @contextmanager
    def working_folder(self) -> Iterator[Path]:
        """A folder for files in the making, gone afterwards; on the same disk as the archive."""
        make_folder(self.scratch)
        self._clear_leftovers()
        with TemporaryDirectory(dir=self.scratch) as folder:
            yield Path(folder)

    def _clear_leftovers(self) -> None:
        """Removes what a killed run left behind: copies of reports, which hold names."""
        oldest = self.clock().timestamp() - _LONGER_THAN_ANY_RUN_SECONDS
        for folder in self.scratch.iterdir():
            with suppress(FileNotFoundError):  # another run was quicker
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Task:
    """One report of one period, to be built: for whom, about what, and where its files are made.

    `folder` holds files in the making; `progress` is told records. With `as_it_stands` everything that was
    recorded until now goes in, also what was recorded after the end of the period. `key` is provider, report
    and period, as the journal names them: ("5860571000", "NODURS", "2026-11-17").
    """

    context: Context
    kind: ReportKind
    period: Period
    folder: Path
    progress: Progress = no_progress
    as_it_stands: bool = False
    key: tuple[str, str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.context.provider, self.kind.code, self.period.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Task):
    """A task that is also to be sent: by which carriers, under which lease, before which deadline."""

    deadline: datetime
    lease: Lease
    carriers: Sequence[Carrier]
