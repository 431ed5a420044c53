"""No statement of a day's work reads the whole of a table that grows for years, however small the day is.

A day is played, with a refusal and its correction, and the database is asked how it goes about each
statement. What selects a report is asked the same in tests/reports/test_remarks.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy import event as hooks

from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.pipeline import run as run_module
from tests.pipeline.conftest import NOV_18, Bank, event
from tests.pipeline.test_large_answers import written
from tests.pipeline.test_thousand_answers import impatient

GROWING = (
    "events", "obligations", "debtors", "postings", "account_months", "submission_events",
    "submission_findings", "answer_rows", "audit_records", "attempts",
)  # fmt: skip
_READS = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT\s[^(]*\([^)]*\)\s*SELECT)\b", re.IGNORECASE)
_MADE_OF = re.compile(r"CREATE TEMPORARY TABLE [^(]*\([^)]*\) ON COMMIT DROP AS ", re.IGNORECASE)
# "SCAN t", also "SCAN t USING INDEX": all of it, in another order. By the provider alone: all of it, too.
_SCAN = re.compile(rf"(?:SCAN|SEARCH(?=.*\(provider=\?\))) (?:TABLE )?({'|'.join(GROWING)})\b")
# Without a condition, in the order of an index, and only so many: that reads no more than it gives.
_FROM_THE_END = re.compile(r"^(?!.*\bWHERE\b).*\bORDER BY\b.*\bLIMIT\b", re.DOTALL)

Statements = dict[str, Any]
"""Each statement once, with the parameters of its first use."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    """Notes what is asked of any database meanwhile, except while a report is built."""
    statements: Statements = {}
    building: list[bool] = []
    engines: set[Engine] = set()

    def note(
        connection: Connection, _cursor: object, statement: str, parameters: Any, _c: object, many: bool
    ) -> None:
        engines.add(connection.engine)
        if not building and not many and (asked := reading(statement)):
            statements.setdefault(asked, parameters)

    def unwatched(build: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            building.append(True)
            try:
                return build(*arguments, **named)
            finally:
                building.pop()

        return wrapped

    monkeypatch.setattr(run_module, "build", unwatched(run_module.build))
    hooks.listen(Engine, "before_cursor_execute", note)
    yield statements
    hooks.remove(Engine, "before_cursor_execute", note)
    for engine in engines:  # the command line leaves that to the end of its process
        engine.dispose()


def test_no_statement_reads_all_of_a_table_that_grows(
    bank: Bank, tmp_path: Path, watched: Statements, capsys: pytest.CaptureFixture[str]
) -> None:
    """After years `status` is as quick as on the first day, and so is a run on a quiet day."""
    bank.record(event("O-1", 1), event("O-2", 1), event("O-3", 1, amount_cents=3))
    watched.clear()  # what came in is not what this is about
    play(bank, tmp_path)
    assert any("answer_rows" in statement for statement in watched)
    assert any("submission_events" in statement for statement in watched)
    with bank.context.engine.connect() as connection:
        scans = [
            f"{table}: {' '.join(statement.split())}"
            for statement, parameters in watched.items()
            for table in scanned(connection, statement, parameters)
        ]
    assert not scans, "\n".join(scans)


def play(bank: Bank, folder: Path) -> None:
    """A delivery without an answer, then a refusal, another answer twice, a correction, and a look round."""
    bank.authority.faults.add("sftp", "no_answer", times=1)
    first = impatient(bank).run(via="sftp").submission
    assert first is not None
    bank.run()
    take = ["-w", str(bank.folder), "collect", str(written(folder / "answer.xml"))]
    command_line(take)
    command_line(take)
    bank.resubmit(first.id)
    bank.time.pass_by(days=1)
    bank.run(period=NOV_18)
    bank.collect()
    for call in (["status"], ["show", str(first.id)], ["ledger", "show", "O-1"], ["--json", "metrics"]):
        command_line(["-w", str(bank.folder), *call])


def reading(statement: str) -> str | None:
    """What a statement asks for, if it reads. A table that is made of it may be there already."""
    asked = _MADE_OF.sub("", statement)
    return asked if _READS.match(asked) else None


def scanned(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """The growing tables that a statement would read from end to end."""
    on_postgresql = connection.dialect.name == "postgresql"
    return (_on_postgresql if on_postgresql else _on_sqlite)(connection, statement, parameters)


def _on_sqlite(connection: Connection, statement: str, parameters: Any) -> list[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    steps = "\n".join(str(row[-1]) for row in rows)
    if _FROM_THE_END.search(statement) and "TEMP B-TREE" not in steps:
        return []
    return _SCAN.findall(steps)


def _on_postgresql(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """These tables are small, so it is told not to read them whole if there is another way."""
    for habit in ("seqscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"SET enable_{habit} = off")
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    if _FROM_THE_END.search(statement):
        return []
    [step] = explained.scalar_one()
    return [
        node["Relation Name"]
        for node in _nodes(step["Plan"])
        if node.get("Relation Name") in GROWING
        and node["Node Type"] != "ModifyTable"
        and not node.keys() & {"Index Cond", "Recheck Cond"}
    ]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
