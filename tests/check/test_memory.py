"""A check reads a stream: memory does not grow with the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.check.conftest import NODURS_SAMPLE

_EVENTS_PER_OBLIGATION = 10
_MOST_GROWTH_KIB = 12_000

_PROGRAM = """
import pathlib, re, sys
from tests.check.conftest import check_path
checked = check_path(pathlib.Path(sys.argv[1]))
assert checked.ok, checked.findings
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss would tell of whoever started it, too
print(checked.record_count, re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
"""


def test_ten_times_the_events_need_no_more_memory(tmp_path: Path) -> None:
    """The largest bank's report is checked on the smallest machine."""
    (few, small), (many, large) = (_checked(tmp_path, events) for events in (10_000, 100_000))
    assert (few, many) == (10_000, 100_000)
    assert large - small < _MOST_GROWTH_KIB


def _checked(folder: Path, events: int) -> tuple[int, int]:
    """How many records a fresh process saw in a file of so many events, and its peak in KiB."""
    path = folder / f"{events}.xml"
    _write(path, events)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, path], check=True, capture_output=True, text=True, timeout=300
    )
    count, peak = done.stdout.split()
    return int(count), int(peak)


def _write(path: Path, events: int) -> None:
    head = NODURS_SAMPLE[: NODURS_SAMPLE.index(b"<Dolznik")].decode()
    head = head.replace('steviloZapisov="2"', f'steviloZapisov="{events}"').replace(
        '"1000000"', f'"{events}"'
    )
    history = "".join(
        f'<No id="{number}" sSpre="01" dSpre="2026-11-03" znesek="1" dtVpis="2026-11-03T10:00:00" prior="1">'
        '<Upnik rn="020450000123478"><Naziv>Center za socialno delo</Naziv></Upnik></No>'
        for number in range(_EVENTS_PER_OBLIGATION)
    )
    with path.open("w", encoding="utf-8") as out:
        out.write(head)
        for obligation in range(events // _EVENTS_PER_OBLIGATION):
            out.write(
                '<Dolznik davcna="34567399"><Naziv>Pekarna Orel d.o.o.</Naziv><Tr rn="010000000100478">'
                f'<Blok id="O-{obligation}" izdajatelj="2">{history}</Blok></Tr></Dolznik>'
            )
        out.write("</Nodurs>")
