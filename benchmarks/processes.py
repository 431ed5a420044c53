"""Runs one program and tells what it cost: time, work of the processors, memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

_LOOK_EVERY_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_MESSAGE_BYTES = 2_000


@dataclass(frozen=True)
class Cost:
    """What a way of doing something took. `peak_bytes` is that of all its processes together.

    `server_seconds` is the processor time that a PostgreSQL server spent on it meanwhile.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    server_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """One after the other."""
        return Cost(
            self.wall_seconds + other.wall_seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
            self.server_seconds + other.server_seconds,
        )


class FailedError(Exception):
    """A program that was measured did not do its work; the figure would mean nothing."""


class MissingError(Exception):
    """A program or library that a measurement needs is not there."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(f"there is no {name}: install {package}")


def run(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, stdin: str | None = None
) -> Cost:
    """Runs it to its end, without showing what it says. Raises `FailedError` if it fails."""
    return _run(command, environment, stdin)[0]


def run_timing_itself(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Cost:
    """The same for a program that prints how many seconds the part took that counts."""
    cost, said = _run(command, environment, None)
    return replace(cost, wall_seconds=float(json.loads(said)))


def with_server(pid: int, way: Callable[[], Cost]) -> Cost:
    """Adds what a server, all of its processes, worked while `way` ran."""
    before = _worked_seconds(pid)
    cost = way()
    return replace(cost, server_seconds=_worked_seconds(pid) - before)


def _run(
    command: Sequence[str | Path], environment: Mapping[str, str] | None, stdin: str | None
) -> tuple[Cost, bytes]:
    words = [str(word) for word in command]
    began, worked_before = monotonic(), _children_worked_seconds()
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    peak = _Peak(process.pid)
    with peak:
        said, _ = process.communicate(None if stdin is None else stdin.encode())
    wall, worked = monotonic() - began, _children_worked_seconds() - worked_before
    if process.returncode != 0:
        told = said[-_MESSAGE_BYTES:].decode(errors="replace")
        raise FailedError(f"{' '.join(words)} left with {process.returncode}:\n{told}")
    return Cost(wall, worked, peak.bytes), said


class _Peak(threading.Thread):
    """Looks at a process and all that descend from it, until they are gone.

    Each process is counted with its own highest mark. `ru_maxrss` would count our memory with it: a
    new process begins as a copy of its parent.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._is_over = threading.Event()
        self.bytes = 0

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_exception: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        is_over = False
        while not is_over:
            self.bytes = max(self.bytes, sum(map(_highest_bytes, _family(self._pid))))
            is_over = self._is_over.wait(_LOOK_EVERY_SECONDS)


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended meanwhile
        return
    for thread in threads:
        for child in _read(thread).split():
            yield from _family(int(child))


def _highest_bytes(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _children_worked_seconds() -> float:
    """Of all programs that have ended; one runs at a time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _worked_seconds(pid: int) -> float:
    """Of a process, its children that are gone, and those that are there."""
    ticks = 0
    for one in _family(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[11 : 15 if one == pid else 13]))
    return ticks / _TICKS


def _read(path: Path) -> str:
    """Of /proc; empty when the process has just gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
