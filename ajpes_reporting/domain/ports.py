"""The ports of a run to the outside world, so that the outside can be exchanged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from ajpes_reporting.domain.outcomes import Outcome
    from ajpes_reporting.i18n import Message

Clock = Callable[[], datetime]
"""Gives the present moment, with a time zone."""

Progress = Callable[[int], None]
"""Told how many more units of work (rows, bytes) are done."""


def no_progress(_amount: int) -> None:
    """Progress that nobody watches."""


class Handover(Protocol):
    """The right to hand over one parcel. The carrier asks for it twice; each time it may be gone."""

    def begin(self, waits_as: str) -> None:
        """Records the last moment before the authority might have the parcel; returns once it is committed.

        `waits_as` is the name under which the file waits on the server for its final one; empty if it does
        not wait. Raises `NotDelivered` if the parcel may not go any more.
        """
        ...

    def still_ours(self) -> None:
        """Asked right before the last byte, without which nothing has arrived.

        Raises `NotDelivered` if another run may have taken over since `begin`.
        """
        ...


class Unrecorded:
    """A hand-over that nobody records, and that nobody forbids."""

    def begin(self, waits_as: str) -> None:
        """Records nothing."""

    def still_ours(self) -> None:
        """Raises nothing."""


UNRECORDED = Unrecorded()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A report on its way out: the exact bytes, and under which name the authority wants them.

    `report` is the kind of report in lower case, "nodurs" or "spapp", as it names the folders of
    section 4.2.
    """

    path: Path
    file_name: str
    report: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A right that we lack in a place of the authority's, what that means for runs, and what to do.

    `stops_runs` says that they cannot deliver, or cannot fetch answers, without it.
    """

    place: str
    detail: Message
    remedy: Message
    stops_runs: bool


@dataclass(frozen=True, slots=True)
class Inspection:
    """The connection to the authority, and the rights that we lack there."""

    reached: Message
    shortfalls: tuple[Shortfall, ...] = ()


class Carrier(Protocol):
    """One way to the authority. `name` is that of its section in the settings."""

    name: str

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        """Hands over the parcel and says what became of it.

        Never raises for what the network or the other side does. `handover.begin` is called once, before
        the authority could have the parcel, and `handover.still_ours` right before the last byte; if either
        raises `NotDelivered`, nothing more leaves.
        Raises `UsageError` if the file is not the parcel's any more.
        """
        ...

    def inspect(self) -> Inspection:
        """Looks whether a run would get through; sends no report, and leaves nothing there.

        Raises `NotDelivered` with the reason if the authority is not reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """The trace of a parcel in the authority's folders.

    `place` is where its very bytes lie, empty if nowhere. `was_waiting` says that it still waited
    for its final name, and was taken back: it has not arrived, and cannot arrive any more.
    """

    place: str = ""
    was_waiting: bool = False


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """A file in an answer folder of the authority. `modified_at` is in whole seconds, UTC epoch."""

    report: str
    name: str
    size_bytes: int
    modified_at: int


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """A report that lies with the authority. `modified_at` is in whole seconds, UTC epoch."""

    path: str
    size_bytes: int
    modified_at: int


class AnswerBox(Protocol):
    """The authority's folders: what has arrived there, and its answers. Nothing of it is removed.

    `name` is that of the way they belong to.
    """

    name: str

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        """Looks whether a parcel has arrived: in the folder for reports, then in that for accepted ones.

        A file that waits as `waits_as` for its final name is ours, and is taken back.
        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        ...

    def strange_reports(self, report: str, file_name: str, ours: Sequence[Parcel]) -> Iterable[RemoteReport]:
        """Yields files of that name in the folders for reports and for accepted ones that are none of ours.

        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        ...

    def fetch_new(
        self,
        report: str,
        already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterable[tuple[RemoteAnswer, Path]]:
        """Yields every answer not fetched before, copied whole into the folder `into`.

        `already_fetched` says of many at once which of them were.
        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        ...
