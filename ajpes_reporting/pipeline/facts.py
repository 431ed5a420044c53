"""Facts come into the ledger, and the audit record says when, and from where."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.journal import chain, due
from ajpes_reporting.ledger import correct, exclusions, files
from ajpes_reporting.ledger.findings import MOST
from ajpes_reporting.ledger.restatement import Restatement
from ajpes_reporting.reports.spapp import SPAPP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ajpes_reporting.ledger.correct import Correction
    from ajpes_reporting.ledger.exclusions import Decision
    from ajpes_reporting.ledger.files import ImportSummary
    from ajpes_reporting.pipeline.context import Context


def import_files(
    context: Context,
    paths: Sequence[Path],
    progress: Progress = no_progress,
    *,
    restate_because: str | None = None,
    dry_run: bool = False,
) -> list[ImportSummary]:
    """Imports CSV files and statements; see `ledger.files`. A file that brings nothing new leaves no entry.

    With a reason, `restate_because`, accounts and their months that differ are restated, on the record.
    """
    restatement = None if restate_because is None else Restatement(restate_because, context.clock())

    def note(connection: Connection, summary: ImportSummary) -> None:
        about = {"file": summary.path.name, "sha256": _sha256(summary.path), "kind": summary.kind}
        statements = [one for one in summary.statements if one.standing != "known"]
        if summary.rows_new or summary.renamed or statements:
            body = {**about, "new": summary.rows_new, "known": summary.rows_known}
            if summary.renamed:
                body["renamed"] = summary.renamed
            if statements:
                body["statements"] = len(statements)
            chain.append(connection, at=context.clock(), provider=context.provider, kind="import", body=body)
        if gaps := [statement for statement in statements if statement.standing == "gap"]:
            names = [{"account": gap.account, "statement": gap.statement} for gap in gaps[:MOST]]
            body = {**about, "gaps": len(gaps), "statements": names, "reason": restate_because}
            chain.append(
                connection, at=context.clock(), provider=context.provider, kind="restatement", body=body
            )
        if summary.rows_restated:
            body = {**about, **_restated(summary), "reason": restate_because}
            chain.append(
                connection, at=context.clock(), provider=context.provider, kind="restatement", body=body
            )
        if summary.rows_new or summary.rows_restated or summary.renamed:
            due.try_now(connection, context.provider)

    return files.import_files(
        context.engine,
        context.provider,
        paths,
        context.rules,
        progress,
        note,
        now=context.clock(),
        amounts=context.report_settings[SPAPP.code].amounts,
        restatement=restatement,
        dry_run=dry_run,
    )


def cancel_event(
    context: Context, obligation_id: str, event_id: str, replace: Mapping[str, str] | None = None
) -> Correction:
    """Cancels an event, and records the corrected one if asked for; see `ledger.correct`."""

    def note(connection: Connection, correction: Correction) -> None:
        body = {
            "obligation": obligation_id,
            "event": event_id,
            "cancellation": correction.cancellation.event_id,
            "replacement": correction.replacement.event_id if correction.replacement else None,
            "replaced": sorted(replace or {}),
            "withdrawn": correction.withdrawn,
        }
        chain.append(connection, at=context.clock(), provider=context.provider, kind="correction", body=body)
        due.try_now(connection, context.provider)

    return correct.cancel(
        context.engine,
        context.provider,
        obligation_id,
        event_id,
        now=context.clock(),
        replace=replace,
        rules=context.rules,
        note=note,
    )


def exclude_obligation(context: Context, obligation_id: str, reason: str) -> Decision:
    """Keeps an obligation out of reports, on the record; see `ledger.exclusions`."""
    return exclusions.exclude(
        context.engine,
        context.provider,
        obligation_id,
        reason,
        now=context.clock(),
        note=partial(_note_decision, context),
    )


def include_obligation(context: Context, obligation_id: str, reason: str) -> Decision:
    """Lets an obligation into reports again, on the record; see `ledger.exclusions`."""
    return exclusions.include(
        context.engine,
        context.provider,
        obligation_id,
        reason,
        now=context.clock(),
        note=partial(_note_decision, context),
    )


def _note_decision(context: Context, connection: Connection, decision: Decision) -> None:
    body = {"obligation": decision.obligation, "reason": decision.reason}
    chain.append(connection, at=context.clock(), provider=context.provider, kind=decision.decision, body=body)
    due.try_now(connection, context.provider)


def _restated(summary: ImportSummary) -> dict[str, Any]:
    """Returns the number of restated rows, and their fields first (see `ledger.restatement`)."""
    fields = [{"record": item.record, "field": item.field} for item in summary.restated]
    return {"restated": summary.rows_restated, "fields": fields}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
