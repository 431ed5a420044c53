"""The watch that looks for alarms, and the channels that they are told by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.alarms.machine import Machine
from ajpes_reporting.alarms.watch import Watch
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.wiring.delivery import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ajpes_reporting.alarms.notification import Channel
    from ajpes_reporting.config import MailSection, WebhookSection, Workspace
    from ajpes_reporting.pipeline.context import Context


def open_watch(workspace: Workspace, context: Context) -> Watch:
    """Returns the watch that looks for alarms and tells them.

    A channel is made only when there is something to tell.
    """
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
        settings.language,
    )


def machine(workspace: Workspace) -> Machine:
    """Returns what the alarms and the doctor ask about this machine."""
    settings = workspace.settings
    return Machine(
        folders=(workspace.folder, workspace.archive),
        certificates=certificates(workspace),
        expiries=tuple(expiry for way in settings.ways() for expiry in way.expiries()),
        expiry_days=settings.alarms.expiry_days,
        free_disk_bytes=settings.alarms.free_disk_bytes,
    )


def alarm_channels(workspace: Workspace) -> Mapping[str, Callable[[], Channel]]:
    """Returns what makes each channel that is set up, by name; making one raises `ConfigurationError`."""
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
            context=tls_context(workspace.path_if_set(mail.server_ca), "mail.server_ca"),
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
            context=tls_context(workspace.path_if_set(webhook.server_ca), "webhook.server_ca"),
            secret=workspace.secret("webhook.secret", webhook.secret) if webhook.secret else None,
            timeout_seconds=webhook.timeout_seconds,
            proxy=webhook.outgoing_proxy("webhook", workspace.path, workspace.secret),
        )
    )
