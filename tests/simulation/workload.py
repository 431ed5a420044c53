"""What the bank does: the events it records, and the person who settles what the program cannot know."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.operator_actions import release, resolve, resubmit

if TYPE_CHECKING:
    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

    from .world import World

HEADER = (
    "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,event_id,cancels_event_id,"
    "change_type,change_date,amount_cents,recorded_at,priority"
)
_DEBTORS = (
    ("50123459", "Kovinarstvo Žagar d.o.o.", "010000000100187"),
    ("12345679", "Mizarstvo Češnja s.p.", "010000000100284"),
)


def first_day(rng: random.Random) -> list[str]:
    """The ledger of the first day: a few obligations, some of them with a cancellation."""
    rows = []
    for number in range(1, rng.randint(2, 5)):
        rows += _obligation(f"O-{number}", "2026-11-17", rng)
    return rows


def second_day(rng: random.Random) -> list[str]:
    """One more event of an obligation the authority knows, and one that is new."""
    return [_event("O-1", 90, "2026-11-18", rng), *_obligation("O-90", "2026-11-18", rng)]


def record(world: World, rows: list[str]) -> None:
    """The bank enters events into its ledger."""
    path = world.folder / "rows.csv"
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    ended = world.act(lambda duty: _import(duty, path))
    assert ended == "0", world.log()


def is_settled(world: World, days: list[str]) -> bool:
    """Whether every due report is accepted, and nothing waits any more."""
    settled = world.rows(
        "SELECT period FROM due_reports WHERE submission IS NOT NULL AND settled_as IS NOT NULL"
    )
    waiting = world.rows("SELECT id FROM answers WHERE status = 'stored'")
    return {row.period for row in settled} >= set(days) and not waiting


def attend(world: World, rng: random.Random) -> int:
    """A person looks at what waits for them, asks the authority, and says what it said.

    Gives the number of outcomes that they had to settle.
    """
    asked = 0
    for row in world.rows(
        "SELECT id, period, state, held_because, released_at FROM submissions WHERE superseded_by IS NULL"
    ):
        if row.state in ("unknown", "delivered"):
            asked += _settle(world, row, rng)
        elif row.held_because is not None and row.released_at is None:
            asked += _let_go_or_tell(world, row)
        elif row.state == "refused":
            _do(world, lambda duty, key=row.id: resubmit(duty.context, key, same=True))
    return asked


def _settle(world: World, row: Any, rng: random.Random) -> int:
    held = [one for one in world.store.submissions() if one.period == row.period]
    if not held:
        _do(world, lambda duty: resolve(duty.context, row.id, "never-arrived", "AJPES has no trace of it"))
        return 1
    if held[-1].answered_at is not None and held[-1].via == "sftp":
        return 0  # its answer lies in the folder; the next tick fetches it
    if row.state == "unknown" and rng.random() < 0.5:
        _do(world, lambda duty: resolve(duty.context, row.id, "delivered", "AJPES has it"))
    _take_letter(world, world.store.answer(held[-1].id) or b"")
    return 1


def _let_go_or_tell(world: World, row: Any) -> int:
    """A report that is held is let go, unless AJPES has it already."""
    has_it = [one for one in world.store.submissions() if one.period == row.period and one.is_accepted]
    if not has_it:
        _do(world, lambda duty: release(duty.context, row.id, "AJPES has no trace of it"))
        return 1
    _do(world, lambda duty: resolve(duty.context, row.id, "delivered", "AJPES has it"))
    _take_letter(world, world.store.answer(has_it[-1].id) or b"")
    return 1


def _take_letter(world: World, answer: bytes) -> None:
    """AJPES has written its answer once more, in a letter."""
    path = world.folder / "letter.xml"
    path.write_bytes(answer)
    _do(world, lambda duty: take_by_hand(duty.context, [path]))


def _do(world: World, work: Any) -> None:
    """If the program says no, the person comes back at the next tick; the log tells."""
    world.act(work)


def _import(duty: ProviderSchedule, path: Any) -> None:
    import_files(duty.context, [path])


def _obligation(name: str, day: str, rng: random.Random) -> list[str]:
    rows = [_event(name, number, day, rng) for number in range(1, rng.randint(2, 4))]
    if rng.random() < 0.3:
        amount = rows[0].split(",")[9]
        rows.append(_event(name, "1-S", day, rng, cancels="1", change_type="00", amount=amount, hour=15))
    return rows


def _event(
    obligation: str, number: int | str, day: str, rng: random.Random, *, cancels: str = "",
    change_type: str = "01", amount: str = "", hour: int = 0,
) -> str:  # fmt: skip
    tax_number, name, account = _DEBTORS[hash_of(obligation) % len(_DEBTORS)]
    recorded = f"{day}T{hour or rng.randint(8, 14):02}:00:00"
    values = [obligation, 2, tax_number, name, account, number, cancels, change_type, day,
              amount or rng.randint(1, 10_000_000), recorded, 3]  # fmt: skip
    return ",".join(str(value) for value in values)


def hash_of(text: str) -> int:
    """The same in every process, unlike Python's own."""
    return sum(text.encode())
