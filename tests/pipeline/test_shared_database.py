"""Several banks in one database: each sees, proves, exports and backs up its own, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from ajpes_reporting.alarms.conditions import AUDIT_CHORE
from ajpes_reporting.alarms.machine import clock
from ajpes_reporting.backup.make import back_up
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.lease import Purpose, lock_key
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.journal import chain, chores
from ajpes_reporting.monitoring.metrics import Watched, figures_as_text
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from tests.journal.forging import rewrite, rows, unlock
from tests.pipeline.conftest import event
from tests.pipeline.test_bureau import BANKS, authorities, bureau, duties, record, told

__all__ = ["authorities", "bureau", "duties"]

A, B = (number for number, _name in BANKS.values())


@pytest.fixture
def both(
    duties: list[ProviderSchedule], bureau: Path, authorities: dict[str, Sandbox]
) -> list[ProviderSchedule]:
    """Two banks that have reported."""
    for number, duty in enumerate(duties, 1):
        record(duty, bureau, event("O-1", 1, amount_cents=number * 100, name=f"Dolžnik {number} d.o.o."))
    told(duties)
    return duties


def forge(duty: ProviderSchedule, seq: int, **values: object) -> None:
    """Changes an entry of the record past the triggers; without a `hash` it keeps its own."""
    with writing(duty.context.engine) as connection:
        unlock(connection)
        rewrite(connection, [{**row, **(values if row["seq"] == seq else {})} for row in rows(connection)])


def newest_of(duty: ProviderSchedule, provider: str) -> dict[str, object]:
    with duty.context.engine.connect() as connection:
        return [row for row in rows(connection) if row["provider"] == provider][-1]


@pytest.mark.parametrize("edit", ["state = 'refused'", "sha256 = content_sha256", "period = '2026-11-01'"])
def test_an_altered_row_of_another_bank_is_that_banks_trouble(
    both: list[ProviderSchedule], edit: str
) -> None:
    """Bank A's auditor is not told of B, and its clerk is not called at night for it."""
    with writing(both[0].context.engine) as connection:
        connection.execute(text(f"UPDATE submissions SET {edit} WHERE provider = '{B}'"))
    ours, theirs = (verify_all(duty.context) for duty in both)
    assert (ours.problems, ours.remarks) == ((), ())
    assert theirs.problems
    for duty in both:
        for chore in duty.chores:
            if chore.name == AUDIT_CHORE:
                chore.do()
    with both[0].context.engine.connect() as connection:
        assert chores.note(connection, A, AUDIT_CHORE) == ""
        assert chores.note(connection, B, AUDIT_CHORE) != ""


def test_an_altered_entry_of_another_bank_is_a_remark(both: list[ProviderSchedule]) -> None:
    """What links the chain does not match: A is told to call the administrator, and is whole itself."""
    forge(both[0], int(str(newest_of(both[0], B)["seq"])), body="{}")
    ours, theirs = (verify_all(duty.context) for duty in both)
    assert ours.problems == ()
    assert [remark.endswith("Tell the administrator of the database") for remark in ours.remarks] == [True]
    assert theirs.problems


def test_an_entry_of_another_bank_with_a_hash_of_its_own_is_a_remark(both: list[ProviderSchedule]) -> None:
    """Rewritten with a right hash, it no longer is what the next entry, one of ours, has sealed."""
    record(both[0], both[0].context.archive.root.parent, event("O-2", 1))
    last = newest_of(both[0], B)
    forged = chain.Entry(**{**last, "body": "{}"})  # type: ignore[arg-type]
    forge(both[0], forged.seq, body="{}", hash=forged.expected_hash())
    ours, theirs = (verify_all(duty.context) for duty in both)
    assert ours.problems == ()
    assert len(ours.remarks) == 1
    assert theirs.problems


@pytest.mark.parametrize("value", [B, "1572814001"])
def test_an_entry_of_ours_cannot_be_passed_off_as_another_banks(
    both: list[ProviderSchedule], value: str
) -> None:
    """Whoever writes another provider into an entry does not get it out of its owner's sight."""
    forge(both[0], int(str(newest_of(both[0], A)["seq"])), provider=value)
    assert verify_all(both[0].context).problems


def test_an_entry_of_ours_that_is_altered_is_ours_to_find(both: list[ProviderSchedule]) -> None:
    """Also where the next entry, which has sealed it, is of the other bank."""
    first = next(row for row in rows_of(both[0]) if row["provider"] == A)
    forged = chain.Entry(**{**first, "body": "{}"})
    forge(both[0], forged.seq, body="{}", hash=forged.expected_hash())
    assert verify_all(both[0].context).problems
    assert verify_all(both[1].context).problems == ()


def rows_of(duty: ProviderSchedule) -> list[dict[str, object]]:
    with duty.context.engine.connect() as connection:
        return rows(connection)


def test_an_export_holds_of_other_banks_the_hashes_alone(
    both: list[ProviderSchedule], bureau: Path, tmp_path: Path
) -> None:
    """An auditor of A reads nothing of B, and can still follow every link."""
    output = tmp_path / "audit.jsonl"
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bureau / "bank-a"), "--json"]
    done = subprocess.run(
        [*program, "audit", "export", "-o", output], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    own = [line for line in lines if "body" in line]
    others = [line for line in lines if "body" not in line]
    assert json.loads(done.stdout)["entries"] == len(own)
    assert {line["provider"] for line in own} == {A}
    assert {frozenset(line) for line in others} == {frozenset({"seq", "previous_hash", "hash"})}
    assert B not in output.read_text("utf-8")
    assert [line["previous_hash"] for line in lines] == ["0" * 64, *(line["hash"] for line in lines[:-1])]


def test_figures_count_a_banks_own_entries(both: list[ProviderSchedule]) -> None:
    """The monitoring of A does not see how busy B is."""
    with both[0].context.engine.connect() as connection:
        own = chain.count_of(connection, A)
    assert 0 < own < len(rows_of(both[0]))
    shown = figures_as_text([Watched(both[0].context, frozenset())])
    assert f'ajpes_audit_entries{{provider="{A}"}} {own}.0' in shown


def test_a_backup_is_not_taken_into_another_banks_folder(
    both: list[ProviderSchedule], bureau: Path, tmp_path: Path
) -> None:
    """B's backup would leave A's without its archive; A's is restored as it was."""
    folder = tmp_path / "backup"
    workspaces = [open_workspace(bureau / name) for name in BANKS]
    back_up(workspaces[0], both[0].context, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=f"is of provider {A}, this workspace of {B}"):
        back_up(workspaces[1], both[1].context, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1234567000", str(1234567000 + 2**31)),
        ("1234567", str(1234567 + 2**31)),
        ("1234567", "0001234567"),
        ("0000000", "2147483648"),
        ("9999999", "9999999999"),
    ],
)
def test_no_two_providers_share_a_lock(one: str, other: str) -> None:
    """A run of one bank does not keep another's waiting, whatever their numbers are."""
    keys = [tuple(lock_key(number, purpose).values()) for number in (one, other) for purpose in Purpose]
    assert len(set(keys)) == len(keys)
    assert all(0 <= number < 2**31 for key in keys for number in key)


def test_a_provider_of_today_keeps_its_lock() -> None:
    """Workers of this version and of the one before exclude each other while they are exchanged."""
    assert lock_key("1572814000", Purpose.RUN) == {"ours": 0x414A5052, "provider": 1572814000}
    assert lock_key("5860571", Purpose.ALARMS) == {"ours": 0x414A5041, "provider": 5860571}


def test_another_banks_wrong_clock_is_no_alarm_of_ours(both: list[ProviderSchedule]) -> None:
    """An entry from the future, written on B's machine, does not send A's administrator to his clock."""
    now = both[0].context.clock()
    with writing(both[1].context.engine) as connection:
        chain.append(connection, at=now + timedelta(days=1), provider=B, kind="import", body={})
    with both[0].context.engine.connect() as connection:
        told = {number: [look.alarm for look in clock(connection, now, number)] for number in (A, B)}
    assert all(alarm is None or "record" not in alarm.text for alarm in told[A])
    assert any(alarm is not None and "record" in alarm.text for alarm in told[B])
