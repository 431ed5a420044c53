"""What is shown and kept of the results: a table, JSON, a plot, and the page in docs/."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.measurement import ROOT, Measurement

Document = dict[str, Any]
"""What is kept as JSON: `machine`, `results`, and of the last run `missing` and `failures`."""

_HEAD = (
    "what", "case", "database", "records", "figure", "limit", "seconds", "of yardstick", "work", "in server",
    "of yardstick", "MiB", "of yardstick",
)  # fmt: skip
_PAGE = ROOT / "docs" / "performance.md"
_PLOT = ROOT / "docs" / "performance.svg"
_MEMORY_LIMIT_BYTES = 100 << 20
_MEMORY_GROWTH = 1.1
_SMALL_DAY_GROWTH = 1.2


def open_document(path: Path) -> Document:
    """What was measured before on this machine, or nothing yet."""
    document: Document = {"machine": _machine(), "results": [], "missing": [], "failures": []}
    with suppress(FileNotFoundError):
        before = read_json(path)
        if before["machine"] == document["machine"]:
            document["results"] = before["results"]
    return document


def add(document: Document, result: Document) -> None:
    """Adds a result, in the place of an earlier one of the same."""
    result |= {
        "taken_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
    }
    others = [one for one in document["results"] if _key(one) != _key(result)]
    document["results"] = sorted([*others, result], key=_key)


def _key(result: Document) -> tuple[int, str, str, str]:
    return result["size"], result["measurement"], result["database"], result["case"]


def _machine() -> Document:
    """On what the figures are taken."""
    return {
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": _said("psql", "--version"),
        "xmllint": _said("xmllint", "--version"),
    }


def table(document: Document) -> str:
    """All results as a table in Markdown, then what follows from several of them."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_row, document["results"])]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    told = [
        f"- {line}"
        for line in (*conclusions(document["results"]), *document["missing"], *document["failures"])
    ]
    return "\n".join([*lines, "", *told])


def conclusions(results: Sequence[Document]) -> Iterator[str]:
    """What the limits say of growth and memory, which no single result can tell."""
    for (database, case), series in _series(results, "build"):
        peaks = {one["size"]: one["ours"]["peak_bytes"] for one in series if one["size"] >= 100_000}
        if len(peaks) > 1:
            growth = max(peaks.values()) / min(peaks.values())
            yield (
                f"build, {database}, {case}: at most {_mib(max(peaks.values()))} MiB"
                f" ({_verdict(max(peaks.values()) < _MEMORY_LIMIT_BYTES)}: less than 100);"
                f" {growth:.2f} times from {min(peaks):,} to {max(peaks):,} events"
                f" ({_verdict(growth <= _MEMORY_GROWTH)}: at most {_MEMORY_GROWTH})"
            )
    for (database, _case), series in _series(results, "small day"):
        days = {one["size"]: one["figure"] for one in series}
        if {1_000_000, 10_000_000} <= set(days):
            growth = days[10_000_000] / days[1_000_000]
            yield (
                f"small day, {database}: {growth:.2f} times from 1,000,000 to 10,000,000 events"
                f" ({_verdict(growth <= _SMALL_DAY_GROWTH)}: at most {_SMALL_DAY_GROWTH})"
            )


def write_json(document: Document, path: Path) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Document:
    kept: Document = json.loads(path.read_text(encoding="utf-8"))
    return kept


def write_docs(document: Document, measurements: Iterable[Measurement]) -> None:
    """Puts the table, the yardsticks and the plot into the page; what stands there is replaced.

    Raises `MissingError` without matplotlib.
    """
    page = _PAGE.read_text(encoding="utf-8")
    page = _replaced(page, "yardsticks", _yardsticks(measurements))
    page = _replaced(page, "figures", f"{_taken(document)}\n\n{table(document)}")
    plot.draw(document["results"], _PLOT)
    _PAGE.write_text(_replaced(page, "plot", f"![Cost against size]({_PLOT.name})"), encoding="utf-8")


def yardsticks_page(measurements: Iterable[Measurement]) -> str:
    """The page as it must be for these measurements; a test compares."""
    return _replaced(_PAGE.read_text(encoding="utf-8"), "yardsticks", _yardsticks(measurements))


def _yardsticks(measurements: Iterable[Measurement]) -> str:
    rows = ["| name | what | yardstick | limit |", "|---|---|---|---|"]
    rows += [f"| {one.name} | {one.what} | {one.yardstick} | {_limit_of(one)} |" for one in measurements]
    return "\n".join(rows)


def _limit_of(measurement: Measurement) -> str:
    if measurement.limit is None:
        return ""
    where = f" from {measurement.limit_from:,} records" if measurement.has_sizes else ""
    return _figure(measurement.limit, measurement.unit) + where


def _replaced(page: str, name: str, text: str) -> str:
    return re.sub(
        rf"(<!-- {name} -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{text}\n{found[2]}",
        page,
        count=1,
        flags=re.DOTALL,
    )


def _taken(document: Document) -> str:
    one, results = document["machine"], document["results"]
    memory = one["memory_bytes"] >> 30
    days = [result["taken_at"][:10] for result in results]
    first_and_last = sorted({min(days, default=""), max(days, default="")})
    commits = ", ".join(dict.fromkeys(result["commit"] for result in sorted(results, key=_taken_at)))
    return (
        f"Taken on {' to '.join(first_and_last)} of {commits}, on {one['processors']}"
        f" processors with {memory} GiB, Python {one['python']}, SQLite {one['sqlite']}, {one['postgresql']},"
        f" {one['xmllint']}."
    )


def _taken_at(result: Document) -> str:
    moment: str = result["taken_at"]
    return moment


def _row(one: Document) -> tuple[str, ...]:
    ours, yardstick = one["ours"], one["yardstick"]
    limit = one["limit"]
    return (
        one["measurement"],
        one["case"],
        one["database"],
        f"{one['size']:,}" if one["size"] else "",
        _figure(one["figure"], one["unit"]),
        "" if limit is None else f"{_figure(limit, one['unit'])}, {_verdict(one['figure'] <= limit)}",
        f"{ours['wall_seconds']:.2f}",
        f"{yardstick['wall_seconds']:.2f}",
        f"{ours['cpu_seconds'] + ours['server_seconds']:.2f}",
        f"{ours['server_seconds']:.2f}" if ours["server_seconds"] else "",
        f"{yardstick['cpu_seconds'] + yardstick['server_seconds']:.2f}",
        _mib(ours["peak_bytes"]),
        _mib(yardstick["peak_bytes"]),
    )


def _series(results: Sequence[Document], name: str) -> Iterator[tuple[tuple[str, str], list[Document]]]:
    kept = [one for one in results if one["measurement"] == name]
    for key in dict.fromkeys((one["database"], one["case"]) for one in kept):
        yield key, [one for one in kept if (one["database"], one["case"]) == key]


def _figure(figure: float, unit: str) -> str:
    return f"{figure:.2f} times" if unit == "times" else f"{figure:.2f} s"


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "NOT MET"


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f}"


def _said(*command: str) -> str:
    """What a program says first, on either stream; nothing if it is not there."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
