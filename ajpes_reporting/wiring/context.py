"""The context that a run works with, made from the settings of a workspace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ajpes_reporting import shipped
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.lease import lease
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.wiring.checks import rule_settings
from ajpes_reporting.wiring.clock import now
from ajpes_reporting.wiring.delivery import answer_boxes, in_order, make_carriers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.reports.kind import ReportKind


def open_context(workspace: Workspace, clock: Clock = now) -> Context:
    """Returns the context of a workspace. Raises `ConfigurationError` if its database is not ready."""
    settings = workspace.settings
    engine = open_engine(workspace.database_url())
    require_current(engine)
    provider = settings.provider.registration_number
    return Context(
        provider=provider,
        provider_name=settings.provider.name,
        engine=engine,
        archive=Archive(workspace.archive),
        scratch=workspace.archive / "work",
        kinds=reports.KINDS,
        schemas=shipped.schema,
        report_settings={kind.code: settings.report(kind) for kind in reports.KINDS},
        rules=rule_settings(settings),
        strict=settings.checks.strict,
        extra_days_off=frozenset(settings.calendar.extra_days_off),
        clock=clock,
        carriers=partial(make_carriers, workspace, clock),
        ways=partial(in_order, settings),
        answer_boxes=partial(answer_boxes, workspace, clock),
        answer_wait_seconds=max((way.seconds_to_wait_for_answer for way in settings.ways()), default=0),
        refresh_ledger=_refresher(workspace, clock),
        exclusive=partial(lease, engine, provider, settings.schedule.longest_run_seconds),
        resend_after_unknown=settings.delivery.resend_after_unknown,
        patience_seconds=settings.delivery.patience_seconds,
    )


def _refresher(workspace: Workspace, clock: Clock) -> Callable[[Connection, ReportKind, str], None]:
    """Returns what brings the ledger up to date before a report: a bank's own views, months from postings."""
    settings = workspace.settings
    provider = settings.provider.registration_number
    url = workspace.ledger_url()

    def refresh(connection: Connection, kind: ReportKind, period: str) -> None:
        if url is not None:
            from ajpes_reporting.ledger.views import open_views, pull

            source = open_views(url)
            try:
                now, rules = clock(), rule_settings(settings)
                taken = pull(connection, provider, source, rules, needed=kind.needed_views, now=now)
                if renamed := sum(one.renamed for one in taken.values()):
                    body = {"from": "views", "renamed": renamed}
                    chain.append(connection, at=now, provider=provider, kind="renamed", body=body)
            finally:
                source.dispose()
        if kind.reports_months:
            from ajpes_reporting.ledger.months import close_month

            close_month(connection, provider, period)

    return refresh
