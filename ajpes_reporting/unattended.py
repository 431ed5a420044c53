"""Puts together what runs without anybody looking: every provider's context, times and chores."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.alarms.conditions import AUDIT_CHORE
from ajpes_reporting.alarms.watch import look_and_tell, verify_record
from ajpes_reporting.config import open_workspace, workspace_folders
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.pipeline.purge import purge
from ajpes_reporting.schedule.provider_schedule import Chore, ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.wiring import now, open_context
from ajpes_reporting.wiring.alarms import open_watch
from ajpes_reporting.wiring.delivery import certificates
from ajpes_reporting.wiring.eplacila import eplacila_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.monitoring.metrics import Watched
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.schedule.engine import Engine
    from ajpes_reporting.schedule.tick import Done

_log = logging.getLogger(__name__)

_WEB_PAYMENTS_TIME = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Installation:
    """The unattended work of every workspace. The `broken` ones could not be opened."""

    workspaces: tuple[Workspace, ...]
    duties: tuple[ProviderSchedule, ...]
    broken: tuple[AjpesReportingError, ...] = ()


def open_installation(folder: Path, clock: Clock = now) -> Installation:
    """The workspaces of a service bureau, or the one in `folder`.

    One that is broken does not keep the others from being served. Raises `UsageError` or
    `ConfigurationError` if none can be.
    """
    opened: list[tuple[Workspace, ProviderSchedule]] = []
    broken: list[AjpesReportingError] = []
    for one in workspace_folders(folder):
        try:
            workspace = open_workspace(one)
            opened.append((workspace, open_duty(workspace, clock)))
        except AjpesReportingError as error:
            broken.append(error)
    if not opened:
        raise broken[0]
    workspaces, duties = zip(*opened, strict=True)
    return Installation(workspaces, duties, tuple(broken))


def open_duty(workspace: Workspace, clock: Clock = now) -> ProviderSchedule:
    """Opens the unattended work of one workspace. Raises `ConfigurationError`."""
    schedule = workspace.settings.schedule
    context = open_context(workspace, clock)
    starts = ((kind.code, schedule.start(kind)) for kind in context.kinds)
    return ProviderSchedule(
        context,
        {code: start for code, start in starts if start is not None},
        Retries(schedule.retry_first_seconds, schedule.retry_longest_seconds),
        timedelta(seconds=schedule.answers_every_seconds),
        tuple(_chores(workspace, context)),
    )


def can_be_mended(folder: Path, installation: Installation) -> bool:
    """Whether a workspace that could not be opened can be by now."""
    try:
        found = open_installation(folder)
    except AjpesReportingError:
        return False
    for duty in found.duties:
        duty.context.engine.dispose()
    return len(found.broken) < len(installation.broken)


def make_engine(
    installation: Installation,
    tell: Callable[[ProviderSchedule, Done | Exception], None],
    alive: Callable[[], None],
) -> Engine:
    """The engine that the settings of the first workspace ask for. Raises `ConfigurationError`."""
    schedule = installation.workspaces[0].settings.schedule
    if schedule.engine == "procrastinate":
        _require_one_database(installation.workspaces)
        from ajpes_reporting.schedule.workers import WorkersEngine

        return WorkersEngine(installation.duties, schedule.every_seconds, tell, alive)
    from ajpes_reporting.schedule.embedded import EmbeddedEngine

    return EmbeddedEngine(installation.duties, schedule.every_seconds, tell, alive)


def _require_one_database(workspaces: Sequence[Workspace]) -> None:
    if len({workspace.database_url() for workspace in workspaces}) > 1:
        raise ConfigurationError(
            _("The workspaces of this installation name different databases, and workers share one queue."),
            _('write the same database.url in each of them, or set schedule.engine to "embedded"'),
        )


def watch_workspace(workspace: Workspace, clock: Clock = now) -> Watched:
    """Returns a workspace for monitoring. Raises `ConfigurationError`."""
    from ajpes_reporting.monitoring.metrics import Watched

    reports = frozenset(name.upper() for name in workspace.settings.schedule.reports)
    context = open_context(workspace, clock)
    own = certificates(workspace).values()
    if not own:
        return Watched(context, reports)
    return Watched(context, reports, lambda: min(dates().days_left(clock()) for dates in own))


def _chores(workspace: Workspace, context: Context) -> Iterator[Chore]:
    """Returns the chores beside the reports, in this order."""
    watch = open_watch(workspace, context)
    yield Chore(AUDIT_CHORE, timedelta(days=1), lambda: verify_record(watch))
    yield Chore("files", timedelta(days=1), lambda: _warn_of_open_facts(workspace))
    yield Chore("alarms", timedelta(0), lambda: look_and_tell(watch))
    keep_months = workspace.settings.retention.keep_months
    yield Chore("purge", timedelta(days=1), lambda: _purge(context, keep_months))
    eplacila = workspace.settings.eplacila
    if eplacila and eplacila.ask_open_every_seconds:
        every = timedelta(seconds=eplacila.ask_open_every_seconds)
        yield Chore("web payments", every, lambda: _ask_for_open_payments(workspace, context))


def _warn_of_open_facts(workspace: Workspace) -> None:
    from ajpes_reporting.workspace import CLOSE_FACTS, open_facts

    if detail := open_facts(workspace):
        _log.warning("In %s, %s.", workspace.folder, detail, extra={"remedy": CLOSE_FACTS})


def _purge(context: Context, keep_months: int) -> None:
    purge(context, keep_months)


def _ask_for_open_payments(workspace: Workspace, context: Context) -> None:
    """Web payments of which no notice came. Whatever UJP does, reports are not kept waiting for it."""
    from ajpes_reporting.eplacila.payments import Payments

    end = context.clock() + _WEB_PAYMENTS_TIME
    try:
        client = eplacila_client(workspace, context.clock, patient=False)
        payments = Payments(client, context.engine, context.provider, context.clock)
        for entry, error in payments.refresh_open():
            if error is not None:
                name = type(error).__name__  # its words may name the payer's order
                _log.warning("An open web payment is not told of: %s.", name, extra={"payment": entry.id})
            if context.clock() > end:
                break  # the next round begins with those that had no turn
    except AjpesReportingError as error:
        _log.warning("Open web payments could not be asked for: %s", error.message)
