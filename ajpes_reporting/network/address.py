"""Where a server of ours listens."""

from __future__ import annotations

from urllib.parse import urlsplit

from ajpes_reporting.domain.errors import ConfigurationError


def parse_address(text: str, setting: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT"; an IPv6 address stands in brackets.

    Raises `ConfigurationError`, naming `setting`.
    """
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        raise _no_address(text, setting) from None
    if parts.netloc != text or not parts.hostname or port is None or "@" in text:
        raise _no_address(text, setting)
    return parts.hostname, port


def _no_address(text: str, setting: str) -> ConfigurationError:
    return ConfigurationError(
        f"{setting} is {text!r}, which is not HOST:PORT.", "write it like 127.0.0.1:9187 or [::1]:9187"
    )
