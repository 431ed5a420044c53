"""The editions of the rules that facts were checked by; see `domain.rules.RuleSettings.edition`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from ajpes_reporting.database.tables import rule_editions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ajpes_reporting.domain.rules import RuleSettings


def edition_of(connection: Connection, rules: RuleSettings) -> int:
    """The key of the edition that these rules are, for facts that come in now."""
    known: int | None = connection.scalar(
        select(rule_editions.c.id).where(rule_editions.c.fingerprint == rules.edition)
    )
    if known is not None:
        return known
    new = insert(rule_editions).values(fingerprint=rules.edition).returning(rule_editions.c.id)
    key: int = connection.execute(new).scalar_one()
    return key
