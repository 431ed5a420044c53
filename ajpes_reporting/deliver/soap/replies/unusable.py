"""Why a reply cannot be used."""

from __future__ import annotations

from ajpes_reporting.i18n import Message, _


class UnusableReplyError(Exception):
    """The reply gives no verdict. `reason` is a clause: "it is a web page (HTML), not SOAP"."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


def broken_off(after_bytes: int) -> UnusableReplyError:
    """Returns the error about a reply that ends too early."""
    return UnusableReplyError(
        _("the reply breaks off after {after_bytes:count} bytes", after_bytes=after_bytes)
    )
