"""The client of UJP e-plačila, its payments, and the receiver of its notices."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.fields import read_account
from ajpes_reporting.i18n import _
from ajpes_reporting.wiring.clock import now

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ajpes_reporting.config import EplacilaSection, Workspace
    from ajpes_reporting.deliver.tls import CertificateDates
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.eplacila.client import Client
    from ajpes_reporting.eplacila.payments import OnChange, Payments
    from ajpes_reporting.eplacila.signing import Credentials, Verifier

_IMPATIENT_SECONDS = 60.0


def eplacila_client(workspace: Workspace, clock: Clock = now, *, patient: bool = True) -> Client:
    """Returns the client of UJP e-plačila. Raises `ConfigurationError`.

    One that is not `patient` asks once, for a minute at most: somebody, or a report, waits for it.
    """
    from ajpes_reporting.eplacila.client import Client, ClientOptions
    from ajpes_reporting.eplacila.transport import SignedTransport, Timeouts
    from ajpes_reporting.network.tls_context import tls_context

    settings = eplacila_section(workspace)
    credentials = _credentials(workspace, settings)
    context = tls_context(workspace.path_if_set(settings.server_ca), "eplacila.server_ca")
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
    """Returns what verifies UJP's signature. Raises `ConfigurationError`."""
    from ajpes_reporting.eplacila.signing import Verifier, read_public_key

    settings = eplacila_section(workspace)
    path = workspace.path(settings.public_key)
    try:
        public_key = read_public_key(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(
            _(
                "eplacila.public_key names {path}, which cannot be read or holds no RSA public key.",
                path=str(path),
            ),
            _("put the public key there that UJP has sent, as it is"),
        ) from None
    return Verifier(public_key, _credentials(workspace, settings).api_key)


def eplacila_certificate(workspace: Workspace) -> CertificateDates | None:
    """Returns the dates of the certificate that notices are taken with, if it is ours to keep.

    Raises `ConfigurationError` if it cannot be read, or is not that of its key.
    """
    from ajpes_reporting.deliver.tls import TlsSettings, certificate_dates

    settings = eplacila_section(workspace)
    if settings.listen_certificate is None:
        return None
    certificate = workspace.path(settings.listen_certificate)
    try:
        key = workspace.path_if_set(settings.listen_key)
        return certificate_dates(TlsSettings(certificate, key, setting="eplacila.listen"))
    except ConfigurationError as error:
        raise ConfigurationError(
            error.message,
            _(
                "put the certificate with its chain into eplacila.listen_certificate, and its key, without a "
                "password, into eplacila.listen_key, both PEM"
            ),
        ) from None


def eplacila_section(workspace: Workspace) -> EplacilaSection:
    """Returns the settings of UJP e-plačila. Raises `ConfigurationError` if there are none."""
    if workspace.settings.eplacila is None:
        raise ConfigurationError(
            _("{file} has no [eplacila].", file=str(workspace.settings_file)),
            _("fill it in with what UJP has sent"),
        )
    return workspace.settings.eplacila


def eplacila_recipient(workspace: Workspace) -> str:
    """Returns the registration number of who is paid. Raises `ConfigurationError`."""
    return eplacila_section(workspace).recipient or workspace.settings.provider.registration_number


def eplacila_account(workspace: Workspace, named: str | None) -> str:
    """Returns the account that payments are credited to: the one `named`, or that of the settings, or "".

    Raises `UsageError` if `named` is no account.
    """
    if named is None:
        section = workspace.settings.eplacila
        return (section.account or "") if section else ""
    try:
        return read_account(named)
    except ValueError as error:
        raise UsageError(
            _("--account is {account:quoted}, but {reason}.", account=named, reason=error.args[0]),
            _("name one account of the ledger"),
        ) from None


def _credentials(workspace: Workspace, settings: EplacilaSection) -> Credentials:
    from ajpes_reporting.eplacila.signing import Credentials

    names = ("api_key", "shared_secret")
    key, secret = (workspace.secret(f"eplacila.{name}", getattr(settings, name)) for name in names)
    if not (key.isascii() and key.isalnum() and secret):
        raise ConfigurationError(
            _("eplacila.api_key is no row of letters and digits, or eplacila.shared_secret is empty."),
            _("put both there as UJP has sent them, and nothing else"),
        )
    return Credentials(key, secret, settings.ids)
