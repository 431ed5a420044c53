"""Addresses that may be called: over https, or on this machine itself."""

from __future__ import annotations

import httpx

from ajpes_reporting.network.address import require_place

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def parse_url(text: str) -> httpx.URL:
    """Return an address with a host, over https; without encryption only on this machine.

    Raises ValueError.
    """
    if not text.isprintable() or " " in text:
        raise ValueError("an address has no spaces")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("it is no address") from error
    if not url.host or not (url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)):
        raise ValueError("it does not begin with https:// and a host")
    require_place(url.host, url.port)
    return url
