"""Addresses of our own servers, and of the bank's proxies."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _

_PORT_NUMBERS = 1 << 16
_PORTS = {"http": 80, "https": 443}


_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


def ascii_host(host: str) -> str:
    """The name or address of a host as the system takes it: č and its like in Punycode. Raises ValueError."""
    name = host.encode("idna").decode()  # UnicodeError, such as for an empty label, is a ValueError
    if not _HOST.fullmatch(name):
        raise ValueError(_("this is no name of a host"))
    return name


def require_place(host: str, port: int | None) -> None:
    """Raises ValueError unless a connection to there could be tried at all."""
    ascii_host(host)
    if port is not None and not 0 < port < _PORT_NUMBERS:
        raise ValueError(_("no server has such a port"))


class ProxyAddress(NamedTuple):
    """The address of a proxy, and whether the proxy itself is spoken to over TLS."""

    host: str
    port: int
    is_encrypted: bool


def parse_proxy(text: str) -> ProxyAddress:
    """The address of a proxy, such as http://proxy:3128. Raises ValueError, which never repeats it."""
    if "@" in text:
        raise ValueError(_("user and password of a proxy stand in proxy_username and proxy_password"))
    try:
        parts = urlsplit(text)
        port, default = parts.port, _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(_NO_PROXY) from None
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    if not parts.hostname or not is_bare or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(_NO_PROXY)
    return ProxyAddress(parts.hostname, port or default, parts.scheme == "https")


_NO_PROXY = _("a proxy is written like http://proxy:3128 or https://proxy:3129, with nothing after it")


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
        _("{setting} is {text:quoted}, which is not HOST:PORT.", setting=setting, text=text),
        _("write it like 127.0.0.1:9187 or [::1]:9187"),
    )
