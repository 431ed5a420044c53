"""One picture: cost against size, and beside it what other ways to the same file cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import MissingError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CASE = "one import"
_INCHES = (11, 4.2)


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws what there is of `build` and `other ways`, as PNG or SVG by the name of the file.

    Raises `MissingError` without matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingError("matplotlib", "requirements-bench.lock") from None

    mpl.use("Agg")  # no screen
    mpl.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    from matplotlib import pyplot

    figure, (growth, ways) = pyplot.subplots(1, 2, figsize=_INCHES, layout="constrained")
    _draw_growth(growth, [one for one in results if one["measurement"] == "build" and one["case"] == _CASE])
    _draw_ways(ways, results)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _draw_growth(axes: Axes, results: Sequence[dict[str, Any]]) -> None:
    """Wall time against the number of events, both by powers of ten: a straight line is linear."""
    for database in dict.fromkeys(one["database"] for one in results):
        series = [one for one in results if one["database"] == database]
        sizes = [one["size"] for one in series]
        (line,) = axes.plot(
            sizes, [one["ours"]["wall_seconds"] for one in series], "o-", label=f"build, {database}"
        )
        axes.plot(
            sizes, [one["yardstick"]["wall_seconds"] for one in series], "s:", color=line.get_color(),
            label=f"xmllint on its file, {database}",
        )  # fmt: skip
    axes.set(xlabel="events", ylabel="seconds", title="Cost against size")
    if results:
        axes.set(xscale="log", yscale="log")
        axes.legend()


def _draw_ways(axes: Axes, results: Sequence[dict[str, Any]]) -> None:
    """Times the yardstick, at the largest size at which the others were tried."""
    others = [one for one in results if one["measurement"] == "other ways"]
    largest = max((one["size"] for one in others), default=0)
    ours = [one for one in results if one["measurement"] == "build" and one["case"] == _CASE]
    bars = {f"build, {one['database']}": one["figure"] for one in ours if one["size"] == largest}
    bars |= {one["case"]: one["figure"] for one in others if one["size"] == largest}
    drawn = axes.barh(list(bars), list(bars.values()))
    axes.bar_label(drawn, fmt="%.1f", padding=2)
    axes.invert_yaxis()
    axes.margins(x=0.12)  # room for the figures
    axes.set(xlabel="times xmllint", title=f"Other ways, {largest:,} events")
