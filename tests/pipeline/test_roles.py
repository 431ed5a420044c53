"""The two roles on PostgreSQL: one owns the tables, the other does the whole job and cannot change a fact.

They are set up by the SQL that operating.md prints, taken from the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import psycopg
import pytest

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import APPEND_ONLY, metadata
from ajpes_reporting.doctor import Health, examine
from ajpes_reporting.domain.periods import Day
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, orphans
from ajpes_reporting.journal.sent_log import HandedOver
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.shipped import sample
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import NOV_18, OCTOBER, Bank, Time, event
from tests.poison import UNREADABLE
from tests.servers.postgres import Cluster

NOV_20 = Day(datetime(2026, 11, 20).date())

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def printed_sql() -> tuple[str, str, str]:
    """What an administrator types: as a superuser, then in the new database, then after `init`."""
    section = PAGE.split("\n## PostgreSQL\n")[1].split("\n## ")[0]
    set_up, grants, _queue = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    outside, inside = set_up.replace("'…'", "'geslo'").split("\\c ajpes\n")
    return outside, inside, grants


def execute(cluster: Cluster, user: str, database: str, sql: str) -> None:
    with connect(cluster, user, database) as connection:
        for statement in filter(None, map(str.strip, sql.split(";"))):
            connection.execute(statement.encode())


def connect(cluster: Cluster, user: str, database: str = "ajpes") -> psycopg.Connection:
    return psycopg.connect(
        f"host=127.0.0.1 port={cluster.port} user={user} dbname={database}", autocommit=True
    )


def url(cluster: Cluster, user: str) -> str:
    return f"postgresql://{user}@127.0.0.1:{cluster.port}/ajpes"


@pytest.fixture(scope="module")
def cluster(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with both roles and the tables, set up as the page says."""
    outside, inside, grants = printed_sql()
    execute(postgres, "tester", "postgres", outside)
    try:
        execute(postgres, "tester", "ajpes", inside)
        owner = {**os.environ, "AJPES_REPORTING_DATABASE__URL": url(postgres, "ajpes_owner")}
        command = [
            sys.executable,
            "-m",
            "ajpes_reporting",
            "init",
            str(tmp_path_factory.mktemp("roles") / "bank"),
        ]
        subprocess.run(command, env=owner, check=True, capture_output=True)
        execute(postgres, "ajpes_owner", "ajpes", grants)
        yield postgres
    finally:
        postgres.execute("DROP DATABASE ajpes WITH (FORCE)")
        postgres.execute("DROP ROLE ajpes, ajpes_owner")


@pytest.fixture
def bank(cluster: Cluster, tmp_path: Path, clock: Time, authority: Sandbox) -> Iterator[Bank]:
    """A bank that works as the role without rights over facts."""
    folder = tmp_path / "bank"
    folder.mkdir()
    settings = re.sub(r'url = "sqlite:[^"]*"', f'url = "{url(cluster, "ajpes")}"', authority.settings(folder))
    (folder / "ajpes.toml").write_text(settings, encoding="utf-8")
    bank = Bank(folder, open_context(open_workspace(folder), clock), clock, authority)
    yield bank
    bank.context.engine.dispose()


def test_the_role_does_the_whole_job(bank: Bank) -> None:
    """The rights that are left are enough for everything that a year brings."""
    import_files(
        bank.context, [sample(f"ledger/{name}.csv") for name in ("accounts", "account-months", "postings")]
    )
    bank.record(event("O-1", 1))
    assert bank.run().submission.state is State.ACCEPTED  # type: ignore[union-attr]
    bank.time.pass_by(days=1)
    bank.cancel("O-1", "1", {"amount_cents": "12000"})
    bank.authority.faults.add("sftp", "no_answer", times=1)
    delivered = bank.run(period=NOV_18, via="sftp").submission
    assert delivered is not None
    assert delivered.state is State.DELIVERED
    assert resolve(bank.context, delivered.id, "never-arrived", "asked").state is State.UNREACHABLE
    assert bank.run("SPAPP", OCTOBER).ending is Ending.ATTEMPTED
    assert bank.collect() == []
    bank.record(
        "010000000100187,2026-10,250049,100050,1149998",
        header="account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents",
        name="right.csv",
        restate_because="a cent too much",
    )
    bank.record("P-9,010000000100575,2026-10-02,-500", header="posting_id,account,booked_on,amount_cents")
    duty = ProviderSchedule(
        bank.context, {"NODURS": time(16), "SPAPP": time(9)}, Retries(), timedelta(minutes=5)
    )
    bank.time.pass_by(days=2)
    list(tick([duty], do))
    assert bank.problems() == ()
    for command in (["status"], ["show", "1"], ["ledger", "show", "O-1"], ["audit", "verify"]):
        program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder)]
        done = subprocess.run([*program, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_role_gets_through_a_bad_day(bank: Bank) -> None:
    """Nor does anything that is done when something is wrong ask for more rights."""
    with writing(bank.context.engine) as connection:  # the database has served another folder
        orphans.adopt(connection, bank.context.provider, bank.context.archive.sent_log, at=bank.time())
    bank.record(event("B-1", 1), event("B-2", 1), name="bad.csv")
    commanded(bank, "ledger", "exclude", "B-2", "--reason", "a slip")
    bank.record(event("B-1", 2, name="Kovinarstvo Žagar in sinovi d.o.o."), name="renamed.csv")
    poison = bank.folder / "poison.xml"
    poison.write_text(next(iter(UNREADABLE.values())))  # type: ignore[arg-type]
    (taken,) = take_by_hand(bank.context, [poison])
    assert taken.status == "unreadable"
    with bank.context.engine.connect() as connection:
        number = answers.set_aside_answers(connection, bank.context.provider, 1)[0].id
    commanded(bank, "answers", "discard", str(number), "--reason", "a slip")
    unknown = HandedOver(
        9999, 9999, "NODURS", "2026-11-20", "NODURS_20261120_5860571.xml", "0" * 64, "soap", bank.time()
    )
    bank.context.archive.sent_log.append(unknown)
    bank.time.pass_by(days=3)
    held = bank.run(period=NOV_20)
    assert held.ending is Ending.HELD
    assert held.submission is not None
    commanded(bank, "release", str(held.submission.id), "--reason", "asked")
    assert bank.run(period=NOV_20).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    commanded(bank, "ledger", "include", "B-2")
    assert not [problem for problem in bank.problems() if "archived file" not in problem]


def commanded(bank: Bank, *command: str) -> None:
    program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder)]
    done = subprocess.run([*program, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_role_may_change_what_is_no_fact_and_nothing_else(bank: Bank, cluster: Cluster) -> None:
    """Each table is named in the SQL if it is no fact; a new one cannot be forgotten."""
    changing, removing = (set(names) for names in _granted())
    with connect(cluster, "ajpes") as connection:
        for table in metadata.tables:
            for right, tables in (
                ("UPDATE", changing),
                ("DELETE", removing),
                ("TRUNCATE", ()),
                ("TRIGGER", ()),
            ):
                found = connection.execute("SELECT has_table_privilege(%s, %s)", (table, right)).fetchone()
                assert found == (table in tables,), f"{right} on {table}"
    assert changing.isdisjoint(APPEND_ONLY)


def _granted() -> list[list[str]]:
    granted = re.findall(r"GRANT (?:UPDATE|DELETE) ON (.*?) TO ajpes;", printed_sql()[2])
    return [names.split(", ") for names in granted]


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "TRUNCATE {table} CASCADE",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "DROP TRIGGER {table}_no_update ON {table}",
        "DROP TABLE {table} CASCADE",
        "ALTER TABLE {table} OWNER TO ajpes",
    ],
)
def test_the_role_cannot_touch_a_fact(cluster: Cluster, table: str, statement: str) -> None:
    """Whoever steals the program's password cannot rewrite what happened."""
    column = next(iter(metadata.tables[table].columns)).name
    with connect(cluster, "ajpes") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(table=table, column=column).encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "SET ROLE ajpes_owner",
        "CREATE OR REPLACE FUNCTION ajpes_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "DROP FUNCTION ajpes_append_only() CASCADE",
        "CREATE TABLE public.mine (id integer)",
        "CREATE RULE mine AS ON INSERT TO audit_records DO INSTEAD NOTHING",
        "DELETE FROM accounts",
        "DELETE FROM submissions",
        "UPDATE alembic_version SET version_num = '0000'",
    ],
)
def test_the_role_cannot_get_round_its_limits(cluster: Cluster, statement: str) -> None:
    """Neither past the triggers, nor into the owner's place."""
    with connect(cluster, "ajpes") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("user", "warning"),
    [("tester", "is a superuser"), ("ajpes_owner", "owns the tables"), ("ajpes", None)],
)
def test_the_doctor_warns_of_a_role_that_may_do_too_much(
    bank: Bank, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, user: str, warning: str | None
) -> None:
    """An administrator who took the short way learns what it costs."""
    monkeypatch.setenv("AJPES_REPORTING_DATABASE__URL", url(cluster, user))
    _is_warned(bank, warning)


def test_the_doctor_names_the_facts_that_the_role_may_change(bank: Bank, cluster: Cluster) -> None:
    """Rights from an earlier version of the page are found, also those over a single column."""
    execute(
        cluster,
        "ajpes_owner",
        "ajpes",
        "GRANT UPDATE ON events TO ajpes; GRANT UPDATE (body) ON audit_records TO ajpes",
    )
    try:
        _is_warned(bank, "may change events, audit_records")
    finally:
        execute(cluster, "ajpes_owner", "ajpes", "REVOKE UPDATE ON events, audit_records FROM ajpes")


def _is_warned(bank: Bank, warning: str | None) -> None:
    found = [one for one in examine(open_workspace(bank.folder), bank.time) if one.subject == "database"]
    warned = [one.detail for one in found if one.health is Health.WARNING]
    assert found[0].health is Health.OK
    assert len(warned) == (warning is not None)
    assert all(str(warning) in detail for detail in warned)
