"""A hand-over in which a test has its say."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from ajpes_reporting.domain.errors import NotDelivered


class Watched:
    """A hand-over that calls what a test gives for either moment."""

    def __init__(
        self,
        begin: Callable[[str], object] = lambda _waits_as: None,
        still_ours: Callable[[], object] = lambda: None,
    ) -> None:
        self._begin = begin
        self._still_ours = still_ours

    def begin(self, waits_as: str) -> None:
        self._begin(waits_as)

    def still_ours(self) -> None:
        self._still_ours()


def refuse(_waits_as: str = "") -> NoReturn:
    """Another run has settled the report meanwhile."""
    raise NotDelivered("Another run has taken its place.", "run again")
