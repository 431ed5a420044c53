"""The whole daily preparation: select, write, check by schema and rules, hash, and a file in the end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import ledgers
from benchmarks.filling import Contents
from benchmarks.measurement import Measurement, Stage, Trial, program, xmllint
from benchmarks.processes import Cost
from benchmarks.workspaces import Kind, Workspace

_LEFT_BY: dict[Contents, str] = {"new": "one import", "scattered": "daily imports"}


def _trials(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    file = stage.folder / "built.xml"
    for contents, case in _LEFT_BY.items():
        workspace = stage.workspaces.get(kind, contents, size)
        yield Trial(
            case,
            stage.costed(kind, partial(_ours, workspace, file)),
            partial(xmllint, file, "nodurs-20100601.xsd"),
            size,
        )


def _ours(workspace: Workspace, file: Path) -> Cost:
    file.unlink(missing_ok=True)  # a new report is a new file
    return program(workspace, "build", "nodurs", "--date", str(ledgers.DAY), "-o", file)


BUILD = Measurement(
    name="build",
    what="`build nodurs`: every event of the ledger goes into one file, which is checked",
    yardstick="`xmllint --sax --noout --schema` on that file",
    trials=_trials,
    limit=2.0,
    largest=10_000_000,
)
