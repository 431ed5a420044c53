"""Decides who may stay connected to a server of ours that has more callers than places.

The newest is never turned away for one that has not asked anything: whoever keeps us waiting longest goes
first, and first of all among those of the address that keeps most places waiting. So neither half-open
connections nor questions that come letter by letter keep out who asks at once, be it from the same address.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Line = TypeVar("Line", bound="Hashable")


class Places(Generic[Line]):
    """The places of a server, for any thread: a line waits until it has asked, and once it is answered."""

    def __init__(
        self, most: int, patience_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`patience_seconds`: so long nobody has to go for another one of the same address."""
        self._most, self._patience_seconds, self._clock = most, patience_seconds, clock
        self._peers: dict[Line, str] = {}
        self._waiting: dict[Line, float] = {}  # since when; the one that keeps us waiting longest comes first
        self._lock = threading.Lock()

    def enter(self, line: Line, peer: str) -> Line | None:
        """Gives a place to a new line; returns who must go for it, perhaps that line itself."""
        with self._lock:
            self._peers[line] = peer
            self._waiting[line] = self._clock()
            if len(self._peers) <= self._most:
                return None
            leaving = self._who_must_go()
            if self._peers[leaving] == peer and self._is_young(leaving):
                leaving = line
            self._forget(leaving)
            return leaving

    def asked(self, line: Line) -> None:
        """Notes that a caller has sent its request, and is not disturbed before the answer."""
        with self._lock:
            self._waiting.pop(line, None)

    def answered(self, line: Line) -> None:
        """Notes that a caller was answered, may ask once more, and waits like a new one."""
        with self._lock:
            if line in self._peers:
                self._waiting.pop(line, None)
                self._waiting[line] = self._clock()

    def leave(self, line: Line) -> None:
        """Notes that a caller has gone."""
        with self._lock:
            self._forget(line)

    def _is_young(self, line: Line) -> bool:
        return self._clock() - self._waiting[line] < self._patience_seconds

    def _who_must_go(self) -> Line:
        by_peer = Counter(self._peers[line] for line in self._waiting)
        most = max(by_peer.values())
        return next(line for line in self._waiting if by_peer[self._peers[line]] == most)

    def _forget(self, line: Line) -> None:
        self._peers.pop(line, None)
        self._waiting.pop(line, None)
