"""The parts of a way to the authority. A new way is one file and one line in the registry.

Every command reads the settings, so a file that declares a way loads what talks to the network (zeep,
paramiko, httpx) only where a carrier is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, ClassVar

from ajpes_reporting.sections import ProxiedSection, SecretReference, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ajpes_reporting.deliver.tls import CertificateDates, TlsSettings
    from ajpes_reporting.domain.ports import AnswerBox, Carrier, Clock

_EXPIRES = "_expires"


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts of a workspace that a way is made with.

    `provider` is the registration number of who reports. `path` makes a path of the settings absolute;
    `secret` reads what a setting, which it is told first, refers to. Both raise `ConfigurationError`.
    `folder` is for what comes back. `reports` are the names of all kinds of reports, "nodurs".
    """

    provider: str
    path: Callable[[str], Path]
    secret: Callable[[str, str], str]
    clock: Clock
    folder: Path
    reports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that holds up to and including a day: `kind` of alarm, and the setting it is about."""

    kind: str
    setting: str
    last_day: date


class Way(Section):
    """One way to the authority: its section of `ajpes.toml`, and all that is to be known of it.

    `name` is that of the section, of `--via` and of the journal: at most ten small letters. `title` is
    how people call it. `reports` names the reports that may go by it, in lower case; empty: every one.
    `for_large_reports`: it is the first choice for a file above `nodurs.sftp_above_bytes`.
    `keys` are the settings that name a file with a private key, which
    is nobody else's to read. `example` is the section in a new `ajpes.toml`, commented out.
    A date that ends in `_expires` tells until when a setting holds, and raises an alarm in time.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    reports: ClassVar[tuple[str, ...]] = ()
    for_large_reports: ClassVar[bool] = False
    keys: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str]

    @classmethod
    def carries(cls, report: str) -> bool:
        """Whether this report, "nodurs", may go by this way."""
        return not cls.reports or report in cls.reports

    def carrier(self, setup: Setup) -> Carrier:
        """The way, ready to go. Raises `ConfigurationError` if its settings cannot be used."""
        raise NotImplementedError

    def answer_box(self, setup: Setup) -> AnswerBox:
        """Returns the box for later answers, in a way that overrides this. Raises `ConfigurationError`."""
        raise NotImplementedError

    @classmethod
    def answers_later(cls) -> bool:
        """Whether what goes by this way is answered in a box: whether it has an `answer_box` of its own."""
        return cls.answer_box is not Way.answer_box

    @property
    def seconds_to_wait_for_answer(self) -> float:
        """The time a run waits for an answer in the box, before it leaves that to `collect`."""
        return 0

    def certificate(self, setup: Setup) -> CertificateDates:
        """Until when our certificate holds, for a way that overrides this.

        Raises `ConfigurationError` if the certificate cannot be read.
        """
        raise NotImplementedError

    @classmethod
    def shows_certificate(cls) -> bool:
        """Whether the authority asks for our certificate: whether this way has a `certificate` of its own."""
        return cls.certificate is not Way.certificate

    def expiries(self) -> Iterator[Expiry]:
        """Yields the expiry dates in the settings."""
        for setting in type(self).model_fields:
            last_day = getattr(self, setting)
            if setting.endswith(_EXPIRES) and isinstance(last_day, date):
                what = setting.removesuffix(_EXPIRES)
                yield Expiry(what.replace("_", "-"), f"{self.name}.{what}", last_day)

    def _path(self, setup: Setup, text: str | None) -> Path | None:
        return setup.path(text) if text else None

    def _secret(self, setup: Setup, setting: str) -> str | None:
        """Returns the secret that a setting of this section refers to; None if it is not set."""
        reference = getattr(self, setting)
        return setup.secret(f"{self.name}.{setting}", reference) if reference else None


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
