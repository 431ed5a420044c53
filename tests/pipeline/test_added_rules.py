"""A rule that somebody adds is asked wherever a record is looked at, whatever it reads of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.domain.fields import Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.domain.rules import WHOLE_EVENT
from ajpes_reporting.i18n import _
from tests.pipeline.conftest import HEADER, event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ajpes_reporting.domain.events import Event
    from ajpes_reporting.domain.rules import RuleSettings
    from tests.pipeline.conftest import Bank

WITH_CREDITOR = f"{HEADER},reference_model,reference,creditor_account,creditor_name"
WRONG_MESSAGE = "this is wrong by the added rule"


def _wrong(field: str) -> Violation:
    return Violation(Severity.ERROR, field, "added", _("this is wrong by the added rule"), _("write another"))


def reference_and_creditor(event: Event, _settings: RuleSettings) -> Violation | None:
    """The creditor UPNIK does not use the reference 302."""
    return _wrong("reference") if (event.reference, event.creditor_name) == ("302-2026", "UPNIK") else None


def date_and_amount(event: Event, _settings: RuleSettings) -> Violation | None:
    """Nothing is owed that ends as the day of the month does."""
    return _wrong("amount_cents") if event.amount_cents % 100 == event.change_date.day else None


def _row(number: int, *, amount: int = 10_000, reference: str = "5-2026", creditor: str = "KOMUNALA") -> str:
    return f"{event(f'O-{number}', 1, amount_cents=amount)},00,{reference},070000000000187,{creditor}"


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (
            reference_and_creditor,
            [_row(1, creditor="UPNIK"), _row(2, reference="302-2026")],
            [
                _row(3, creditor="UPNIK", reference="302-2026"),
                _row(4, creditor="UPNIK", reference="302-2026"),
            ],
        ),
        (date_and_amount, [_row(1, amount=10_018)], [_row(3, amount=10_017), _row(4, amount=20_017)]),
    ],
)
def test_an_added_rule_is_asked_by_import_build_and_check_alike(
    bank: Bank,
    told: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rule: Callable[[Event, RuleSettings], Violation | None],
    right: list[str],
    wrong: list[str],
) -> None:
    """Whoever adds a rule need not know how an import is made quick, nor which facts came in before it."""
    before, after = wrong
    bank.record(*right, before, header=WITH_CREDITOR)
    report = tmp_path / "report.xml"
    build = ("build", "nodurs", "--date", "2026-11-17", "-o", str(report))
    assert WRONG_MESSAGE not in told(*build)
    assert WRONG_MESSAGE not in told("check", str(report))

    monkeypatch.setattr(WHOLE_EVENT, "rules", [rule])
    for command in (("check", str(report)), (*build[:-1], str(tmp_path / "again.xml"))):
        printed = told(*command)
        assert f"O-3 / event 1: {WRONG_MESSAGE}" in printed
        assert "O-1" not in printed
    with pytest.raises(LedgerRefused) as refused:
        bank.record(*right, after, header=WITH_CREDITOR)
    assert [(finding.record, finding.message) for finding in refused.value.findings] == [
        ("O-4 / event 1", WRONG_MESSAGE)
    ]
