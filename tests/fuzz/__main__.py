"""`python -m tests.fuzz`: feeds readers what nobody would write; fails if any crashed or took too long."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .campaign import LONGEST_SECONDS, Report, Trouble, again, play
from .targets import TARGETS

_MOST_SHOWN = 10


def main() -> int:
    """Gives the exit code: 0 if nothing crashed, and nothing took longer than a second."""
    options = _options()
    console = Console() if sys.stdout.isatty() else Console(width=130)
    names = list(TARGETS) if options.target == "all" else [options.target]
    if options.again:
        reports = [again(name, options.again.read_bytes()) for name in names]
    else:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            reports = []
            for name in names:
                task = progress.add_task(name, total=options.inputs)
                reports.append(play(name, options.inputs, options.seed, lambda at=task: progress.advance(at)))
    _show(console, reports, options.keep)
    return 1 if any(report.crashes or report.slow for report in reports) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all", help="what is fed (all)")
    parser.add_argument("--inputs", type=int, default=25_000, help="how many inputs each (25,000)")
    parser.add_argument("--seed", type=int, default=1, help="the inputs follow from it (1)")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz"), help="where inputs that fail are kept (fuzz)"
    )
    parser.add_argument("--again", type=Path, metavar="FILE", help="feed one input again that was kept")
    return parser.parse_args()


def _show(console: Console, reports: list[Report], keep: Path) -> None:
    table = Table("target", "inputs", "crashes", f"over {LONGEST_SECONDS:g} s", "slowest, s", "in all, s")
    for report in reports:
        table.add_row(
            report.target, f"{report.inputs:,}", f"{len(report.crashes):,}", f"{len(report.slow):,}",
            f"{report.slowest_seconds:.2f}", f"{report.seconds:,.0f}",
        )  # fmt: skip
    console.print(table)
    for report in reports:
        for trouble in (*report.crashes, *report.slow)[:_MOST_SHOWN]:
            kept = _kept(trouble, report.target, keep)
            console.print(f"{report.target} {trouble.number}: {trouble.reason}", markup=False)
            console.print(f"  python -m tests.fuzz --target {report.target} --again {kept}", markup=False)


def _kept(trouble: Trouble, target: str, keep: Path) -> Path:
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{target}-{trouble.number}"
    path.write_bytes(trouble.content)
    return path


if __name__ == "__main__":
    sys.exit(main())
