"""`python -m benchmarks`: measures everything, shows a table, keeps it as JSON."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from benchmarks import report
from benchmarks.answers import ANSWERS
from benchmarks.build import BUILD
from benchmarks.delivery import SFTP, SOAP
from benchmarks.imports import IMPORT
from benchmarks.measurement import Measurement, Result, Stage, play
from benchmarks.other_ways import OTHER_WAYS
from benchmarks.processes import FailedError, MissingError
from benchmarks.small_day import SMALL_DAY
from benchmarks.spapp import CLOSING, SPAPP
from benchmarks.startup import STARTUP
from benchmarks.workspaces import Kind, Workspaces
from tests.servers.postgres import Cluster, NotStartedError, find_programs

MEASUREMENTS = (BUILD, SMALL_DAY, SPAPP, CLOSING, IMPORT, ANSWERS, SFTP, SOAP, STARTUP, OTHER_WAYS)
_SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_SHORT_SIZES = (10_000,)
_KINDS: tuple[Kind, ...] = get_args(Kind)


def main(words: list[str] | None = None) -> int:
    """Gives the exit code: 0 whatever the figures are, 1 if a program failed; one that is missing is told.

    What was measured before on this machine is kept, until it is measured again.

    Stopped with Ctrl-C or SIGTERM it shows what it has got until then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options(words)
    folder: Path = options.folder.absolute()
    kept: Path = options.json or folder / "results.json"
    if options.write == "docs":
        return _write_docs(kept)
    folder.mkdir(parents=True, exist_ok=True)
    document = report.open_document(kept)
    with _stage(folder, options.database) as stage, suppress(KeyboardInterrupt):
        for measurement, kind, size in _plan(options):
            try:
                _play(document, measurement, stage, kind, size, options.rounds)
            finally:
                report.write_json(document, kept)
    print(report.table(document))
    return 1 if document["failures"] else 0


def _write_docs(kept: Path) -> int:
    try:
        report.write_docs(report.read_json(kept), MEASUREMENTS)
    except FileNotFoundError:
        raise SystemExit(f"There is no {kept}: measure first.") from None
    except MissingError as error:
        raise SystemExit(f"Nothing was written: {error}.") from None
    return 0


def _play(
    document: report.Document, measurement: Measurement, stage: Stage, kind: Kind, size: int, rounds: int
) -> None:
    """What cannot be measured is written down, and does not keep the rest from it."""
    name = f"{measurement.name}, {kind}, {size:,}"
    try:
        for result in play(measurement, stage, kind, size, rounds):
            report.add(document, asdict(result))
            _tell(result)
    except MissingError as error:
        document["missing"].append(f"{name} was left out: {error}")
    except FailedError as error:
        document["failures"].append(f"{name} failed: {error}")
        print(document["failures"][-1], file=sys.stderr)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [one.name for one in MEASUREMENTS]
    parser.add_argument("--size", type=int, action="append", help="records; 10k, 100k, 1M and 10M by default")
    parser.add_argument("--database", choices=_KINDS, action="append", help="both by default")
    parser.add_argument("--only", choices=names, action="append", help="one measurement; all by default")
    parser.add_argument("--rounds", type=int, help="how often each is played; the median counts (3)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ajpes-reporting-benchmarks",
        help="where ledgers are kept for the next time (%(default)s), which user postgres can enter",
    )
    parser.add_argument(
        "--json", type=Path, help="where the results go; results.json in the folder by default"
    )
    parser.add_argument("--short", action="store_true", help="10k, one round")
    parser.add_argument(
        "--write", choices=("docs",), help="measure nothing; put the results into docs/performance.md"
    )
    options = parser.parse_args(words)
    options.rounds = options.rounds or (1 if options.short else 3)
    options.size = options.size or (_SHORT_SIZES if options.short else _SIZES)
    options.database = options.database or _KINDS
    return options


@contextmanager
def _stage(folder: Path, kinds: tuple[Kind, ...]) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(dir=folder) as files:
        if "postgresql" not in kinds:
            yield Stage(Workspaces(folder), Path(files), None)
            return
        programs = find_programs()
        if programs is None:
            raise SystemExit("There is no PostgreSQL: install postgresql, or name --database sqlite.")
        try:
            with Cluster(programs, folder / "postgresql") as cluster:
                yield Stage(Workspaces(folder, cluster), Path(files), cluster)
        except NotStartedError as error:
            raise SystemExit(
                f"{error}\nPostgreSQL did not start in {folder}. If another measurement is at work there, "
                "wait for it, or name another --folder."
            ) from None


def _plan(options: argparse.Namespace) -> Iterator[tuple[Measurement, Kind, int]]:
    for measurement in MEASUREMENTS:
        if options.only and measurement.name not in options.only:
            continue
        sizes = [size for size in options.size if size <= measurement.largest]
        for kind in [kind for kind in options.database if kind in measurement.databases] or [_KINDS[0]]:
            for size in sizes if measurement.has_sizes else sizes[:1]:
                yield measurement, kind, size


def _tell(result: Result) -> None:
    figures = ", ".join(f"{figure:.2f}" for figure in result.figures)
    where = " ".join(part for part in (result.database, f"{result.size:,}" if result.size else "") if part)
    print(f"{result.measurement}, {result.case} {where}: {figures} {result.unit}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
