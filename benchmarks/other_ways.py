"""The same file as it is usually written, to see what the way of writing costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measurement import Measurement, Stage, Trial, xmllint
from benchmarks.processes import MissingError, run
from benchmarks.workspaces import Kind

# The module in `ways`, what it is called, and the library that must be there.
_WAYS = {
    "orm_tree": ("ORM, lxml tree", "lxml"),
    "zeep_dictionaries": ("zeep from dictionaries", "zeep"),
    "xmlschema_encode": ("xmlschema encode", "xmlschema"),
    "xsdata_classes": ("xsdata", "xsdata"),
}


def _trials(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    workspace = stage.workspaces.get(kind, "new", size)
    file = stage.folder / "other.xml"
    for module, (name, library) in _WAYS.items():
        if find_spec(library) is None:
            raise MissingError(library, "the dependency group `bench`")
        command: list[str | Path] = [sys.executable, "-m", f"benchmarks.ways.{module}", workspace.url, file]
        yield Trial(name, partial(run, command), partial(xmllint, file, "nodurs-20100601.xsd"), size)


OTHER_WAYS = Measurement(
    name="other ways",
    what="the same events written by libraries as they are usually used: see `benchmarks/ways`",
    yardstick="`xmllint --sax --noout --schema` on the file that came of it",
    trials=_trials,
    largest=100_000,
    databases=("sqlite",),
)
