"""`python -m tests.simulation`: plays a campaign, shows what came of it, and fails if anything did."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.servers.postgres import Cluster, find_programs

from .auditor import DOUBLED, LOST, UNEXPLAINED
from .campaign import MORE_SCENES, SCENES, Plan, Tally, open_pool, play_all, trials_of
from .faults import Strike
from .naive import SINS
from .trial import Outcome, Trial
from .world import POSTGRESQL, SQLITE

_MOST_SHOWN = 20
_PLAIN_WIDTH = 130


def main() -> int:
    """Gives the exit code: 0 if nothing was lost, doubled or left unexplained.

    Stopped with Ctrl-C or SIGTERM it shows what it has got until then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options()
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    with ExitStack() as stack:
        server = _server(stack, options.database)
        pool = stack.enter_context(open_pool(options.jobs, server))
        trials = [_again(options.again)] if options.again else trials_of(_plan(options), pool)
        began = time.monotonic()
        outcomes: list[Outcome] = []
        with _progress(console) as progress, suppress(KeyboardInterrupt):
            for outcome in progress.track(play_all(pool, trials), len(trials), description="trials"):
                outcomes.append(outcome)
    _show(console, outcomes, time.monotonic() - began, options)
    is_whole = len(outcomes) == len(trials)
    return 0 if is_whole and not any(outcome.findings for outcome in outcomes) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how often each step is tried (100)")
    parser.add_argument("--seed", type=int, default=1, help="what is left to chance follows from it (1)")
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL), help="one of them; both by default")
    parser.add_argument("--via", choices=("soap", "sftp"), help="one way; both by default")
    parser.add_argument(
        "--scene", choices=SCENES + MORE_SCENES, action="append", help="one kind of trouble; all by default"
    )
    parser.add_argument("--naive", choices=tuple(SINS), default="", help="let the workers commit a sin")
    parser.add_argument("--jobs", type=int, default=2, help="how many trials at a time (2)")
    parser.add_argument("--again", metavar="TRIAL", help="play one trial again, as a failure printed it")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    databases = (options.database,) if options.database else (SQLITE, POSTGRESQL)
    ways = (options.via,) if options.via else ("soap", "sftp")
    scenes = tuple(options.scene or SCENES)
    return Plan(databases, ways, scenes, options.rounds, options.seed, options.naive)


def _server(stack: ExitStack, database: str | None) -> str | None:
    if database == SQLITE:
        return None
    programs = find_programs()
    if programs is None:
        sys.exit("PostgreSQL is not there: install postgresql, or choose --database sqlite")
    return stack.enter_context(Cluster(programs)).url("postgres")


def _again(text: str) -> Trial:
    values = json.loads(text)
    strike = Strike(**values.pop("strike")) if values["strike"] else values.pop("strike")
    return Trial(strike=strike, **values)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _show(console: Console, outcomes: Sequence[Outcome], seconds: float, options: argparse.Namespace) -> None:
    by_step, by_cell = defaultdict(Tally), defaultdict(Tally)
    for outcome in outcomes:
        by_step[_row(outcome.trial)].add(outcome)
        by_cell[outcome.trial.database, outcome.trial.via].add(outcome)
    _table(console, "what went wrong", sorted(by_step.items()))
    _table(console, "in all", sorted((" by ".join(cell), tally) for cell, tally in by_cell.items()))
    failed = [outcome for outcome in outcomes if outcome.findings]
    for outcome in failed[:_MOST_SHOWN]:
        _show_failure(console, outcome, whole=bool(options.again))
    console.print(
        f"{len(outcomes)} trials in {seconds:.0f} s, seed {options.seed}; {len(failed)} failed. "
        f"The longest trial took {max((outcome.seconds for outcome in outcomes), default=0):.1f} s."
    )


def _row(trial: Trial) -> str:
    if trial.strike is None:
        return f"{trial.scene}: {trial.mood.partition(', ')[0]}" if trial.mood else trial.scene
    if not trial.strike.step:
        how = "and all that follow" if trial.strike.for_ever else "once"
        return f"the n-th {trial.strike.kind} call fails, {how}"
    return f"{trial.strike.kind} {trial.strike.step}"


def _table(console: Console, title: str, rows: Iterable[tuple[str, Tally]]) -> None:
    table = Table(title, "trials", "struck", LOST, DOUBLED, UNEXPLAINED, "settled by a person")
    for name, tally in rows:
        counts = (
            tally.trials,
            tally.struck,
            *(tally.findings[kind] for kind in (LOST, DOUBLED, UNEXPLAINED)),
        )
        table.add_row(name, *(str(count) for count in counts), str(tally.asked))
    console.print(table)


def _show_failure(console: Console, outcome: Outcome, *, whole: bool) -> None:
    console.rule()
    for finding in outcome.findings:
        console.print(str(finding), markup=False, highlight=False)
    console.print(f"authority: {outcome.mood}", markup=False, highlight=False)
    log = outcome.log if whole else outcome.log[-600:]
    console.print(log, markup=False, highlight=False)
    console.print(outcome.trial.command(), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
