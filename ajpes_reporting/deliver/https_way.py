"""The common part of all ways over HTTPS: our certificate, and the authorities that we trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.deliver.way import Setup, Way
from ajpes_reporting.sections import ProxiedSection, SecretReference

if TYPE_CHECKING:
    from ajpes_reporting.deliver.tls import CertificateDates, TlsSettings


class HttpsWay(ProxiedSection, Way):
    """A way over HTTPS with certificates on both sides (instruction, section 4)."""

    client_certificate: str | None = None
    client_key: str | None = None
    client_pkcs12: str | None = None
    client_key_password: SecretReference | None = None
    server_ca: str | None = None

    def certificate(self, setup: Setup) -> CertificateDates:
        """Subject and dates of our certificate, whether it still holds or not."""
        from ajpes_reporting.deliver.tls import certificate_dates

        return certificate_dates(self.tls(setup))

    def tls(self, setup: Setup) -> TlsSettings:
        """The place of our certificate. Raises `ConfigurationError` if its password cannot be read."""
        from ajpes_reporting.deliver.tls import TlsSettings

        return TlsSettings(
            certificate=self._path(setup, self.client_certificate),
            key=self._path(setup, self.client_key),
            pkcs12=self._path(setup, self.client_pkcs12),
            key_password=self._secret(setup, "client_key_password"),
            server_ca=self._path(setup, self.server_ca),
            setting=f"{self.name}.client",
        )
