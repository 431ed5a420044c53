"""The way by SFTP: the exchange server (instruction, section 4.2)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ajpes_reporting.deliver.sftp.folders import AS_INSTRUCTED, Folders
from ajpes_reporting.deliver.way import Way
from ajpes_reporting.sections import ProxiedSection, Seconds, SecretReference

if TYPE_CHECKING:
    from ajpes_reporting.deliver.sftp.carrier import SftpCarrier
    from ajpes_reporting.deliver.way import Setup


class SftpWay(ProxiedSection, Way):
    """Every report, as a file in v_ajpes; its answer comes as a file into iz_ajpes."""

    name: ClassVar[str] = "sftp"
    title: ClassVar[str] = "SFTP"
    for_large_reports: ClassVar[bool] = True
    keys: ClassVar[tuple[str, ...]] = ("private_key",)
    example: ClassVar[str] = """\
# The exchange server, for SPAPP and as the second way for NODURS.
# [sftp]
# host = "…"
# port = 22
# username = "…"
# private_key = "keys/sftp_ed25519"        # or password = "file:keys/sftp-password", or both
# host_key = "ssh-ed25519 AAAA…"           # the server's public key, from AJPES; no other is accepted
# folder = ""                              # your folder there; nodurs/v_ajpes lies below it
# upload = "rename"                        # "direct" for a server that lets nobody rename
"""

    host: str
    port: int = Field(default=22, ge=1, le=65_535)
    username: str
    password: SecretReference | None = None
    password_expires: date | None = None
    private_key: str | None = None
    private_key_password: SecretReference | None = None
    host_key: str | tuple[str, ...]
    host_key_expires: date | None = None
    folder: str = ""
    folders: Folders = AS_INSTRUCTED
    upload: Literal["rename", "direct"] = "rename"
    probe: bool = True
    answer_wait_seconds: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    connect_timeout_seconds: Seconds = 20.0
    operation_timeout_seconds: Seconds = 60.0
    call_timeout_seconds: Seconds = 1800.0
    max_answer_bytes: int = 1_000_000_000

    def carrier(self, setup: Setup) -> SftpCarrier:
        """The carrier of `sftp.py`. Raises `ConfigurationError`."""
        from ajpes_reporting.deliver.sftp.carrier import SftpCarrier
        from ajpes_reporting.deliver.sftp.session import SftpServer

        return SftpCarrier(
            SftpServer(
                host=self.host,
                port=self.port,
                username=self.username,
                host_key=self.host_key,
                password=self._secret(setup, "password"),
                private_key=self._path(setup, self.private_key),
                private_key_password=self._secret(setup, "private_key_password"),
                reports=tuple(report for report in setup.reports if self.carries(report)),
                folder=self.folder,
                folders=self.folders,
                upload=self.upload,
                probe=self.probe,
                connect_timeout_seconds=self.connect_timeout_seconds,
                operation_timeout_seconds=self.operation_timeout_seconds,
                call_timeout_seconds=self.call_timeout_seconds,
                largest_answer_bytes=self.max_answer_bytes,
                proxy=self.outgoing_proxy(self.name, setup.path, setup.secret),
            )
        )

    def answer_box(self, setup: Setup) -> SftpCarrier:
        """Returns the folders of the same server."""
        return self.carrier(setup)

    @property
    def seconds_to_wait_for_answer(self) -> float:
        """As the settings say."""
        return self.answer_wait_seconds
