"""A fact remembers under which edition of the rules it was found right."""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ajpes_reporting.database.tables import accounts, events, obligations, rule_editions
from ajpes_reporting.domain import calendar, columns, fields, identifiers, rules
from ajpes_reporting.domain import events as domain_events
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from tests.ledger.conftest import LATER

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

_PROVIDER = "5860571000"
_HEADER = (
    "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,"
    "event_id,change_type,change_date,amount_cents,recorded_at"
)
# The account passes ISO 7064 MOD 97-10: 98 - 0100001000021 00 mod 97 = 36.
_CLEAN = "O-{n},3,12345679,DOLZNIK D.O.O.,010000100002136,1,01,2026-11-16,100,2026-11-16T08:05:00"


def _import(engine: Engine, folder: Path, settings: RuleSettings, *rows: str) -> None:
    path = folder / "events.csv"
    path.write_text("\n".join([_HEADER, *rows, ""]), encoding="utf-8")
    import_files(engine, _PROVIDER, [path], settings, now=LATER)


def test_what_is_right_names_its_edition_and_what_is_not_names_none(engine: Engine, tmp_path: Path) -> None:
    """A report asks the rules again only about what they had something to say about."""
    settings = RuleSettings()
    odd = _CLEAN.format(n=2).replace(",01,", ",77,")
    other_tax_number = _CLEAN.format(n=3).replace("12345679", "12345678")
    _import(engine, tmp_path, settings, _CLEAN.format(n=1), odd, other_tax_number)
    with engine.connect() as connection:
        (edition,) = connection.execute(select(rule_editions)).all()
        assert edition.fingerprint == settings.edition
        assert connection.scalars(select(events.c.clean_under).order_by(events.c.id)).all() == [
            edition.id, None, edition.id,
        ]  # fmt: skip
        assert connection.scalars(select(obligations.c.clean_under).order_by(obligations.c.id)).all() == [
            edition.id, edition.id, None,
        ]  # fmt: skip


def test_other_settings_are_another_edition(engine: Engine, tmp_path: Path) -> None:
    """What a bank's settings allow may change; what was checked before was checked by the old ones."""
    _import(engine, tmp_path, RuleSettings(), _CLEAN.format(n=1))
    _import(engine, tmp_path, RuleSettings(("01",)), _CLEAN.format(n=2))
    _import(engine, tmp_path, RuleSettings(), _CLEAN.format(n=3))
    with engine.connect() as connection:
        first, second, third = connection.scalars(select(events.c.clean_under).order_by(events.c.id)).all()
    assert first == third != second


def test_an_account_names_its_edition(engine: Engine, tmp_path: Path) -> None:
    """The same for the accounts of the monthly report."""
    path = tmp_path / "accounts.csv"
    path.write_text(
        "account,holder_tax_number,holder_name,opened_on,closed_on\n"
        "010000100002136,12345679,ANA,2020-01-01,\n010000100002137,12345679,ANA,2020-01-01,\n",
        encoding="utf-8",
    )
    import_files(engine, _PROVIDER, [path], RuleSettings(), now=LATER)
    with engine.connect() as connection:
        right, wrong = connection.scalars(select(accounts.c.clean_under).order_by(accounts.c.id)).all()
    assert right is not None
    assert wrong is None


@pytest.mark.parametrize(
    "settings",
    [
        RuleSettings(("01",)),
        RuleSettings(change_types=frozenset({"00"})),
        RuleSettings(("01", "02")),
        RuleSettings(large_amount_cents=1),
    ],
)
def test_settings_change_the_fingerprint(settings: RuleSettings) -> None:
    """Every setting that a rule reads is part of the edition."""
    assert settings.edition != RuleSettings().edition


def test_the_edition_is_raised_with_the_rules() -> None:
    """Whoever changes what the rules say raises EDITION, or old facts would not be asked again.

    If the rules say the same as before (a comment, a name), only write the new hash here.
    """
    modules = (rules, columns, domain_events, fields, identifiers)
    sources = "".join(inspect.getsource(module) for module in modules)
    years = repr(calendar.PLAUSIBLE_YEARS)
    seen = hashlib.sha256((sources + years).encode()).hexdigest()[:16]
    assert (rules.EDITION, seen) == (3, "89f65f48696f1f6e")
