"""What the operator is told to do, which depends on where the record lies."""

from __future__ import annotations

from dataclasses import replace

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.remedies import correct_event, correct_obligation
from tests.domain.test_rules import CANCELLATION, EVENT

FINDING = Finding(
    Severity.ERROR,
    record="O-314 / event 7",
    field="creditor_account",
    rule="creditor-account.length",
    message="creditor account has 36 characters, at most 34 are allowed",
    remedy="write up to 34 letters and digits",
)


def test_an_event_of_the_ledger_is_cancelled_and_replaced() -> None:
    """The operator can copy the command from the message."""
    assert correct_event(FINDING, "O-314", EVENT).remedy == (
        "cancel event 7 with `ajpes-reporting ledger cancel O-314 7 --replace creditor_account=…`"
        " (write up to 34 letters and digits), then run again"
    )


def test_a_command_quotes_what_a_shell_would_read() -> None:
    """An id with a blank or a dollar sign does not turn into another command."""
    event = replace(EVENT, event_id="7 $a")
    assert "ledger cancel 'O 314' '7 $a' --replace" in correct_event(FINDING, "O 314", event).remedy


def test_what_no_cancellation_can_correct_says_so() -> None:
    """The operator is not sent to a command that refuses him: keys and debtors cannot be replaced."""
    bad_debtor = replace(FINDING, field="debtor_name", remedy="")
    expected = (
        "cancel the events of O-314 that still count, import the obligation under a new id"
        " with the right debtor_name, then run again"
    )
    assert correct_obligation(bad_debtor, "O-314").remedy == expected
    assert correct_event(bad_debtor, "O-314", EVENT).remedy == expected
    assert "--replace" not in correct_event(FINDING, "O-314", CANCELLATION).remedy
