"""The only place where adapters are made and put together.

What is slow to load, such as all that talks to the network (zeep, paramiko), is imported where it is made.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.running import alone
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.deliver import route
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.fields import read_account
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.pipeline.desk import Desk
from ajpes_reporting.reports.answers import AnswerRules
from ajpes_reporting.reports.kind import FileRuleSettings, ReportKind
from ajpes_reporting.reports.registry import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection
    from starlette.applications import Starlette

    from ajpes_reporting.alarms.bulletin import Channel
    from ajpes_reporting.alarms.machine import Expiry, Machine
    from ajpes_reporting.alarms.watch import Watch
    from ajpes_reporting.config import (
        EplacilaSection,
        MailSection,
        Settings,
        SftpSection,
        SoapSection,
        WebhookSection,
        Workspace,
    )
    from ajpes_reporting.deliver.sftp import SftpCarrier
    from ajpes_reporting.deliver.soap import SoapCarrier
    from ajpes_reporting.deliver.tls import CertificateDates, TlsSettings
    from ajpes_reporting.domain.ports import AnswerBox, Carrier, Clock, Parcel
    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.eplacila.payments import OnChange, Payments
    from ajpes_reporting.eplacila.signing import Credentials, Verifier


# Without these a bank's views say nothing about the report, and silence would pass for a quiet day.
_NEEDED_VIEWS = {"NODURS": ("events",), "SPAPP": ("accounts",)}

_IMPATIENT_SECONDS = 60.0


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def open_desk(workspace: Workspace, clock: Clock = now) -> Desk:
    """The desk of a workspace. Raises `ConfigurationError` if its database is not ready."""
    settings = workspace.settings
    engine = open_engine(workspace.database_url())
    require_current(engine)
    provider = settings.provider.registration_number
    return Desk(
        provider=provider,
        provider_name=settings.provider.name,
        engine=engine,
        archive=Archive(workspace.archive),
        scratch=workspace.archive / "work",
        kinds=KINDS,
        schemas=shipped.schema,
        amounts={"NODURS": settings.nodurs.amounts, "SPAPP": settings.spapp.amounts},
        rules=rule_settings(settings),
        strict=settings.checks.strict,
        extra_days_off=frozenset(settings.calendar.extra_days_off),
        clock=clock,
        carriers=lambda names, folder: make_carriers(workspace, names, folder, clock),
        ways=lambda carriers, parcel: _ways(settings, carriers, parcel),
        answer_box=lambda: _answer_box(workspace),
        answer_wait_seconds=settings.sftp.answer_wait_seconds if settings.sftp else 0,
        refresh_ledger=_refresher(workspace, clock),
        exclusive=lambda: alone(engine, provider, settings.schedule.longest_run_seconds),
        volume_factors={"NODURS": settings.nodurs.volume_factor, "SPAPP": settings.spapp.volume_factor},
        debtor_names=settings.nodurs.debtor_name,
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
    amounts = (settings.nodurs.amounts, settings.spapp.amounts) if settings else ("cents", "euros")
    rules = rule_settings(settings) if settings else RuleSettings()
    per_report = dict(zip(("NODURS", "SPAPP"), amounts, strict=True))
    found = []
    for kind in KINDS:
        file_settings = FileRuleSettings(per_report[kind.code], rules=rules)
        found.append(_report_kind(kind, file_settings))
        found.append(_answer_kind(kind))
    return found


def make_carriers(workspace: Workspace, names: Sequence[str], folder: Path, clock: Clock) -> list[Carrier]:
    """The ways to the authority among `names` that are configured.

    One whose certificate, key or secret cannot be used is closed, and does not close the others.
    Raises `ConfigurationError` if none is left, saying why of each.
    """
    soap, sftp = workspace.settings.soap, workspace.settings.sftp
    made: list[Carrier] = []
    if "soap" in names and soap:
        made.append(_made_or_closed("soap", lambda: soap_carrier(workspace, soap, folder, clock)))
    if "sftp" in names and sftp:
        made.append(_made_or_closed("sftp", lambda: sftp_carrier(workspace, sftp)))
    if not made:
        sections = " or ".join(f"[{name}]" for name in names)
        raise ConfigurationError(
            f"{workspace.settings_file} has no {sections}. Nothing was sent.", f"fill in {sections}"
        )
    route.require_open(made)
    return made


def _made_or_closed(name: str, make: Callable[[], Carrier]) -> Carrier:
    try:
        return make()
    except ConfigurationError as error:
        return route.ClosedWay(name, error)


def soap_carrier(workspace: Workspace, soap: SoapSection, folder: Path, clock: Clock) -> SoapCarrier:
    """The way by SOAP. Raises `ConfigurationError`."""
    from ajpes_reporting.deliver.envelope import SoapNames
    from ajpes_reporting.deliver.soap import SoapCarrier, SoapEndpoint
    from ajpes_reporting.deliver.tls import client_context

    password = workspace.secret("soap.password", soap.password) if soap.password else ""
    names = {
        "registration_number": workspace.settings.provider.registration_number,
        "username": soap.username or "",
        "password": password,
    }
    endpoint = SoapEndpoint(
        url=soap.endpoint,
        wsdl=workspace.path(soap.wsdl) if soap.wsdl else shipped.schema("wsBlokIzmenjava.wsdl"),
        ident=tuple(_filled(entry, names) for entry in soap.ident),
        authentication=soap.authentication,
        username=names["username"],
        password=password,
        names=SoapNames(
            target_namespace=soap.target_namespace,
            soap_action=soap.soap_action,
            operation=soap.operation,
            blok=soap.document_element,
            ident=soap.ident_element,
            ident_item=soap.ident_item,
            result=soap.result_element,
        ),
        connect_timeout_seconds=soap.connect_timeout_seconds,
        operation_timeout_seconds=soap.operation_timeout_seconds,
        call_timeout_seconds=soap.call_timeout_seconds,
        largest_reply_bytes=soap.max_answer_bytes,
    )
    return SoapCarrier(endpoint, client_context(tls_settings(workspace, soap), clock()), folder / "replies")


def tls_settings(workspace: Workspace, soap: SoapSection) -> TlsSettings:
    """Where our certificate lies."""
    from ajpes_reporting.deliver.tls import TlsSettings

    password = soap.client_key_password
    return TlsSettings(
        certificate=_path(workspace, soap.client_certificate),
        key=_path(workspace, soap.client_key),
        pkcs12=_path(workspace, soap.client_pkcs12),
        key_password=workspace.secret("soap.client_key_password", password) if password else None,
        server_ca=_path(workspace, soap.server_ca),
    )


def sftp_carrier(workspace: Workspace, sftp: SftpSection) -> SftpCarrier:
    """The way by SFTP. Raises `ConfigurationError`."""
    from ajpes_reporting.deliver.session import SftpServer
    from ajpes_reporting.deliver.sftp import SftpCarrier

    key_password = sftp.private_key_password
    return SftpCarrier(
        SftpServer(
            host=sftp.host,
            port=sftp.port,
            username=sftp.username,
            host_key=sftp.host_key,
            password=workspace.secret("sftp.password", sftp.password) if sftp.password else None,
            private_key=_path(workspace, sftp.private_key),
            private_key_password=workspace.secret("sftp.private_key_password", key_password)
            if key_password
            else None,
            folder=sftp.folder,
            connect_timeout_seconds=sftp.connect_timeout_seconds,
            operation_timeout_seconds=sftp.operation_timeout_seconds,
            call_timeout_seconds=sftp.call_timeout_seconds,
            largest_answer_bytes=sftp.max_answer_bytes,
        )
    )


def open_watch(workspace: Workspace, desk: Desk) -> Watch:
    """What looks for alarms and tells them. A channel is made only when there is something to tell."""
    from ajpes_reporting.alarms.watch import Watch

    settings = workspace.settings
    return Watch(
        desk.provider,
        desk.engine,
        machine(workspace),
        settings.alarms,
        alarm_channels(workspace),
        desk.clock,
        desk.archive.sent_log,
        settings.spapp.amounts,
    )


def machine(workspace: Workspace) -> Machine:
    """What is asked about this machine, by the alarms and by the doctor."""
    from ajpes_reporting.alarms.machine import Machine

    settings = workspace.settings
    soap = settings.soap
    return Machine(
        folders=(workspace.folder, workspace.archive),
        certificate=(lambda: _own_certificate(workspace, soap)) if soap else None,
        expiries=tuple(_expiries(settings)),
        expiry_days=settings.alarms.expiry_days,
        free_disk_bytes=settings.alarms.free_disk_bytes,
    )


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
    from ajpes_reporting.alarms.trust import trusting

    return MailChannel(
        MailServer(
            host=mail.server,
            port=mail.port,
            security=mail.security,
            sender=mail.sender,
            recipients=mail.recipients,
            context=trusting(_path(workspace, mail.server_ca), "mail.server_ca"),
            username=mail.username,
            password=workspace.secret("mail.password", mail.password) if mail.password else None,
            timeout_seconds=mail.timeout_seconds,
        )
    )


def _webhook_channel(workspace: Workspace, webhook: WebhookSection) -> Channel:
    from ajpes_reporting.alarms.trust import trusting
    from ajpes_reporting.alarms.webhook import WebhookChannel, WebhookReceiver

    return WebhookChannel(
        WebhookReceiver(
            url=webhook.url,
            context=trusting(_path(workspace, webhook.server_ca), "webhook.server_ca"),
            secret=workspace.secret("webhook.secret", webhook.secret) if webhook.secret else None,
            timeout_seconds=webhook.timeout_seconds,
        )
    )


def eplacila_client(workspace: Workspace, clock: Clock = now, *, patient: bool = True) -> Client:
    """The client of UJP e-plačila. Raises `ConfigurationError`.

    One that is not `patient` asks once, for a minute at most: somebody, or a report, waits for it.
    """
    from ajpes_reporting.alarms.trust import trusting
    from ajpes_reporting.eplacila.client import Client, Habits
    from ajpes_reporting.eplacila.wire import Times, Wire

    settings = eplacila_section(workspace)
    credentials = _credentials(workspace, settings)
    context = trusting(_path(workspace, settings.server_ca), "eplacila.server_ca")
    times = Times(
        settings.connect_timeout_seconds, settings.operation_timeout_seconds, settings.call_timeout_seconds
    )
    habits = Habits(
        init_path=settings.init_path,
        answers_are_signed=settings.answers_are_signed,
        largest_statement=settings.max_statement_bytes,
    )
    if not patient:
        times = replace(times, call=min(times.call, _IMPATIENT_SECONDS))
        habits = replace(habits, pauses=())
    wire = Wire(settings.base_url, credentials, context, clock, times)
    return Client(wire, credentials, eplacila_verifier(workspace), settings.base_url, habits)


def eplacila_payments(
    workspace: Workspace, clock: Clock = now, on_change: OnChange | None = None
) -> Payments:
    """The payments of the workspace's e-service, with their book. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.payments import Payments, no_work

    engine = open_engine(workspace.database_url())
    require_current(engine)
    provider = workspace.settings.provider.registration_number
    return Payments(eplacila_client(workspace, clock), engine, provider, clock, on_change or no_work)


def eplacila_receiver(workspace: Workspace, payments: Payments | None = None) -> Starlette:
    """The receiver of UJP's notices, an ASGI application. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.notices import Window
    from ajpes_reporting.eplacila.receiver import receiver

    settings = eplacila_section(workspace)
    window = Window(
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
        return certificate_dates(TlsSettings(certificate, _path(workspace, settings.listen_key)))
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


def _own_certificate(workspace: Workspace, soap: SoapSection) -> CertificateDates:
    from ajpes_reporting.deliver.tls import certificate_dates

    return certificate_dates(tls_settings(workspace, soap))


def _expiries(settings: Settings) -> Iterator[Expiry]:
    from ajpes_reporting.alarms.machine import Expiry

    soap, sftp = settings.soap, settings.sftp
    if soap and soap.password_expires:
        yield Expiry("password", "soap.password", soap.password_expires)
    if sftp and sftp.password_expires:
        yield Expiry("password", "sftp.password", sftp.password_expires)
    if sftp and sftp.host_key_expires:
        yield Expiry("host-key", "sftp.host_key", sftp.host_key_expires)


def _answer_box(workspace: Workspace) -> AnswerBox | None:
    sftp = workspace.settings.sftp
    return sftp_carrier(workspace, sftp) if sftp else None


def _ways(settings: Settings, carriers: Sequence[Carrier], parcel: Parcel) -> Sequence[Carrier]:
    return route.ways(parcel.report, parcel.size_bytes, carriers, settings.nodurs.sftp_above_bytes)


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
                needed = _NEEDED_VIEWS[kind.code]
                now = clock()
                taken = pull(connection, provider, source, rule_settings(settings), needed=needed, now=now)
                if renamed := sum(one.renamed for one in taken.values()):
                    body = {"from": "views", "renamed": renamed}
                    chain.append(connection, at=now, provider=provider, kind="renamed", body=body)
            finally:
                source.dispose()
        if kind.monthly:
            from ajpes_reporting.ledger.months import close_month

            close_month(connection, provider, period)

    return refresh


def _report_kind(kind: ReportKind, settings: FileRuleSettings) -> FileKind:
    return FileKind(kind.root, kind.namespace, shipped.schema(kind.schema), lambda: kind.file_rules(settings))


def _answer_kind(kind: ReportKind) -> FileKind:
    return FileKind(kind.answer_root, None, shipped.schema(kind.answer_schema), lambda: AnswerRules(kind))


def _filled(entry: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        entry = entry.replace(f"{{{name}}}", value)
    return entry


def _path(workspace: Workspace, text: str | None) -> Path | None:
    return workspace.path(text) if text else None
