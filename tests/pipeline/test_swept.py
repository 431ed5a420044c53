"""An exchange server that takes an upload at once, and shows nothing of it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from sqlalchemy import event as event_of
from sqlalchemy import insert

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.tables import answers
from ajpes_reporting.domain.states import State
from ajpes_reporting.pipeline.collect import collect
from ajpes_reporting.pipeline.run import Ending, run
from ajpes_reporting.reports.registry import by_code
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import NOV_17, Bank, event
from tests.pipeline.test_fence import state_of
from tests.servers.odd_sftp import PASSWORD, USERNAME, OddSftp

ANSWER = (
    '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
    ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
)


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[OddSftp]:
    with OddSftp(tmp_path / "odd") as server:
        yield server


@pytest.fixture
def swept(bank: Bank, odd: OddSftp) -> Iterator[Bank]:
    """A bank whose SOAP is out of order, and whose exchange server takes each file as it is closed."""
    path = bank.folder / "ajpes.toml"
    (bank.folder / "secret").write_text(PASSWORD)
    sftp = f"""[sftp]
host = "127.0.0.1"
port = {odd.port}
username = "{USERNAME}"
password = "file:secret"
host_key = "{odd.host_key}"
answer_wait_seconds = 1
"""
    path.write_text(re.sub(r"(?s)\[sftp\].*", sftp, path.read_text()))
    odd.orders.on_close = lambda uploaded: uploaded.unlink()
    bank.authority.faults.add("soap", "refuse")
    bank.context.engine.dispose()
    bank.context = open_context(open_workspace(bank.folder), bank.time)
    bank.record(event("O-1", 1))
    yield bank
    bank.context.engine.dispose()


def uploads(odd: OddSftp) -> int:
    return len(odd.orders.written)


@pytest.mark.parametrize("via", [None, "sftp"])
def test_a_swept_upload_is_not_sent_again(swept: Bank, odd: OddSftp, via: str | None) -> None:
    """AJPES may have it: neither the next run nor the other way sends it a second time."""
    submission = swept.run(via=via).submission
    assert submission is not None
    assert submission.state is State.UNKNOWN
    assert uploads(odd) == 1
    swept.authority.faults.clear()
    assert run(swept.context, by_code("NODURS"), NOV_17).ending is Ending.MUST_BE_SETTLED
    assert collect(swept.context) == []
    assert (uploads(odd), swept.authority.store.submissions()) == (1, [])


def test_a_later_acceptance_of_a_swept_upload_counts(swept: Bank, odd: OddSftp) -> None:
    """The answer tells what no folder did: all of it is reported."""
    submission = swept.run().submission
    assert submission is not None
    (odd.root / "nodurs/iz_ajpes/odgovor.xml").write_text(ANSWER)
    (taken,) = collect(swept.context)
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED
    assert swept.pending() == 0
    assert swept.run().ending is Ending.ALREADY_REPORTED
    assert swept.problems() == ()


def test_a_server_that_sweeps_and_answers_at_once_ends_in_acceptance(swept: Bank, odd: OddSftp) -> None:
    """The run waits for the answer, as it does after any delivery into the folders."""

    def take_and_answer(uploaded: Path) -> None:
        uploaded.unlink()
        (odd.root / "nodurs/iz_ajpes/odgovor.xml").write_text(ANSWER)

    odd.orders.on_close = take_and_answer
    submission = swept.run().submission
    assert submission is not None
    assert state_of(swept, submission.id) is State.ACCEPTED


def test_an_answer_is_waited_for_after_the_session_that_delivered_has_ended(
    swept: Bank, odd: OddSftp
) -> None:
    """A server that ends each session after an upload, while the folder of answers is being read."""
    breaks = [True]

    def drop_once(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        if entry.filename == b"odgovor.xml" and breaks:
            breaks.clear()
            odd.orders.connections[-1].abort()
        return entry

    def take_and_answer(uploaded: Path) -> None:
        uploaded.unlink()
        (odd.root / "nodurs/iz_ajpes/odgovor.xml").write_text(ANSWER)

    odd.orders.on_close, odd.orders.on_list = take_and_answer, drop_once
    submission = swept.run().submission
    assert submission is not None
    assert breaks == []
    assert state_of(swept, submission.id) is State.ACCEPTED
    assert odd.orders.logins == 2


def test_a_swept_upload_that_lies_in_accepted_under_another_name_is_found(swept: Bank, odd: OddSftp) -> None:
    """Its very bytes are there: delivered, and nobody has to telephone."""
    odd.orders.on_close = lambda uploaded: uploaded.rename(odd.root / "nodurs/accepted/1700.xml")  # type: ignore[assignment,return-value]
    submission = swept.run().submission
    assert submission is not None
    collect(swept.context)
    assert state_of(swept, submission.id) is State.DELIVERED
    assert uploads(odd) == 1


def test_a_folder_full_of_known_answers_costs_a_few_questions(swept: Bank, odd: OddSftp) -> None:
    """Nobody empties it for years; what is new is found all the same, also a file that has changed."""
    box = odd.root / "nodurs/iz_ajpes"
    for number in range(2_500):
        (box / f"{number}.xml").touch()
        os.utime(box / f"{number}.xml", (1, 1))
    known = {
        "provider": swept.context.provider, "received_at": swept.time(), "via": "sftp", "remote_size": 0,
        "remote_modified_at": 1, "archive_path": "x", "size_bytes": 0, "sha256": "0" * 64,
        "status": "applied",
    }  # fmt: skip
    with swept.context.engine.begin() as connection:
        rows = [{**known, "remote_name": f"nodurs/{number}.xml"} for number in range(2_499)]
        connection.execute(insert(answers), rows)
    (box / "7.xml").write_text("changed")
    asked: list[str] = []
    event_of.listen(swept.context.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    taken = collect(swept.context)
    assert sorted(one.name for one in taken) == ["2499.xml", "7.xml"]
    assert len([one for one in asked if "remote_name IN" in one]) == 3
    assert collect(swept.context) == []
