"""Several take the same blocks at once; none of them gets half a file for a whole one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ajpes_reporting.pipeline.build import CutOff, feed

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Broken(Exception):
    pass


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=60))
def test_everyone_gets_every_block_in_order(blocks: list[bytes]) -> None:
    """The file that is written is the file that is hashed, packed and checked."""
    joined, digest, count = feed(blocks, b"".join, _sha256, lambda taken: sum(1 for _ in taken))
    assert joined == b"".join(blocks)
    assert digest == hashlib.sha256(joined).hexdigest()
    assert count == len(blocks)


def test_a_source_that_breaks_off_lets_nobody_finish() -> None:
    """When the database fails in the middle, no taker may believe that it has the whole report."""
    finished = []

    def source() -> Iterator[bytes]:
        yield from [b"x"] * 20
        raise _Broken

    def taker(blocks: Iterator[bytes]) -> None:
        for _block in blocks:
            pass
        finished.append("whole")

    with pytest.raises(_Broken):
        feed(source(), taker, taker)
    assert finished == []


@pytest.mark.parametrize("at", [0, 1, 5, 49])
def test_a_taker_that_fails_stops_the_others_and_is_heard(at: int) -> None:
    """A full disk while the report is written: nothing hangs, and the disk is what is told."""
    ends = []

    def failing(blocks: Iterator[bytes]) -> None:
        for number, _block in enumerate(blocks):
            if number == at:
                raise _Broken

    def other(blocks: Iterator[bytes]) -> None:
        try:
            for _block in blocks:
                pass
            ends.append("whole")
        except CutOff:
            ends.append("cut off")
            raise

    with pytest.raises(_Broken):
        feed((b"x" for _ in range(1_000)), other, failing)
    assert ends == ["cut off"]


_NO_ROOM_FOR_A_THREAD = """
import resource, threading
from ajpes_reporting.pipeline.build import feed

used_bytes = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used_bytes + (800 << 20),) * 2)
threading.stack_size(256 << 20)
feed([b"x"] * 10, *[b"".join] * 8)
"""
_TIRED_OF_WAITING = """
import os, signal, threading, time
from ajpes_reporting.pipeline.build import feed

def impatient():
    for _ in range(2):
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run in the background
threading.Thread(target=impatient, daemon=True).start()
feed([b"x"] * 50, lambda blocks: [time.sleep(4) for _ in blocks], b"".join)
"""


@pytest.mark.parametrize(
    ("program", "told"),
    [(_NO_ROOM_FOR_A_THREAD, "can't start new thread"), (_TIRED_OF_WAITING, "KeyboardInterrupt")],
)
def test_nobody_waits_for_blocks_that_never_come(program: str, told: str) -> None:
    """A machine without room for one more thread, a person who presses Ctrl-C twice: the run ends, and lets
    go of its locks."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert told in done.stderr


def test_nobody_runs_far_ahead() -> None:
    """A slow disk does not fill the memory with what waits for it."""
    taken, most_waiting = 0, 0
    go = threading.Event()

    def source() -> Iterator[bytes]:
        nonlocal most_waiting
        for number in range(200):
            most_waiting = max(most_waiting, number - taken)
            if number == 5:
                go.set()
            yield b"x"

    def slow(blocks: Iterator[bytes]) -> None:
        nonlocal taken
        go.wait(10)
        for _block in blocks:
            taken += 1

    feed(source(), slow)
    assert most_waiting < 20


def _sha256(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
