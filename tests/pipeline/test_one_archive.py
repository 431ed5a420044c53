"""One archive for each provider of a database, and a provider that is not forgotten with its number."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection, open_workspace
from ajpes_reporting.doctor import Health, examine
from ajpes_reporting.domain.errors import ConfigurationError, OutcomeUnknown
from ajpes_reporting.domain.states import State
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import complete_workspace
from tests.pipeline.conftest import NOV_17, Bank, event


@pytest.fixture
def reported(bank: Bank) -> Bank:
    """A bank that has reported a day."""
    bank.record(event("O-1", 1))
    assert bank.run().submission.state is State.ACCEPTED  # type: ignore[union-attr]
    return bank


@pytest.fixture
def second(reported: Bank, tmp_path: Path) -> Path:
    """Another folder with the same settings, but no archive: somebody set the bank up twice."""
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copy(reported.folder / "ajpes.toml", folder)
    return folder


@pytest.fixture
def opened() -> Iterator[list[Context]]:
    desks: list[Context] = []
    yield desks
    for context in desks:
        context.engine.dispose()


def open_at(folder: Path, bank: Bank, opened: list[Context]) -> Bank:
    context = replace(open_context(open_workspace(folder), bank.time), answer_wait_seconds=3)
    opened.append(context)
    return Bank(folder, context, bank.time, bank.authority)


def test_a_second_workspace_for_the_same_provider_and_database_is_refused(
    second: Path, reported: Bank, opened: list[Context]
) -> None:
    """Two archives would each hold half of what was sent, and neither could prove it."""
    other = open_at(second, reported, opened)
    for act in (other.run, other.collect):
        with pytest.raises(ConfigurationError, match="another archive for provider 5860571000") as refused:
            act()
        assert "--new-archive" in refused.value.remedy
    with pytest.raises(ConfigurationError, match="another archive"):
        complete_workspace(second)
    found = {item.subject: item for item in examine(open_workspace(second), reported.time)}
    assert found["archive"].health is Health.FAILED
    assert not (second / "archive" / "sent.log").exists()
    assert reported.run().ending is Ending.ALREADY_REPORTED


def test_a_workspace_that_was_moved_is_the_same_one(
    reported: Bank, tmp_path: Path, opened: list[Context]
) -> None:
    """A new disk, another mount point: the archive is known by its number, not by its folder."""
    moved = tmp_path / "moved"
    shutil.copytree(reported.folder, moved)
    shutil.rmtree(reported.folder)
    bank = open_at(moved, reported, opened)
    assert bank.run().ending is Ending.ALREADY_REPORTED
    assert bank.problems() == ()


def test_an_archive_that_has_lost_its_log_is_known_by_its_files(
    reported: Bank, opened: list[Context]
) -> None:
    """Brought back from a copy of files that is older than the log, it goes on under its own number."""
    number = reported.context.archive.sent_log.archive()
    (reported.context.archive.root / "sent.log").unlink()
    bank = open_at(reported.folder, reported, opened)
    assert bank.run().ending is Ending.ALREADY_REPORTED
    assert bank.context.archive.sent_log.archive() == number
    assert bank.problems() == ()


def test_a_new_workspace_takes_the_place_of_one_that_is_lost(
    second: Path, reported: Bank, opened: list[Context]
) -> None:
    """By a word of the administrator, on the record; the old one, if it turns up, is refused from then on."""
    complete_workspace(second, new_archive=True)
    bank = open_at(second, reported, opened)
    bank.record(event("O-2", 1), name="more.csv")
    assert bank.run().ending is Ending.ALREADY_REPORTED
    with pytest.raises(ConfigurationError, match="another archive"):
        reported.run()
    assert all("archived file" in problem for problem in verify_all(bank.context).problems)


@pytest.fixture
def renumbered(bank: Bank, opened: list[Context]) -> tuple[int, Bank]:
    """The registration number was changed while a report of the old one is unknown."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_request", times=1)
    unknown = bank.run().submission
    assert unknown is not None
    assert unknown.state is State.UNKNOWN
    write_number(bank, "1572814000")
    return unknown.id, open_at(bank.folder, bank, opened)


def write_number(bank: Bank, number: str) -> None:
    path = bank.folder / "ajpes.toml"
    text = re.sub(
        r'registration_number = "\d+"', f'registration_number = "{number}"', path.read_text("utf-8")
    )
    path.write_text(text, encoding="utf-8")


def test_a_changed_number_does_not_hide_what_is_unknown(
    renumbered: tuple[int, Bank], bank: Bank, opened: list[Context]
) -> None:
    """It may be with AJPES under the old number: it is named, and nothing goes before it is settled."""
    key, other = renumbered
    with pytest.raises(OutcomeUnknown, match=rf"of provider 5860571000 before.*submission {key}"):
        other.run()
    with pytest.raises(OutcomeUnknown):
        other.collect()
    with other.context.engine.connect() as connection:
        log = other.context.archive.sent_log
        alarms = list(conditions(connection, other.context.provider, AlarmsSection(), other.time(), log))
    assert [alarm.kind for alarm in alarms] == ["former"]
    told = [item for item in examine(open_workspace(bank.folder), bank.time) if item.subject == "former"]
    assert [item.health for item in told] == [Health.ALARM]
    write_number(bank, "5860571000")
    back = open_at(bank.folder, bank, opened)
    resolve(back.context, key, "never-arrived", "AJPES")
    write_number(bank, "1572814000")
    assert open_at(bank.folder, bank, opened).run(period=NOV_17).ending is Ending.NOTHING_TO_REPORT
