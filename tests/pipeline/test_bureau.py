"""A service bureau: several providers in one installation and one database, each on its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ajpes_reporting.config import open_workspace, open_workspaces
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError, UsageError
from ajpes_reporting.journal import chores
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.run import Ending, Result
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.tick import TICK, do, tick
from ajpes_reporting.unattended import open_installation
from tests.pipeline.conftest import HEADER, Time, event

BANKS = {"bank-a": ("5860571000", "Banka A d.d."), "bank-b": ("1572814000", "Banka B d.d.")}


@pytest.fixture
def authorities(tmp_path: Path, clock: Time) -> Iterator[dict[str, Sandbox]]:
    """Each bank has an account of its own at the authority."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                Sandbox(tmp_path / f"authority-{name}", registration_number=number, name=title,
                        clock=clock, poll_seconds=0.05)
            )
            for name, (number, title) in BANKS.items()
        }  # fmt: skip


@pytest.fixture
def bureau(tmp_path: Path, database_url: str, authorities: dict[str, Sandbox]) -> Path:
    """Two workspaces that share a database, in a folder that lists them."""
    folder = tmp_path / "bureau"
    engine = open_engine(database_url)
    upgrade(engine)
    engine.dispose()
    for name, authority in authorities.items():
        (folder / name).mkdir(parents=True)
        settings = re.sub(
            r'url = "sqlite:[^"]*"', f'url = "{database_url}"', authority.settings(folder / name)
        )
        (folder / name / "ajpes.toml").write_text(
            f'{settings}\n[schedule]\nreports = ["nodurs"]\n', encoding="utf-8"
        )
    (folder / "ajpes.toml").write_text('workspaces = ["bank-a", "bank-b"]\n', encoding="utf-8")
    return folder


@pytest.fixture
def duties(bureau: Path, clock: Time) -> Iterator[list[ProviderSchedule]]:
    duties = list(open_installation(bureau, clock).duties)
    yield duties
    for duty in duties:
        duty.context.engine.dispose()


def record(duty: ProviderSchedule, folder: Path, *rows: str) -> None:
    path = folder / f"rows-{duty.context.provider}.csv"
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    import_files(duty.context, [path])


def told(duties: list[ProviderSchedule]) -> list[tuple[str, Ending | type[AjpesReportingError]]]:
    return [
        (duty.context.provider, done.ending if isinstance(done, Result) else type(done))
        for duty, done in tick(duties, do)
    ]


def test_each_provider_reports_its_own(
    duties: list[ProviderSchedule], bureau: Path, authorities: dict[str, Sandbox]
) -> None:
    """The same obligation number at two banks: each authority gets that of its own bank, once."""
    for number, duty in enumerate(duties, 1):
        record(duty, bureau, event("O-1", 1, amount_cents=number * 100))
    assert told(duties) == [("5860571000", Ending.ATTEMPTED), ("1572814000", Ending.ATTEMPTED)]
    assert told(duties) == []
    for number, authority in enumerate(authorities.values(), 1):
        (submission,) = authority.store.submissions()
        assert submission.is_accepted
        (sent,) = authority.store.events("O-1")
        assert sent["amount_cents"] == number * 100
    assert [verify_all(duty.context).problems for duty in duties] == [(), ()]


def test_one_provider_in_trouble_does_not_keep_the_other(
    duties: list[ProviderSchedule], bureau: Path, authorities: dict[str, Sandbox]
) -> None:
    """One bank's certificate is revoked: the other bank reports in time."""
    for duty in duties:
        record(duty, bureau, event("O-1", 1))
    settings = bureau / "bank-a" / "ajpes.toml"
    without_keys = re.sub("(host_key|client_key) = .*", r'\1 = "nonsense"', settings.read_text())
    settings.write_text(without_keys)
    broken = list(open_installation(bureau, duties[0].context.clock).duties)
    (first, what), (second, ending) = told(broken)
    assert (first, second, ending) == ("5860571000", "1572814000", Ending.ATTEMPTED)
    assert what is ConfigurationError
    for duty in broken:
        duty.context.engine.dispose()


def test_settings_that_cannot_be_read_do_not_keep_the_other_bank(
    duties: list[ProviderSchedule], bureau: Path, authorities: dict[str, Sandbox]
) -> None:
    """A slip in one bank's file, made in the night: the other bank is served, and the slip is told."""
    record(duties[1], bureau, event("O-1", 1))
    (bureau / "bank-a" / "ajpes.toml").write_text("nonsense", encoding="utf-8")
    installation = open_installation(bureau, duties[0].context.clock)
    assert [type(error) for error in installation.broken] == [ConfigurationError]
    assert told(list(installation.duties)) == [("1572814000", Ending.ATTEMPTED)]
    installation.duties[0].context.engine.dispose()
    (bureau / "bank-b" / "ajpes.toml").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigurationError):
        open_installation(bureau)


def test_a_bank_whose_settings_are_mended_is_served_without_a_restart(
    duties: list[ProviderSchedule], bureau: Path, authorities: dict[str, Sandbox]
) -> None:
    """After a night's slip nobody has to remember to restart the program."""
    path = bureau / "bank-b" / "ajpes.toml"
    for folder in ("bank-a", "bank-b"):
        settings = bureau / folder / "ajpes.toml"
        settings.write_text(
            settings.read_text("utf-8").replace("[schedule]", "[schedule]\nevery_seconds = 1")
        )
    right = path.read_text(encoding="utf-8")
    path.write_text("nonsense", encoding="utf-8")
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bureau), "schedule"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "not valid TOML" in process.stderr.readline()
        assert "is at work for 5860571000." in process.stderr.readline()
        path.write_text(right, encoding="utf-8")
        wait_until(lambda: ticked(duties[1]))
        process.terminate()
        assert process.wait(30) == 0


def ticked(duty: ProviderSchedule) -> bool:
    with duty.context.engine.connect() as connection:
        return chores.last_done(connection, duty.context.provider, TICK) is not None


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_command_for_one_provider_wants_to_know_which(bureau: Path) -> None:
    """Nobody sends for the wrong bank by accident."""
    with pytest.raises(UsageError, match=r"2 workspaces: bank-a, bank-b"):
        open_workspace(bureau)


@pytest.mark.parametrize(
    "text",
    [
        'workspaces = ["bank-a"]\n[provider]\nname = "X"\n',
        "workspaces = []\n",
        'workspaces = ["bank-a", "bank-a"]\n',
        "workspaces = 7\n",
        'workspaces = ["nowhere"]\n',
    ],
)
def test_a_list_that_is_no_list_of_workspaces_is_refused(bureau: Path, text: str) -> None:
    """A slip in the list is told, and no bank is left out in silence."""
    (bureau / "ajpes.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        open_workspaces(bureau)
