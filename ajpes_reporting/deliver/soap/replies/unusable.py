"""Why a reply cannot be used, in words."""

from __future__ import annotations


class UnusableReplyError(Exception):
    """The reply gives no verdict. Its text is a clause: "it is a web page (HTML), not SOAP"."""


def broken_off(after_bytes: int) -> UnusableReplyError:
    """Returns the error about a reply that ends too early."""
    return UnusableReplyError(f"it breaks off after {after_bytes:,} bytes")
