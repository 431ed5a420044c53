"""A person's decision to keep an obligation out of reports, and to let it in again: added, never edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.reported import EXCLUDED, INCLUDED
from ajpes_reporting.database.tables import exclusions, obligations
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.audit_hook import not_audited
from ajpes_reporting.ledger.suggestions import unknown_obligation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.ledger.audit_hook import AuditHook


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an obligation is kept out ("excluded") or let in again ("included"), since when and why."""

    obligation: str
    decision: str
    reason: str
    decided_at: datetime


def exclude(
    engine: Engine,
    provider: str,
    obligation_id: str,
    reason: str,
    *,
    now: datetime,
    note: AuditHook[Decision] = not_audited,
) -> Decision:
    """Keeps an obligation out of reports until it is included again.

    Raises UsageError if the ledger does not have it, or it is kept out already.
    """
    return _decide(engine, provider, Decision(obligation_id, EXCLUDED, reason, now), note)


def include(
    engine: Engine,
    provider: str,
    obligation_id: str,
    reason: str,
    *,
    now: datetime,
    note: AuditHook[Decision] = not_audited,
) -> Decision:
    """Lets an obligation into reports again, with its whole history.

    Raises UsageError if the ledger does not have it, or it is not kept out.
    """
    return _decide(engine, provider, Decision(obligation_id, INCLUDED, reason, now), note)


def decisions(connection: Connection, provider: str, obligation_id: str) -> Sequence[Decision]:
    """Every decision about an obligation, the oldest first."""
    rows = connection.execute(
        select(
            obligations.c.obligation_id, exclusions.c.decision, exclusions.c.reason, exclusions.c.decided_at
        )
        .join(obligations, obligations.c.id == exclusions.c.obligation)
        .where(exclusions.c.provider == provider, obligations.c.obligation_id == obligation_id)
        .order_by(exclusions.c.id)
    )
    return [Decision(*row) for row in rows]


def _decide(engine: Engine, provider: str, decision: Decision, note: AuditHook[Decision]) -> Decision:
    with writing(engine) as connection:
        key = connection.scalar(
            select(obligations.c.id).where(
                obligations.c.provider == provider, obligations.c.obligation_id == decision.obligation
            )
        )
        if key is None:
            raise unknown_obligation(connection, provider, decision.obligation)
        _require_news(decisions(connection, provider, decision.obligation), decision)
        connection.execute(
            insert(exclusions).values(
                provider=provider,
                obligation=key,
                decision=decision.decision,
                reason=decision.reason,
                decided_at=decision.decided_at,
            )
        )
        note(connection, decision)
    return decision


def _require_news(before: Sequence[Decision], decision: Decision) -> None:
    stands = before[-1].decision if before else INCLUDED
    if stands != decision.decision:
        return
    name = record_name(decision.obligation)
    if stands == EXCLUDED:
        raise UsageError(
            _(
                "{obligation} is kept out of reports already, since {since:date}: {reason}",
                obligation=name,
                since=before[-1].decided_at.astimezone(LJUBLJANA).date(),
                reason=before[-1].reason,
            ),
            _("nothing; `ajpes-reporting ledger include` lets it in again"),
        )
    raise UsageError(
        _("{obligation} is not kept out of reports.", obligation=name),
        _("nothing; its events go with the next report"),
    )
