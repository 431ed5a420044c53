"""The base of every section of `ajpes.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.network.address import parse_proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ajpes_reporting.network.line import Proxy


class Section(BaseModel):
    """One section: an unknown key in it is refused."""

    # hide_input_in_errors: a secret written in clear by mistake is not echoed.
    # defer_build: a section is checked as part of the settings; to be ready for that by itself as well would
    # take every command some milliseconds.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _reference(text: str) -> str:
    kind, _colon, rest = text.partition(":")
    if kind not in ("env", "file", "credential") or not rest:
        # The text may be the secret itself, so it is not repeated here.
        raise ValueError(_("a secret is given by reference: env:NAME, file:PATH or credential:NAME"))
    return text


SecretReference = Annotated[str, AfterValidator(_reference)]
"""Where a secret lies; what it is, `Workspace.secret` reads."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A time limit."""


def _proxy(text: str) -> str:
    parse_proxy(text)
    return text


class ProxiedSection(Section):
    """A section about something that is called over the network, perhaps through a proxy of the bank's."""

    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    proxy_username: str | None = None
    proxy_password: SecretReference | None = None
    proxy_ca: str | None = None

    def outgoing_proxy(
        self, section: str, path: Callable[[str], Path], secret: Callable[[str, str], str]
    ) -> Proxy | None:
        """The proxy that this section, called `section`, goes through; off unless it is set.

        `path` and `secret` read what settings refer to. Raises `ConfigurationError`.
        """
        from ajpes_reporting.network.line import Proxy
        from ajpes_reporting.network.tls_context import tls_context

        if self.proxy is None:
            return None
        setting, username, password = f"{section}.proxy", self.proxy_username, self.proxy_password
        if (username is None) != (password is None) or ":" in (username or ""):
            raise ConfigurationError(
                _(
                    "Of {setting}_username and {setting}_password only one is set, "
                    "or the name holds a colon.",
                    setting=setting,
                ),
                _("set both of them, or neither"),
            )
        address = parse_proxy(self.proxy)
        ca = path(self.proxy_ca) if self.proxy_ca else None
        return Proxy(
            host=address.host,
            port=address.port,
            setting=setting,
            context=tls_context(ca, f"{setting}_ca") if address.is_encrypted else None,
            username=username,
            password=secret(f"{setting}_password", password) if password else None,
        )
