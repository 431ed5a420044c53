"""A run signs in at the exchange server once: servers admit so many logins a minute, and then none."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.config import open_workspace
from ajpes_reporting.domain.periods import Day, Month
from ajpes_reporting.domain.states import State
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import NOV_17, NOV_18, OCTOBER, Bank, event
from tests.pipeline.test_fence import state_of
from tests.pipeline.test_schedule import duties, import_accounts
from tests.servers.sshd import Sshd, find_sshd, running_sshd

ANSWER = (
    '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
    ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
)
WAIT_SECONDS = 1.2  # some five looks


@pytest.fixture(scope="module")
def one_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    program = find_sshd()
    if program is None:
        pytest.skip("install openssh-server")
    with running_sshd(program, tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def sshd(one_sshd: Sshd) -> Sshd:
    one_sshd.clear()
    return one_sshd


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


@pytest.fixture
def bank(bank: Bank, sshd: Sshd) -> Bank:
    """A bank whose exchange server is OpenSSH's."""
    path = bank.folder / "ajpes.toml"
    sftp = f"""[sftp]
host = "127.0.0.1"
port = {sshd.port}
username = "{sshd.username}"
private_key = "{sshd.private_key}"
host_key = "{sshd.host_key}"
answer_wait_seconds = {WAIT_SECONDS}
"""
    path.write_text(re.sub(r"(?s)\[sftp\].*", sftp, path.read_text()))
    bank.context.engine.dispose()
    bank.context = open_context(open_workspace(bank.folder), bank.time)
    bank.record(event("O-1", 1))
    return bank


@pytest.mark.parametrize(("code", "period"), [("NODURS", NOV_17), ("SPAPP", OCTOBER)])
def test_a_run_that_waits_for_an_answer_signs_in_once(
    bank: Bank, sshd: Sshd, code: str, period: Day | Month
) -> None:
    """It looks first, delivers, and looks for an answer four times a second, over one session."""
    import_accounts(bank)
    before = sshd.logins()
    submission = bank.run(code, period, via="sftp").submission
    assert submission is not None
    assert submission.state is State.DELIVERED
    assert sshd.logins() - before == 1


def test_a_run_fetches_the_answer_over_the_session_that_delivered(bank: Bank, sshd: Sshd) -> None:
    """An answer that comes while the run waits is taken in without another login."""

    over = threading.Event()

    def answer() -> None:
        while not over.wait(0.05):
            if list(sshd.box("nodurs", "v_ajpes").glob("*.xml")):
                (sshd.box("nodurs", "iz_ajpes") / "odgovor.xml").write_text(ANSWER)
                return

    authority = threading.Thread(target=answer)
    authority.start()
    before = sshd.logins()
    submission = bank.run(via="sftp").submission
    over.set()
    authority.join()
    assert submission is not None
    assert state_of(bank, submission.id) is State.ACCEPTED
    assert sshd.logins() - before == 1


def test_collect_looks_into_both_folders_with_one_login(bank: Bank, sshd: Sshd) -> None:
    """Looking for what is unknown, and for the answers to both reports, takes one session."""
    bank.context = replace(bank.context, answer_wait_seconds=0)
    bank.run(via="sftp")
    (sshd.box("nodurs", "iz_ajpes") / "odgovor.xml").write_text(ANSWER)
    before = sshd.logins()
    (taken,) = bank.collect()
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED
    assert sshd.logins() - before == 1


def test_a_tick_signs_in_once(bank: Bank, sshd: Sshd) -> None:
    """It fetches answers and sends what is due, one after the other, over one session."""
    bank.context = replace(bank.context, answer_wait_seconds=0)
    bank.run(via="sftp")
    bank.authority.faults.add("soap", "refuse")
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="next.csv")
    before = sshd.logins()
    done = [each for _duty, each in tick(duties(bank), do)]
    assert [each.period for each in done] == [NOV_18]  # type: ignore[union-attr]  # they are results
    assert sorted(each.name for each in sshd.box("nodurs", "v_ajpes").iterdir()) == [
        "NODURS_20261117_5860571.xml",
        "NODURS_20261118_5860571.xml",
    ]
    assert sshd.logins() - before == 1


def test_the_same_bytes_go_again_with_one_login(bank: Bank, sshd: Sshd) -> None:
    """`resubmit --same` looks for strangers' reports first, and sends over the same session."""
    bank.context = replace(bank.context, answer_wait_seconds=0)
    (sshd.box("nodurs", "v_ajpes")).rmdir()
    submission = bank.run(via="sftp").submission
    assert submission is not None
    assert submission.state is State.UNREACHABLE
    (sshd.box("nodurs", "v_ajpes")).mkdir()
    before = sshd.logins()
    assert bank.resubmit(submission.id, same=True, via="sftp").ending is Ending.ATTEMPTED
    assert state_of(bank, submission.id) is State.DELIVERED
    assert sshd.logins() - before == 1


def test_a_session_that_breaks_is_opened_again(bank: Bank, sshd: Sshd) -> None:
    """The server ends idle sessions, say, while a large report is built: the run signs in once more."""
    sent = bank.context.ways

    def end_sessions(*arguments: object) -> object:
        sshd.kill_sessions()
        return sent(*arguments)  # type: ignore[arg-type]  # passed on as they are

    bank.context = replace(bank.context, ways=end_sessions, answer_wait_seconds=0)  # type: ignore[arg-type]  # the same
    before = sshd.logins()
    submission = bank.run(via="sftp").submission
    assert submission is not None
    assert submission.state is State.DELIVERED
    assert sshd.logins() - before == 2
