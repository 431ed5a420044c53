"""The figures a bank's monitoring reads: right, complete, and without anything about a person."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import alarms
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.monitoring.metrics import Watched, figures_as_text
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.unattended import watch_workspace
from tests.pipeline.conftest import Bank, event

BOTH = frozenset({"NODURS", "SPAPP"})


def figures(watched: Watched) -> dict[tuple[str, ...], float]:
    """Each figure by its name and the values of its labels, as Prometheus itself would read them."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(figures_as_text([watched])):
        assert family.documentation
        for sample in family.samples:
            labels = [value for key, value in sample.labels.items() if key != "provider"]
            found[(sample.name.removeprefix("ajpes_"), *labels)] = sample.value
    return found


def of(bank: Bank, reports: frozenset[str] = BOTH) -> dict[tuple[str, ...], float]:
    return figures(Watched(bank.context, reports))


def play(bank: Bank) -> None:
    duty = ProviderSchedule(bank.context, {"NODURS": time(16)}, Retries(), timedelta(minutes=5))
    assert [done for _duty, done in tick([duty], do)]


def test_an_empty_bank_tells_every_figure(bank: Bank) -> None:
    """A figure that comes and goes cannot be watched: each is there from the beginning."""
    found = of(bank)
    assert found[("up",)] == 1
    assert found[("submissions", "NODURS", "refused")] == 0
    assert found[("alarms", "critical")] == found[("alarms", "warning")] == 0
    assert found[("last_tick_timestamp_seconds",)] == 0
    assert found[("archive_free_bytes",)] > 0
    # 17 November, 17:00; NODURS is due at 18:00 of its day (section 5).
    assert found[("next_deadline_seconds", "NODURS")] == 3600


def test_what_was_accepted_counts_and_the_next_deadline_is_tomorrows(bank: Bank) -> None:
    """After the day's report the clock runs for the next day's."""
    bank.record(event("O-1", 1))
    play(bank)
    found = of(bank)
    assert found[("submissions", "NODURS", "accepted")] == 1
    assert found[("reports_open", "NODURS")] == found[("reports_late", "NODURS")] == 0
    assert found[("next_deadline_seconds", "NODURS")] == 25 * 3600
    assert found[("last_tick_timestamp_seconds",)] == bank.time.now.timestamp()
    with bank.context.engine.connect() as connection:
        entries = connection.exec_driver_sql("SELECT count(*) FROM audit_records").scalar()
    assert found[("audit_entries",)] == entries > 0


def test_what_does_not_arrive_is_open_then_late_and_its_tries_are_counted(bank: Bank) -> None:
    """An alert rule on these two figures calls somebody before the deadline, and after it."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse")
    bank.authority.faults.add("sftp", "refuse")
    play(bank)
    found = of(bank)
    assert (found[("reports_open", "NODURS")], found[("reports_late", "NODURS")]) == (1, 0)
    assert found[("tries", "NODURS")] == 1
    assert found[("submissions", "NODURS", "unreachable")] == 1
    bank.time.now = datetime(2026, 11, 17, 18, 10, tzinfo=LJUBLJANA)
    found = of(bank)
    assert found[("reports_late", "NODURS")] == 1
    assert found[("next_deadline_seconds", "NODURS")] == -600


def test_the_wait_for_an_answer_is_told(bank: Bank) -> None:
    """AJPES has the report and is silent: somebody asks after a while."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.run(via="sftp")
    bank.time.pass_by(hours=2)
    assert of(bank)[("oldest_awaiting_answer_seconds",)] == 7200


def test_alarms_count_while_they_stand(bank: Bank) -> None:
    """What is over does not call anybody again."""
    row = {
        "provider": bank.context.provider,
        "key": "k",
        "text": "t",
        "remedy": "r",
        "raised_at": bank.time(),
    }
    with writing(bank.context.engine) as connection:
        connection.execute(
            insert(alarms), [{**row, "severity": name} for name in ("critical", "critical", "warning")]
        )
    found = of(bank)
    assert (found[("alarms", "critical")], found[("alarms", "warning")]) == (2, 1)
    with writing(bank.context.engine) as connection:
        connection.execute(update(alarms).values(cleared_at=bank.time()))
    assert of(bank)[("alarms", "critical")] == 0


def test_a_report_that_is_not_owed_has_no_deadline(bank: Bank) -> None:
    """A bank that sends no SPAPP is not woken by it."""
    assert ("next_deadline_seconds", "SPAPP") not in of(bank, frozenset({"NODURS"}))


def test_nothing_about_a_person_is_told(bank: Bank) -> None:
    """Monitoring is read by many: no name, account, tax number or obligation is in it."""
    bank.record(event("O-1", 1))
    bank.run()
    text = figures_as_text([Watched(bank.context, BOTH)])
    for personal in ("Kovinarstvo", "010000000100187", "50123459", "O-1"):
        assert personal not in text


def test_a_database_that_does_not_answer_is_a_figure_not_a_failure(bank: Bank) -> None:
    """An alert rule sees `ajpes_up 0`; the rest of the page is still there."""
    with writing(bank.context.engine) as connection:
        connection.exec_driver_sql("DROP TABLE chores")
    found = of(bank)
    assert found[("up",)] == 0
    assert ("archive_free_bytes",) in found


def test_the_days_of_the_certificate_are_counted(bank: Bank) -> None:
    """A certificate that runs out stops the daily report."""
    workspace = open_workspace(bank.folder)
    watched = watch_workspace(workspace, bank.time)
    found = figures(watched)
    watched.context.engine.dispose()
    assert found[("certificate_days_left",)] > 300


def test_a_certificate_that_cannot_be_read_takes_no_other_figure_along(bank: Bank) -> None:
    """0 days would say something; a figure that is missing says that nobody knows."""

    def unreadable() -> int:
        raise ConfigurationError("gone")

    found = figures(Watched(bank.context, BOTH, unreadable))
    assert ("certificate_days_left",) not in found
    assert found[("up",)] == 1


def test_the_command_replaces_the_file_as_a_whole(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    """node_exporter, another user, reads the old file or the new one, and nothing is left beside it."""
    folder = bank.folder / "textfile"
    folder.mkdir()
    path = folder / "ajpes.prom"
    path.write_text("old", encoding="utf-8")
    reader = path.open(encoding="utf-8")
    assert run(["-w", str(bank.folder), "metrics", "-o", str(path)]) == 0
    with reader:
        assert reader.read() == "old"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in folder.iterdir()] == ["ajpes.prom"]
    capsys.readouterr()
    assert run(["-w", str(bank.folder), "metrics"]) == 0
    names = [family.name for family in text_string_to_metric_families(capsys.readouterr().out)]
    assert "ajpes_reports_late" in names
    assert names == [family.name for family in text_string_to_metric_families(path.read_text("utf-8"))]


def test_a_folder_that_is_not_there_is_told_in_words(bank: Bank, tmp_path: Path) -> None:
    """A wrong path gives no traceback."""
    path = str(tmp_path / "nowhere" / "ajpes.prom")
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder), "metrics", "-o", path]
    told = subprocess.run(program, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
