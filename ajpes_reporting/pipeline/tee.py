"""One stream of blocks, taken by several at once, each on a thread of its own.

A report is written, hashed, packed and checked in the time of the slowest of these: whatever takes
the time lets the interpreter go meanwhile. Nobody runs ahead by more than some blocks, so memory
stays flat.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from itertools import chain
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Taker = Callable[[Iterator[bytes]], Any]

# Whoever falls asleep over an empty or full line takes long to wake up: with 4 a tenth of the time is lost.
_AHEAD = 16


class _End(Enum):
    WHOLE = auto()
    CUT_OFF = auto()


class CutOff(Exception):
    """The stream ended before its end: another taker failed, or there were no more blocks to be had."""


def feed(blocks: Iterable[bytes], *takers: Taker) -> list[Any]:
    """Hands every block to all takers; returns what each of them made of it, in their order.

    Raises what went wrong with the blocks, or with a taker; the others are stopped by `CutOff`.
    """
    lines = [_Line() for _taker in takers]
    with ThreadPoolExecutor(len(takers), thread_name_prefix="tee") as threads:
        try:
            made = [threads.submit(line.serve, taker) for line, taker in zip(lines, takers, strict=True)]
            _hand_out(blocks, lines)
        except BaseException as trouble:  # also one who is tired of waiting, or a thread that cannot start
            for line in lines:
                line.cut_off()
            if not isinstance(trouble, CutOff):
                raise
    failures = [failure for one in made if (failure := one.exception()) is not None]
    for failure in sorted(failures, key=lambda failure: isinstance(failure, CutOff)):
        raise failure
    return [one.result() for one in made]


def _hand_out(blocks: Iterable[bytes], lines: Sequence[_Line]) -> None:
    """Raises `CutOff` once a taker has failed: nobody needs the rest."""
    stream: Iterator[bytes | _End] = chain(blocks, (_End.WHOLE,))
    for block in stream:
        if any(line.failed for line in lines):
            raise CutOff
        for line in lines:
            line.put(block)


class _Line:
    """The blocks on their way to one taker."""

    def __init__(self) -> None:
        self._waiting: Queue[bytes | _End] = Queue(maxsize=_AHEAD)
        self._ended = False
        self.failed = False

    def put(self, block: bytes | _End) -> None:
        self._waiting.put(block)

    def cut_off(self) -> None:
        """Lets the taker know at once, without waiting until it has taken what it no longer needs."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put_nowait(_End.CUT_OFF)

    def serve(self, taker: Taker) -> Any:
        try:
            return taker(self._blocks())
        except BaseException:
            self.failed = True
            raise
        finally:
            while not self._ended:  # whoever fails must not hold up the others
                self._next()

    def _blocks(self) -> Iterator[bytes]:
        while isinstance(block := self._next(), bytes):
            yield block
        if block is _End.CUT_OFF:
            raise CutOff

    def _next(self) -> bytes | _End:
        block = self._waiting.get()
        self._ended = isinstance(block, _End)
        return block
