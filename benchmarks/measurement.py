"""What a measurement is: two ways to the same end, played in turn, and what their costs say.

Only the comparison means something on another machine. Rounds alternate between the two ways, so
that what disturbs the machine disturbs both, and the median round counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks import ledgers
from benchmarks.processes import Cost, MissingError, run, with_server
from benchmarks.workspaces import PROGRAM, Kind, Workspace, Workspaces
from tests.servers.postgres import Cluster

Unit = Literal["times", "seconds"]
"""How ours compares: so many times the yardstick, or so many seconds more than it."""

_PACKAGES = {"xmllint": "libxml2-utils", "psql": "postgresql-client", "sftp": "openssh-client"}
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Stage:
    """Where measurements play: the workspaces, a folder for files, and the servers that are there."""

    workspaces: Workspaces
    folder: Path
    cluster: Cluster | None

    def costed(self, kind: Kind, way: Callable[[], Cost]) -> Callable[[], Cost]:
        """The way, with what the server worked for it where there is one."""
        if kind == "sqlite" or self.cluster is None:
            return way
        return partial(with_server, self.cluster.pid, way)

    def report(self, size: int) -> Path:
        """A whole NODURS file of so many events, made by the program once."""
        path = self.folder / f"nodurs_{size}.xml"
        if not path.exists():
            workspace = self.workspaces.get("sqlite", "new", size)
            run([PROGRAM, "build", "nodurs", "--date", str(ledgers.DAY), "-o", path], workspace.environment)
        return path


@dataclass(frozen=True)
class Trial:
    """Ours and its yardstick, ready to be played any number of times.

    `records` is what cost is counted per.
    """

    case: str
    ours: Callable[[], Cost]
    yardstick: Callable[[], Cost]
    records: int


@dataclass(frozen=True)
class Measurement:
    """One thing that is measured.

    `trials` yields what is to be played on a database with so many records, and holds what it needs
    until it is asked for the next. `databases` is empty for what needs none; then it is played once.
    The limit holds from `limit_from` records on; more than `largest` are not tried. Without
    `has_sizes` the number of records plays no part.
    """

    name: str
    what: str
    yardstick: str
    trials: Callable[[Stage, Kind, int], Iterator[Trial]]
    unit: Unit = "times"
    limit: float | None = None
    limit_from: int = 1_000_000
    largest: int = 1_000_000
    databases: tuple[Kind, ...] = ("sqlite", "postgresql")
    has_sizes: bool = True


@dataclass(frozen=True)
class Result:
    """What came of one trial. The costs are those of the median round, as `figure` is."""

    measurement: str
    case: str
    database: str
    size: int
    unit: Unit
    figure: float
    limit: float | None
    ours: Cost
    yardstick: Cost
    figures: tuple[float, ...]


def play(measurement: Measurement, stage: Stage, kind: Kind, size: int, rounds: int) -> Iterator[Result]:
    """Plays every trial of a measurement, one after the other.

    Raises `FailedError` if a program fails, and `MissingError` if one is not there.
    """
    for trial in measurement.trials(stage, kind, size):
        played = sorted(
            ((trial.ours(), trial.yardstick()) for _ in range(rounds)),
            key=lambda costs: compare(measurement.unit, *costs),
        )
        ours, yardstick = played[len(played) // 2]
        figures = tuple(compare(measurement.unit, *costs) for costs in played)
        yield Result(
            measurement.name,
            trial.case,
            kind if measurement.databases else "",
            size if measurement.has_sizes else 0,
            measurement.unit,
            compare(measurement.unit, ours, yardstick),
            measurement.limit if size >= measurement.limit_from or not measurement.has_sizes else None,
            ours,
            yardstick,
            figures,
        )


def compare(unit: Unit, ours: Cost, yardstick: Cost) -> float:
    """How ours compares with the yardstick, by the clock on the wall."""
    if unit == "times":
        return ours.wall_seconds / yardstick.wall_seconds
    return ours.wall_seconds - yardstick.wall_seconds


def program(workspace: Workspace, *words: str | Path) -> Cost:
    """A command of the program, in a workspace."""
    return run([PROGRAM, *words], workspace.environment)


def xmllint(path: Path, schema: str) -> Cost:
    """libxml2's own program: reads and validates as a stream, and does nothing else."""
    return run([tool("xmllint"), "--sax", "--noout", "--schema", ROOT / "schemas" / schema, path])


def sqlite3(database: Path | str, *lines: str) -> Cost:
    """SQLite's own shell, fed with these lines; what it answers is not looked at."""
    return run([tool("sqlite3"), "-bail", database], stdin="\n".join((".output /dev/null", *lines, "")))


def psql(workspace: Workspace, *lines: str) -> Cost:
    """PostgreSQL's own shell, in the same way."""
    command = [tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", workspace.address]
    return run(command, stdin="\n".join((*lines, "")))


def tool(name: str) -> str:
    """The path of a program that yardsticks need. Raises `MissingError`, naming its Debian package."""
    found = shutil.which(name)
    if found is None:
        raise MissingError(name, _PACKAGES.get(name, name))
    return found
