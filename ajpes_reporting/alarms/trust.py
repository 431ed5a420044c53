"""Whom we trust where alarms are told."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def trusting(server_ca: Path | None, setting: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, with the server's certificate and name checked.

    `server_ca` holds the only issuers we trust; without it those of the system are trusted.
    Raises `ConfigurationError`, naming `setting`, if the file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server_ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cadata=server_ca.read_bytes().decode("ascii"))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(
            f"{setting} names {server_ca}, which cannot be read or holds no certificate in PEM form.",
            f"put the issuer of the server's certificate there, or leave out {setting}",
        ) from error
    return context
