"""What the run needs from the outside world, so that the outside can be swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from ajpes_reporting.domain.outcomes import Outcome

Clock = Callable[[], datetime]
"""Gives the present moment, with a time zone."""

Progress = Callable[[int], None]
"""Told how many more units of work (rows, bytes) are done."""


def no_progress(_amount: int) -> None:
    """Progress that nobody watches."""


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


class Carrier(Protocol):
    """One way to the authority. Never raises for what the network or the other side does."""

    name: str

    def deliver(self, parcel: Parcel, progress: Progress = no_progress) -> Outcome:
        """Hands over the parcel and says what became of it."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """A file in an answer folder of the authority. `modified_at` is in whole seconds, UTC epoch."""

    report: str
    name: str
    size_bytes: int
    modified_at: int


class AnswerBox(Protocol):
    """The folders where the authority puts its answers. Fetching removes nothing there."""

    def fetch_new(
        self, report: str, already_fetched: Callable[[RemoteAnswer], bool], into: Path
    ) -> Iterable[tuple[RemoteAnswer, Path]]:
        """Yields every answer not fetched before, copied whole into the folder `into`.

        Raises `NotDelivered` if the folders cannot be reached, saying why.
        """
        ...
