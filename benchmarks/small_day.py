"""A thousand changed events, in a ledger with years of accepted ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from benchmarks import ledgers
from benchmarks.filling import STILL_PENDING
from benchmarks.measurement import Measurement, Stage, Trial, program
from benchmarks.processes import run
from benchmarks.workspaces import Kind


def _trials(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    workspace = stage.workspaces.get(kind, "accepted", size)
    words = ("build", "nodurs", "--date", str(ledgers.DAY), "-o", stage.folder / "small.xml")
    yield Trial(
        "1,000 changed events",
        stage.costed(kind, partial(program, workspace, *words)),
        partial(run, [sys.executable, "-c", "pass"]),
        STILL_PENDING,
    )


SMALL_DAY = Measurement(
    name="small day",
    what="`build nodurs` where 1,000 events in as many obligations are new and all others were accepted",
    yardstick="`python -c pass`, the start of the interpreter, which is taken off",
    trials=_trials,
    unit="seconds",
    limit=1.0,
    largest=10_000_000,
)
