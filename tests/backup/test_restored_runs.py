"""A restored journal does not know what was sent after its backup, and sends nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import orphans
from ajpes_reporting.journal.orphans import Orphan
from ajpes_reporting.pipeline.operator_actions import release, resolve
from ajpes_reporting.pipeline.run import Ending
from tests.backup.conftest import Vault
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event


def test_what_went_out_after_the_backup_is_not_sent_again(vault: Vault) -> None:
    """The day was reported after the backup; the restored bank imports its facts again, and runs."""
    bank = vault.bank
    vault.back_up()
    bank.record(event("O-1", 1))
    assert bank.run().ending is Ending.ATTEMPTED
    bank.time.pass_by(minutes=30)
    again = vault.restore()
    again.record(event("O-1", 1))
    held = again.run()
    assert held.ending is Ending.HELD
    assert held.submission is not None
    assert "restored" in str(held.submission.held_because)
    assert again.run().ending is Ending.HELD
    assert len(bank.authority.store.submissions()) == 1
    bank.time.pass_by(days=1)
    assert again.run(period=NOV_18).ending is Ending.ATTEMPTED
    assert again.pending() == 0
    assert again.problems() == ()
    again.context.engine.dispose()


def test_a_restored_archive_goes_on_under_its_number(vault: Vault) -> None:
    """The new workspace is the old one's continuation: it runs, and what it sends is in a log of its own."""
    bank = vault.bank
    bank.record(event("O-1", 1))
    assert bank.run().ending is Ending.ATTEMPTED
    vault.back_up()
    again = vault.restore()
    bank.time.pass_by(days=1)
    again.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    assert again.run(period=NOV_18).submission.state is State.ACCEPTED  # type: ignore[union-attr]
    logs = [one.context.archive.sent_log for one in (bank, again)]
    assert logs[0].archive() == logs[1].archive() is not None
    assert [[line.period for line in log.since(0)] for log in logs] == [["2026-11-17"], ["2026-11-18"]]
    assert again.problems() == ()
    again.context.engine.dispose()


def test_a_backup_taken_while_a_report_is_missing_is_restored(vault: Vault) -> None:
    """What the journal does not know is no damage of the backup: both are restored."""
    bank = vault.bank
    bank.record(event("O-1", 1))
    missing = Orphan(
        "NODURS", "2026-11-17", "NODURS_20261117_5860571.xml", "in accepted", "600 bytes", bank.time()
    )
    with writing(bank.context.engine) as connection:
        orphans.take_down(connection, bank.context.provider, missing, 0, at=bank.time())
    assert bank.problems() != ()
    vault.back_up()
    again = vault.restore()
    assert again.problems() == bank.problems()
    assert again.run().ending is Ending.HELD
    again.context.engine.dispose()


def test_what_was_waiting_at_the_backup_may_have_gone_out_since(vault: Vault) -> None:
    """Unreachable when it was backed up, accepted later: the restored bank asks before it sends that."""
    bank = vault.bank
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    first = bank.run().submission
    assert first is not None
    assert first.state is State.UNREACHABLE
    vault.back_up()
    again = vault.restore()
    held = again.run()
    assert held.ending is Ending.HELD
    assert bank.authority.store.submissions() == []
    assert held.submission is not None
    bank.time.pass_by(minutes=1)
    release(again.context, held.submission.id, "AJPES has nothing")
    sent = again.run(period=NOV_17).submission
    assert sent is not None
    assert (sent.id, sent.state) == (held.submission.id, State.ACCEPTED)
    assert len(bank.authority.store.submissions()) == 1
    assert again.problems() == ()
    again.context.engine.dispose()


def test_the_same_bytes_are_not_resent_past_a_restoration(vault: Vault) -> None:
    """Identical bytes may be harmless; that AJPES has had other ones since the backup is not excluded."""
    bank = vault.bank
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_request", times=1)
    unknown = bank.run().submission
    assert unknown is not None
    assert unknown.state is State.UNKNOWN
    vault.back_up()
    again = vault.restore()
    bold = Bank(again.folder, replace(again.context, resend_after_unknown=True), bank.time, bank.authority)
    assert bold.run().ending is Ending.MUST_BE_SETTLED
    assert bank.authority.store.submissions() == []
    again.context.engine.dispose()


def test_what_had_gone_out_is_settled_by_a_persons_word(vault: Vault) -> None:
    """AJPES has the month already: the held report counts as delivered, and its answer closes it."""
    bank = vault.bank
    vault.back_up()
    again = vault.restore()
    again.record(event("O-1", 1))
    held = again.run().submission
    assert held is not None
    with pytest.raises(UsageError, match="is held, and was not sent"):
        resolve(again.context, held.id, "never-arrived", "AJPES")
    assert resolve(again.context, held.id, "delivered", "AJPES, by telephone").state is State.DELIVERED
    assert again.run().ending is Ending.AWAITS_ANSWER
    assert bank.authority.store.submissions() == []
    assert again.problems() == ()
    again.context.engine.dispose()
