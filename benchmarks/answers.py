"""The way back: an answer that says something about every event."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import ledgers
from benchmarks.filling import ANSWERED_AT
from benchmarks.measurement import Measurement, Stage, Trial, program, psql, sqlite3, xmllint
from benchmarks.processes import Cost
from benchmarks.workspaces import Kind, Workspace

# The yardstick may do what nobody else may, and is spared what that costs.
_UNGUARDED = {
    "sqlite": "DROP TRIGGER events_no_update;",
    "postgresql": "ALTER TABLE events DISABLE TRIGGER USER;",
}
_TOLD = "CREATE TEMPORARY TABLE told (obligation_id text, event_id text, severity text);"
_UPDATE = (
    "UPDATE events SET clean_under = 2 FROM told JOIN obligations"
    f" ON obligations.provider = '{ledgers.PROVIDER}' AND obligations.obligation_id = told.obligation_id"
    " WHERE events.obligation = obligations.id AND events.event_id = told.event_id;"
)
_TEXT = "Kontrolna številka sklica ni pravilna; preverite številko računa upnika in namen nakazila."


def _trials(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    answer, keys = stage.folder / f"answer_{size}.xml", stage.folder / f"answer_{size}.csv"
    _write(answer, keys, size)
    delivered = stage.workspaces.get(kind, "delivered", size)
    yield Trial(
        "a warning for each event",
        partial(_ours, stage, delivered, answer),
        lambda: xmllint(answer, "blokodgovor.xsd") + _update(stage, delivered, keys),
        size,
    )
    answer.unlink()
    keys.unlink()


def _ours(stage: Stage, delivered: Workspace, answer: Path) -> Cost:
    with stage.workspaces.copy(delivered) as workspace:
        return stage.costed(delivered.kind, partial(program, workspace, "collect", answer))()


def _update(stage: Stage, delivered: Workspace, keys: Path) -> Cost:
    with stage.workspaces.copy(delivered) as workspace:
        _shell(workspace, _UNGUARDED[workspace.kind], "ANALYZE;")
        lines = (_TOLD, *_copy(workspace, keys, "told"), "ANALYZE told;", "BEGIN;", _UPDATE, "COMMIT;")
        return stage.costed(workspace.kind, partial(_shell, workspace, *lines))()


def _copy(workspace: Workspace, keys: Path, table: str) -> tuple[str, ...]:
    if workspace.kind == "sqlite":
        return (f".import --csv {keys} {table}",)
    return (f"\\copy {table} FROM '{keys}' WITH (FORMAT csv)",)


def _shell(workspace: Workspace, *lines: str) -> Cost:
    if workspace.kind == "sqlite":
        return sqlite3(workspace.database, "PRAGMA synchronous = FULL;", *lines)
    return psql(workspace, *lines)


def _write(answer: Path, keys: Path, size: int) -> None:
    """The answer, and the same keys for the yardstick."""
    numbers = count(1)
    with answer.open("w", encoding="utf-8") as xml, keys.open("w", encoding="utf-8") as csv:
        xml.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<BlokOdgovor>\n'
            f'<Ident iErr="0" maticnaPonudnika="{ledgers.PROVIDER}" datumPriprave="{ANSWERED_AT}"'
            f' iWrn="{size}" datumPodatkov="{ledgers.DAY}"/>\n'
        )
        for one in ledgers.obligations(size):
            for event in ledgers.history(one.number):
                place = f'blokId="{one.obligation_id}" dogId="{event.event_id}" id="{next(numbers)}"'
                xml.write(f'<Napaka {place} vrsta="WRN"><Opis>{_TEXT}</Opis></Napaka>\n')
                csv.write(f"{one.obligation_id},{event.event_id},WRN\n")
        xml.write("</BlokOdgovor>\n")


ANSWERS = Measurement(
    name="answer",
    what="`collect FILE` of an answer with a warning for every event of a delivered report",
    yardstick="`xmllint --sax --noout --schema` on the answer, then the database's own shell updating as many"
    " of the ledger's events, found by the same keys",
    trials=_trials,
    limit=3.0,
)
