"""The only place where adapters are made and put together.

What is slow to load, such as all that talks to the network (zeep, paramiko), is imported where it is made.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.lease import lease
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.deliver import registry, route
from ajpes_reporting.deliver.soap_way import SoapWay
from ajpes_reporting.deliver.way import Setup
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.fields import read_account
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.reports.answers import AnswerRules
from ajpes_reporting.reports.kind import FileRuleSettings, ReportKind
from ajpes_reporting.reports.spapp import SPAPP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection
    from starlette.applications import Starlette

    from ajpes_reporting.alarms.machine import Machine
    from ajpes_reporting.alarms.notification import Channel
    from ajpes_reporting.alarms.watch import Watch
    from ajpes_reporting.config import (
        EplacilaSection,
        MailSection,
        Settings,
        WebhookSection,
        Workspace,
    )
    from ajpes_reporting.deliver.tls import CertificateDates
    from ajpes_reporting.deliver.way import Way
    from ajpes_reporting.deliver.wsdl_download import Caller
    from ajpes_reporting.domain.ports import AnswerBox, Carrier, Clock, Parcel
    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.eplacila.payments import OnChange, Payments
    from ajpes_reporting.eplacila.signing import Credentials, Verifier


_IMPATIENT_SECONDS = 60.0

Made = TypeVar("Made")


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def open_context(workspace: Workspace, clock: Clock = now) -> Context:
    """The context of a workspace. Raises `ConfigurationError` if its database is not ready."""
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
        carriers=lambda report, via, folder: make_carriers(workspace, report, via, folder, clock),
        ways=lambda carriers, parcel: _ways(settings, carriers, parcel),
        answer_boxes=lambda report: answer_boxes(workspace, report, clock),
        answer_wait_seconds=max((way.seconds_to_wait_for_answer for way in settings.ways()), default=0),
        refresh_ledger=_refresher(workspace, clock),
        exclusive=lambda: lease(engine, provider, settings.schedule.longest_run_seconds),
        resend_after_unknown=settings.delivery.resend_after_unknown,
        patience_seconds=settings.delivery.patience_seconds,
    )


def rule_settings(settings: Settings) -> RuleSettings:
    """What the rules need to know of the settings."""
    checks = settings.checks
    return RuleSettings(
        settings.provider.account_prefixes, frozenset(checks.change_types), checks.large_amount_cents
    )


def file_kinds(settings: Settings | None) -> list[FileKind]:
    """Every kind of file that can be checked, by the settings of a workspace or by the defaults."""
    rules = rule_settings(settings) if settings else RuleSettings()
    found = []
    for kind in reports.KINDS:
        section = settings.report(kind) if settings else kind.settings()
        found.append(_report_kind(kind, FileRuleSettings(section.amounts, rules)))
        found.append(_answer_kind(kind))
    return found


def make_carriers(
    workspace: Workspace, report: str, via: str | None, folder: Path, clock: Clock
) -> list[Carrier]:
    """The ways that are set up for this report, or the one named `via`, in the order to try them.

    One whose certificate, key or secret cannot be used is closed, and does not close the others. `folder` is
    for what comes back. Raises `UsageError` if the report does not go by `via`, and `ConfigurationError` if
    no way is left, saying why of each.
    """
    open_to = registry.names(report)
    if via is not None and via not in open_to:
        raise UsageError(
            f"{report.upper()} does not go by {via}.", f"use {' or '.join(open_to)}, or leave out --via"
        )
    setup = way_setup(workspace, clock, folder)
    made = [
        _open_or_closed(way, partial(way.carrier, setup))
        for way in workspace.settings.ways(report)
        if via in (None, way.name)
    ]
    if not made:
        sections = registry.sections(open_to if via is None else [via])
        raise ConfigurationError(
            f"{workspace.settings_file} has no {sections}. Nothing was sent.", f"fill in {sections}"
        )
    route.require_open(made)
    return made


def answer_boxes(workspace: Workspace, report: str, clock: Clock) -> list[AnswerBox]:
    """Where answers to this report come later. One whose settings cannot be used says so when it is asked."""
    setup = way_setup(workspace, clock)
    return [
        _open_or_closed(way, partial(way.answer_box, setup))
        for way in workspace.settings.ways(report)
        if way.answers_later
    ]


def way_setup(workspace: Workspace, clock: Clock = now, folder: Path | None = None) -> Setup:
    """What a way is made with; what comes back lies in `folder`."""
    return Setup(
        provider=workspace.settings.provider.registration_number,
        path=workspace.path,
        secret=workspace.secret,
        clock=clock,
        folder=folder or workspace.archive / "work",
    )


def _open_or_closed(way: Way, make: Callable[[], Made]) -> Made | route.ClosedWay:
    try:
        return make()
    except ConfigurationError as error:
        return route.ClosedWay(way.name, error)


def wsdl_caller(workspace: Workspace | None, clock: Clock) -> Caller:
    """Who fetches a WSDL: as a run would call, as far as that is set up. Raises `ConfigurationError`."""
    from ajpes_reporting.deliver.tls import client_context
    from ajpes_reporting.deliver.wsdl_download import Caller
    from ajpes_reporting.network.tls_context import tls_context

    soap = workspace.settings.way(SoapWay) if workspace else None
    if workspace is None or soap is None:
        return Caller(tls_context(None, "soap.server_ca"))
    setup, basic = way_setup(workspace, clock), None
    if soap.authentication == "basic" and soap.username and soap.password:
        basic = (soap.username, workspace.secret("soap.password", soap.password))
    if soap.client_certificate or soap.client_pkcs12:
        context = client_context(soap.tls(setup), clock())
    else:
        context = tls_context(_path(workspace, soap.server_ca), "soap.server_ca")
    return Caller(context, basic, soap.outgoing_proxy(soap.name, setup.path, setup.secret))


def open_watch(workspace: Workspace, context: Context) -> Watch:
    """What looks for alarms and tells them. A channel is made only when there is something to tell."""
    from ajpes_reporting.alarms.watch import Watch

    settings = workspace.settings
    return Watch(
        context.provider,
        context.engine,
        machine(workspace),
        settings.alarms,
        alarm_channels(workspace),
        context.clock,
        context.archive.sent_log,
        settings.report(SPAPP).amounts,
    )


def machine(workspace: Workspace) -> Machine:
    """What is asked about this machine, by the alarms and by the doctor."""
    from ajpes_reporting.alarms.machine import Machine

    settings = workspace.settings
    return Machine(
        folders=(workspace.folder, workspace.archive),
        certificates=certificates(workspace),
        expiries=tuple(expiry for way in settings.ways() for expiry in way.expiries()),
        expiry_days=settings.alarms.expiry_days,
        free_disk_bytes=settings.alarms.free_disk_bytes,
    )


def certificates(workspace: Workspace) -> dict[str, Callable[[], CertificateDates]]:
    """Reads our certificates' dates, by the way that shows each; raises `ConfigurationError` when called."""
    setup = way_setup(workspace)
    return {
        way.name: partial(way.certificate, setup)
        for way in workspace.settings.ways()
        if way.shows_certificate
    }


def alarm_channels(workspace: Workspace) -> Mapping[str, Callable[[], Channel]]:
    """By whom alarms are told, by name; making one raises `ConfigurationError`."""
    mail, webhook = workspace.settings.mail, workspace.settings.webhook
    channels: dict[str, Callable[[], Channel]] = {}
    if mail is not None:
        channels["mail"] = lambda: _mail_channel(workspace, mail)
    if webhook is not None:
        channels["webhook"] = lambda: _webhook_channel(workspace, webhook)
    return channels


def _mail_channel(workspace: Workspace, mail: MailSection) -> Channel:
    from ajpes_reporting.alarms.mail import MailChannel, MailServer
    from ajpes_reporting.network.tls_context import tls_context

    return MailChannel(
        MailServer(
            host=mail.server,
            port=mail.port,
            security=mail.security,
            sender=mail.sender,
            recipients=mail.recipients,
            context=tls_context(_path(workspace, mail.server_ca), "mail.server_ca"),
            username=mail.username,
            password=workspace.secret("mail.password", mail.password) if mail.password else None,
            timeout_seconds=mail.timeout_seconds,
        )
    )


def _webhook_channel(workspace: Workspace, webhook: WebhookSection) -> Channel:
    from ajpes_reporting.alarms.webhook import WebhookChannel, WebhookReceiver
    from ajpes_reporting.network.tls_context import tls_context

    return WebhookChannel(
        WebhookReceiver(
            url=webhook.url,
            context=tls_context(_path(workspace, webhook.server_ca), "webhook.server_ca"),
            secret=workspace.secret("webhook.secret", webhook.secret) if webhook.secret else None,
            timeout_seconds=webhook.timeout_seconds,
            proxy=webhook.outgoing_proxy("webhook", workspace.path, workspace.secret),
        )
    )


def eplacila_client(workspace: Workspace, clock: Clock = now, *, patient: bool = True) -> Client:
    """The client of UJP e-plačila. Raises `ConfigurationError`.

    One that is not `patient` asks once, for a minute at most: somebody, or a report, waits for it.
    """
    from ajpes_reporting.eplacila.client import Client, ClientOptions
    from ajpes_reporting.eplacila.transport import SignedTransport, Timeouts
    from ajpes_reporting.network.tls_context import tls_context

    settings = eplacila_section(workspace)
    credentials = _credentials(workspace, settings)
    context = tls_context(_path(workspace, settings.server_ca), "eplacila.server_ca")
    timeouts = Timeouts(
        settings.connect_timeout_seconds, settings.operation_timeout_seconds, settings.call_timeout_seconds
    )
    options = ClientOptions(
        init_path=settings.init_path,
        answers_are_signed=settings.answers_are_signed,
        largest_statement=settings.max_statement_bytes,
    )
    if not patient:
        timeouts = replace(timeouts, call=min(timeouts.call, _IMPATIENT_SECONDS))
        options = replace(options, pauses=())
    proxy = settings.outgoing_proxy("eplacila", workspace.path, workspace.secret)
    transport = SignedTransport(settings.base_url, credentials, context, clock, timeouts, proxy)
    return Client(transport, credentials, eplacila_verifier(workspace), settings.base_url, options)


def eplacila_payments(
    workspace: Workspace, clock: Clock = now, on_change: OnChange | None = None
) -> Payments:
    """The payments of the workspace's e-service, with their book. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.payments import Payments, ignore_change

    engine = open_engine(workspace.database_url())
    require_current(engine)
    provider = workspace.settings.provider.registration_number
    return Payments(eplacila_client(workspace, clock), engine, provider, clock, on_change or ignore_change)


def eplacila_receiver(workspace: Workspace, payments: Payments | None = None) -> Starlette:
    """The receiver of UJP's notices, an ASGI application. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.notices import TimeWindow
    from ajpes_reporting.eplacila.receiver import receiver

    settings = eplacila_section(workspace)
    window = TimeWindow(
        timedelta(seconds=settings.notice_age_seconds), timedelta(seconds=settings.clock_tolerance_seconds)
    )
    payments = payments or eplacila_payments(workspace)
    return receiver(payments, eplacila_verifier(workspace), window, settings.max_notice_bytes)


def eplacila_verifier(workspace: Workspace) -> Verifier:
    """What knows UJP's signature. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.signing import Verifier, read_public_key

    settings = eplacila_section(workspace)
    path = workspace.path(settings.public_key)
    try:
        public_key = read_public_key(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(
            f"eplacila.public_key names {path}, which cannot be read or holds no RSA public key.",
            "put the public key there that UJP has sent, as it is",
        ) from None
    return Verifier(public_key, _credentials(workspace, settings).api_key)


def eplacila_certificate(workspace: Workspace) -> CertificateDates | None:
    """The dates of the certificate that notices are taken with, if it is ours to keep.

    Raises `ConfigurationError` if it cannot be read, or is not that of its key.
    """
    from ajpes_reporting.deliver.tls import TlsSettings, certificate_dates

    settings = eplacila_section(workspace)
    if settings.listen_certificate is None:
        return None
    certificate = workspace.path(settings.listen_certificate)
    try:
        files = TlsSettings(certificate, _path(workspace, settings.listen_key), setting="eplacila.listen")
        return certificate_dates(files)
    except ConfigurationError as error:
        raise ConfigurationError(
            error.message,
            "put the certificate with its chain into eplacila.listen_certificate, and its key, without a "
            "password, into eplacila.listen_key, both PEM",
        ) from None


def eplacila_section(workspace: Workspace) -> EplacilaSection:
    """The settings of UJP e-plačila. Raises `ConfigurationError` if there are none."""
    if workspace.settings.eplacila is None:
        raise ConfigurationError(
            f"{workspace.settings_file} has no [eplacila].", "fill it in with what UJP has sent"
        )
    return workspace.settings.eplacila


def eplacila_recipient(workspace: Workspace) -> str:
    """Who is paid, by registration number. Raises `ConfigurationError`."""
    return eplacila_section(workspace).recipient or workspace.settings.provider.registration_number


def eplacila_account(workspace: Workspace, named: str | None) -> str:
    """The account that payments are credited to: the one `named`, or that of the settings, or "".

    Raises `UsageError` if `named` is no account.
    """
    if named is None:
        section = workspace.settings.eplacila
        return (section.account or "") if section else ""
    try:
        return read_account(named)
    except ValueError as error:
        raise UsageError(f"--account is {named!r}, but {error}.", "name one account of the ledger") from None


def _credentials(workspace: Workspace, settings: EplacilaSection) -> Credentials:
    from ajpes_reporting.eplacila.signing import Credentials

    names = ("api_key", "shared_secret")
    key, secret = (workspace.secret(f"eplacila.{name}", getattr(settings, name)) for name in names)
    if not (key.isascii() and key.isalnum() and secret):
        raise ConfigurationError(
            "eplacila.api_key is no row of letters and digits, or eplacila.shared_secret is empty.",
            "put both there as UJP has sent them, and nothing else",
        )
    return Credentials(key, secret, settings.ids)


def _ways(settings: Settings, carriers: Sequence[Carrier], parcel: Parcel) -> Sequence[Carrier]:
    is_large = settings.report(reports.by_code(parcel.report)).is_large(parcel.size_bytes)
    return registry.large_first(carriers) if is_large else carriers


def _refresher(workspace: Workspace, clock: Clock) -> Callable[[Connection, ReportKind, str], None]:
    """Brings the ledger up to date before a report: from a bank's own views, and months from postings."""
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


def _report_kind(kind: ReportKind, settings: FileRuleSettings) -> FileKind:
    return FileKind(kind.root, kind.namespace, shipped.schema(kind.schema), lambda: kind.file_rules(settings))


def _answer_kind(kind: ReportKind) -> FileKind:
    return FileKind(kind.answer_root, None, shipped.schema(kind.answer_schema), lambda: AnswerRules(kind))


def _path(workspace: Workspace, text: str | None) -> Path | None:
    return workspace.path(text) if text else None
