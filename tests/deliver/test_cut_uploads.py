"""An upload that is cut, at any byte: the authority never sees a part of a report under its name.

The offsets are those of the line, from the first byte of the greeting to the last one of the
session, so that login, blocks, closing and rename are all hit. Sixty of them; 1,000 with `--full`.
"""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unreachable
from ajpes_reporting.domain.ports import Parcel
from tests.deliver.conftest import MakeParcel
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.sshd import Sshd

NAME = "NODURS_20261117_5860571.xml"
REPORT_BYTES = 120_001
BLOCK_BYTES = 2_048  # small, so that there are many borders of blocks
LAST_STEPS_BYTES = 500  # more than what closing the file, looking at it and its rename take on the line

_apart = multiprocessing.get_context("forkserver")
_apart.set_forkserver_preload(["tests.deliver.test_cut_uploads"])


@pytest.fixture
def report(make_parcel: MakeParcel, dice: random.Random) -> Parcel:
    return make_parcel(dice.randbytes(REPORT_BYTES))


@pytest.fixture
def settings(sftp_settings: SftpServer) -> SftpServer:
    return replace(sftp_settings, largest_write_bytes=BLOCK_BYTES)


@pytest.fixture
def line_bytes(sshd: Sshd, settings: SftpServer, report: Parcel) -> int:
    """How many bytes a whole delivery sends over the line; a few more or less each time."""
    with CuttingProxy(sshd.port) as proxy:
        outcome = SftpCarrier(replace(settings, port=proxy.port)).deliver(report)
        assert isinstance(outcome, Delivered)
    sshd.clear()
    assert proxy.sent > REPORT_BYTES
    return proxy.sent


def offsets(count: int, line_bytes: int, dice: random.Random) -> Iterator[int]:
    """The first byte, the last one (the rename is asked for), a third among the last steps, and anywhere."""
    last_steps = range(line_bytes - LAST_STEPS_BYTES, line_bytes)
    yield 1
    yield from dice.sample(last_steps, count // 3)
    yield from [line_bytes] * (count // 12)
    for _ in range(count - 1 - count // 3 - count // 12):
        yield dice.randrange(1, line_bytes - LAST_STEPS_BYTES)


def test_a_line_that_is_cut_leaves_no_part_of_a_report(
    sshd: Sshd, settings: SftpServer, report: Parcel, line_bytes: int, dice: random.Random, full: bool
) -> None:
    """The network fails at any byte: the report is there as a whole, or not at all, and we know which."""
    ends: Counter[str] = Counter()
    for offset in offsets(600 if full else 36, line_bytes, dice):
        with CuttingProxy(sshd.port, cut_after_sent=offset) as proxy:
            outcome = SftpCarrier(replace(settings, port=proxy.port)).deliver(report)
        ends[_judged(sshd, report, outcome, f"cut at {offset} of {line_bytes}")] += 1
    _tell("the line was cut", ends)


def test_a_line_that_is_cut_directly_leaves_the_report_or_nothing(
    sshd: Sshd, settings: SftpServer, report: Parcel, dice: random.Random, full: bool
) -> None:
    """Written under its own name, a part of it is taken back: it is there as a whole, or not, and we know."""
    directly = replace(settings, upload="direct")
    with CuttingProxy(sshd.port) as proxy:
        assert isinstance(SftpCarrier(replace(directly, port=proxy.port)).deliver(report), Delivered)
    sshd.clear()
    ends: Counter[str] = Counter()
    for offset in offsets(200 if full else 12, proxy.sent, dice):
        with CuttingProxy(sshd.port, cut_after_sent=offset) as cut:
            outcome = SftpCarrier(replace(directly, port=cut.port)).deliver(report)
        ends[_judged(sshd, report, outcome, f"cut at {offset} of {proxy.sent}, directly")] += 1
    _tell("the line was cut, directly", ends)


def test_a_server_that_is_killed_leaves_no_part_of_a_report(
    sshd: Sshd, settings: SftpServer, report: Parcel, line_bytes: int, dice: random.Random, full: bool
) -> None:
    """The authority's machine goes down at any byte, and comes back before we look."""
    ends: Counter[str] = Counter()
    for offset in offsets(200 if full else 12, line_bytes, dice):
        with CuttingProxy(sshd.port, cut_after_sent=offset, at_limit=sshd.kill_sessions) as proxy:
            outcome = SftpCarrier(replace(settings, port=proxy.port)).deliver(report)
        ends[_judged(sshd, report, outcome, f"server killed at {offset} of {line_bytes}")] += 1
    _tell("the server was killed", ends)


def test_a_client_that_is_killed_leaves_no_part_of_a_report(
    sshd: Sshd, settings: SftpServer, report: Parcel, line_bytes: int, dice: random.Random, full: bool
) -> None:
    """Our own machine goes down at any byte: there is nobody to take back what was begun."""
    ends: Counter[str] = Counter()
    for offset in offsets(200 if full else 12, line_bytes, dice):
        code = _kill_client(sshd, settings, report, offset)
        where = f"client killed at {offset} of {line_bytes} (exit {code})"
        ends["delivered" if _is_there(sshd, report, where) else "not there"] += 1
        sshd.clear()
    _tell("the client was killed", ends)


def test_after_a_cut_the_next_try_goes_through(
    sshd: Sshd, settings: SftpServer, report: Parcel, line_bytes: int
) -> None:
    """What a killed upload left behind does not stand in the way of the report."""
    _kill_client(sshd, settings, report, line_bytes // 2)
    left = [each.name for each in sshd.box("nodurs", "v_ajpes").iterdir()]
    assert [name for name in left if not name.endswith(".part")] == []
    assert isinstance(SftpCarrier(settings).deliver(report), Delivered)
    assert _is_there(sshd, report, "the second try")


def _kill_client(sshd: Sshd, settings: SftpServer, report: Parcel, offset: int) -> int | None:
    """Delivers in a process of its own, which is killed when so many bytes have passed."""
    kill: list[Callable[[], None]] = []
    with CuttingProxy(sshd.port, cut_after_sent=offset, at_limit=lambda: kill[0]()) as proxy:
        client = _apart.Process(target=_deliver, args=(replace(settings, port=proxy.port), report))
        kill.append(client.kill)
        client.start()
        client.join(60)
    return client.exitcode


def _deliver(settings: SftpServer, report: Parcel) -> None:
    SftpCarrier(settings).deliver(report)


def _judged(sshd: Sshd, report: Parcel, outcome: Outcome, where: str) -> str:
    """What became of one upload; what we were told must be what lies there. Clears it away."""
    is_there = _is_there(sshd, report, where)
    assert isinstance(outcome, Delivered if is_there else Unreachable), f"{where}: {outcome}"
    left_over = [each for each in sshd.box("nodurs", "v_ajpes").iterdir() if each.name != NAME]
    sshd.clear()
    return "delivered" if is_there else "part file left" if left_over else "taken back"


def _is_there(sshd: Sshd, report: Parcel, where: str) -> bool:
    final: Path = sshd.box("nodurs", "v_ajpes") / NAME
    if not final.exists():
        return False
    assert final.read_bytes() == report.path.read_bytes(), f"{where}: a part of the report has its name"
    return True


def _tell(what: str, ends: Counter[str]) -> None:
    print(f"{what}, {ends.total()} times: {dict(ends)}; 0 parts under the final name")  # noqa: T201
