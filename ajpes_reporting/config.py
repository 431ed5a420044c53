"""`ajpes.toml` as typed settings.

A secret is never written there, only where it lies: `env:NAME`, `file:PATH` or
`credential:NAME` (a systemd credential). Any setting can be overridden by an environment
variable, `AJPES_REPORTING_SOAP__ENDPOINT` for `soap.endpoint`.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ajpes_reporting.deliver import registry
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.fields import read_account
from ajpes_reporting.i18n import Message, _, _n
from ajpes_reporting.i18n.libraries import toml_reason
from ajpes_reporting.i18n.system import reason_of
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.sections import ProxiedSection, SecretReference, Section
from ajpes_reporting.textfile import read_text

if TYPE_CHECKING:
    from ajpes_reporting.deliver.way import Way
    from ajpes_reporting.reports.kind import ReportKind, ReportSettings

SETTINGS_FILE = "ajpes.toml"

W = TypeVar("W", bound="Way")


def _registration_number(text: str) -> str:
    if not re.fullmatch("[0-9]{7}([0-9]{3})?", text):
        raise ValueError(_("a registration number has 7 or 10 digits"))
    return text


class ProviderSection(Section):
    """`[provider]`: the bank that reports."""

    registration_number: Annotated[str, AfterValidator(_registration_number)]
    name: Annotated[str, Field(min_length=1, max_length=140)]
    account_prefixes: tuple[str, ...] = ()


class DatabaseSection(Section):
    """`[database]`: the address of the ledger and journal."""

    url: str = "sqlite:///ajpes.db"


class LedgerSection(Section):
    """`[ledger]`: the address of a bank's own views, if it offers any."""

    url: str | None = None


def _order(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in registry.names():
            raise ValueError(
                _("{name} is no way of delivery; {ways:and} are", name=name, ways=registry.names())
            )
    if len(set(names)) < len(names):
        raise ValueError(_("a way is named twice"))
    return names


class DeliverySection(Section):
    """`[delivery]`: the order of the ways, and what is done where one fails."""

    order: Annotated[tuple[str, ...], AfterValidator(_order)] = ()
    resend_after_unknown: bool = False
    patience_seconds: float = Field(default=600, ge=0, le=3600, allow_inf_nan=False)


class ChecksSection(Section):
    """`[checks]`: the settings of the rules."""

    strict: bool = False
    large_amount_cents: int = Field(default=100_000_000_000, ge=1)
    change_types: dict[str, str] = Field(
        default={"00": "cancellation", "01": "unverified", "02": "unverified", "03": "unverified"}
    )


class CalendarSection(Section):
    """`[calendar]`: days off beside those of the law."""

    extra_days_off: tuple[date, ...] = ()


class ScheduleSection(Section):
    """`[schedule]`: the unattended work. Each kind of report adds its start, such as `nodurs_start`."""

    reports: tuple[str, ...] = ()
    every_seconds: float = Field(default=60, ge=1, le=86_400, allow_inf_nan=False)
    engine: Literal["embedded", "procrastinate"] = "embedded"
    answers_every_seconds: float = Field(default=300, ge=1, le=86_400, allow_inf_nan=False)
    retry_first_seconds: float = Field(default=60, ge=1, le=86_400, allow_inf_nan=False)
    retry_longest_seconds: float = Field(default=900, ge=1, le=86_400, allow_inf_nan=False)
    longest_run_seconds: float = Field(default=3600, ge=60, le=86_400, allow_inf_nan=False)

    def start(self, kind: ReportKind) -> time | None:
        """Returns the start of a report, in Ljubljana; None if the schedule leaves it to somebody else."""
        found: time = getattr(self, _start_of(kind))
        return found if kind.name in self.reports else None


def _start_of(kind: ReportKind) -> str:
    return f"{kind.name}_start"


class AlarmsSection(Section):
    """`[alarms]`: when alarms are raised and repeated."""

    before_deadline_minutes: float = Field(default=60, ge=0, allow_inf_nan=False)
    answer_after_hours: float = Field(default=3, ge=0, allow_inf_nan=False)
    expiry_days: int = Field(default=30, ge=0)
    free_disk_bytes: int = Field(default=1 << 30, ge=0)
    repeat_hours: float = Field(default=24, gt=0, allow_inf_nan=False)


class MailSection(Section):
    """`[mail]`: the mail server and the recipients of alarms."""

    server: str
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretReference | None = None
    server_ca: str | None = None
    sender: str
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    timeout_seconds: float = Field(default=20, gt=0, allow_inf_nan=False)


class WebhookSection(ProxiedSection):
    """`[webhook]`: the receiver of alarms over HTTPS."""

    url: str
    secret: SecretReference | None = None
    server_ca: str | None = None
    timeout_seconds: float = Field(default=20, gt=0, allow_inf_nan=False)


class LogSection(Section):
    """`[log]`: the form of log lines."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class MonitoringSection(Section):
    """`[monitoring]`: the address of `/health` and `/metrics`."""

    listen: str | None = None


class RetentionSection(Section):
    """`[retention]`: the months for which archived files are kept, 24 at the least."""

    keep_months: int = Field(default=24, ge=24, le=1200)


class EplacilaSection(ProxiedSection):
    """`[eplacila]`: the access to UJP e-plačila, and the listener for its notices."""

    base_url: str = "https://eplacila.ujp.gov.si"
    api_key: SecretReference
    shared_secret: SecretReference
    ids: int
    recipient: Annotated[str, AfterValidator(_registration_number)] | None = None
    account: Annotated[str, AfterValidator(read_account)] | None = None
    reversals: Literal["status", "statement"] = "status"
    public_key: str
    server_ca: str | None = None
    init_path: Literal["/transaction/init", "/transaction/transaction/init"] = "/transaction/transaction/init"
    answers_are_signed: bool = True
    clock_tolerance_seconds: float = Field(default=300, ge=0, allow_inf_nan=False)
    ask_open_every_seconds: float = Field(default=900, ge=0, allow_inf_nan=False)
    notice_age_seconds: float = Field(default=86_400, gt=0, allow_inf_nan=False)
    max_notice_bytes: int = Field(default=65_536, ge=1024)
    max_statement_bytes: int = Field(default=4_000_000_000, ge=1024)
    connect_timeout_seconds: float = Field(default=20, gt=0, allow_inf_nan=False)
    operation_timeout_seconds: float = Field(default=60, gt=0, allow_inf_nan=False)
    call_timeout_seconds: float = Field(default=300, gt=0, allow_inf_nan=False)
    listen: str = "127.0.0.1:9443"
    listen_certificate: str | None = None
    listen_key: str | None = None


class Settings(BaseSettings):
    """All settings of one workspace, checked. Each kind of report and each way adds its own section."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,
        env_prefix="AJPES_REPORTING_",
        env_nested_delimiter="__",
    )

    language: Literal["sl", "en", ""] = ""
    provider: ProviderSection
    database: DatabaseSection = DatabaseSection()
    ledger: LedgerSection = LedgerSection()
    checks: ChecksSection = ChecksSection()
    calendar: CalendarSection = CalendarSection()
    schedule: ScheduleSection
    delivery: DeliverySection = DeliverySection()
    alarms: AlarmsSection = AlarmsSection()
    mail: MailSection | None = None
    webhook: WebhookSection | None = None
    log: LogSection = LogSection()
    monitoring: MonitoringSection = MonitoringSection()
    retention: RetentionSection = RetentionSection()
    eplacila: EplacilaSection | None = None

    def report(self, kind: ReportKind) -> ReportSettings:
        """Returns the section of one kind of report."""
        found: ReportSettings = getattr(self, kind.name)
        return found

    def ways(self, report: str | None = None) -> list[Way]:
        """Returns the ways that are set up and may carry this report, or any, in the order to try them."""
        places = {name: place for place, name in enumerate(self.delivery.order)}
        known = sorted(registry.WAYS, key=lambda way: places.get(way.name, len(places)))
        found = (self.way(way) for way in known if report is None or way.carries(report))
        return [way for way in found if way is not None]

    def way(self, kind: type[W]) -> W | None:
        """Returns the section of one way; None if the way is not set up."""
        found: W | None = getattr(self, kind.name, None)
        return found

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns the sources of values: environment variables come before the file."""
        return env_settings, init_settings


class Workspace:
    """A folder with its `ajpes.toml`; relative paths in the settings are relative to it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings

    @property
    def archive(self) -> Path:
        """The folder of the files that were sent and received."""
        return self.folder / "archive"

    @property
    def settings_file(self) -> Path:
        """The path of the workspace's own `ajpes.toml`."""
        return self.folder / SETTINGS_FILE

    def path(self, text: str) -> Path:
        """Returns a path of the settings, relative to the workspace unless it is absolute; `~` is a home.

        Raises `ConfigurationError` for the home of an unknown user.
        """
        try:
            return self.folder / Path(text).expanduser()
        except RuntimeError:
            raise ConfigurationError(
                _(
                    "{file} names the path {path}, whose user is not known here.",
                    file=str(self.settings_file),
                    path=text,
                ),
                _("write the path from the root, or relative to the workspace"),
            ) from None

    def path_if_set(self, text: str | None) -> Path | None:
        """Returns the path in a setting that may be left out; None if it is."""
        return self.path(text) if text else None

    def database_url(self) -> str:
        """Returns the URL of ledger and journal, password included; never log it.

        A SQLite file is found relative to the workspace. Raises `ConfigurationError` if it is no URL.
        """
        return self._absolute_url("database.url", self.settings.database.url)

    def ledger_url(self) -> str | None:
        """Returns the URL of the bank's own views, as `database_url` does; None if there are none."""
        url = self.settings.ledger.url
        return None if url is None else self._absolute_url("ledger.url", url)

    def secret(self, key: str, reference: str) -> str:
        """Returns the secret of a reference. Raises `ConfigurationError`, naming the setting `key`."""
        kind, _colon, rest = reference.partition(":")
        if kind == "env":
            value = os.environ.get(rest)
            if value is None:
                raise ConfigurationError(
                    _(
                        "{setting} points at the environment variable {variable}, which is not set.",
                        setting=key,
                        variable=rest,
                    ),
                    _(
                        "set {variable}, or let {setting} point at a file with file:PATH",
                        variable=rest,
                        setting=key,
                    ),
                )
            return value
        path = self.path(rest) if kind == "file" else self._credential(key, rest)
        try:
            value = read_text(path).rstrip("\n")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                _(
                    "{setting} points at the file {path}, which cannot be read: {reason}.",
                    setting=key,
                    path=str(path),
                    reason=reason_of(error),
                ),
                _("put the secret into that file, in UTF-8 and readable by this user only"),
            ) from None
        if not value:
            raise ConfigurationError(
                _("{setting} points at the file {path}, which is empty.", setting=key, path=str(path)),
                _("put the secret into that file, readable by this user only"),
            )
        return value

    def _credential(self, key: str, name: str) -> Path:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise ConfigurationError(
                _(
                    "{setting} points at the systemd credential {name}, but this process was given no"
                    " credentials.",
                    setting=key,
                    name=name,
                ),
                _("run it as a service with LoadCredential={name}:…, or use file:PATH", name=name),
            )
        return Path(directory) / name

    def _absolute_url(self, key: str, text: str) -> str:
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):  # the latter for a port that is no number
            raise ConfigurationError(
                _("{setting} is not a database URL.", setting=key),
                _("write it like sqlite:///ajpes.db or postgresql://user@host/name"),
            ) from None
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            url = url.set(database=str(self.path(url.database)))
        return url.render_as_string(hide_password=False)


def open_workspace(folder: Path) -> Workspace:
    """Opens the workspace in `folder` and reads its settings.

    Raises `UsageError` if there is none, `ConfigurationError` if its settings are wrong.
    """
    path = folder / SETTINGS_FILE
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise UsageError(
            _("There is no ajpes.toml in {folder}.", folder=str(folder.absolute())),
            _("go to a workspace, name one with -w DIR, or make one with `ajpes-reporting init DIR`"),
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            _("{file} cannot be read: {reason}.", file=str(path), reason=reason_of(error)),
            _("check its rights, and save it as UTF-8"),
        ) from None
    if listed := _listed_workspaces(folder):
        raise UsageError(
            _n(
                "{folder} holds {count} workspace: {names}.",
                "{folder} holds {count} workspaces: {names}.",
                len(listed),
                folder=str(folder.absolute()),
                names=listed,
            ),
            _("name one of them with -w {folder}", folder=str(folder / listed[0])),
        )
    return Workspace(folder.absolute(), read_settings(text, str(path)))


def open_workspaces(folder: Path) -> list[Workspace]:
    """Opens the workspaces of an installation: those that `folder` lists, or `folder` itself.

    A service bureau's own `ajpes.toml` holds one line, `workspaces = ["bank-a", "bank-b"]`; each of
    these is a workspace of its own, with its own certificate, folders and calendar.
    Raises `UsageError` and `ConfigurationError`.
    """
    return [open_workspace(one) for one in workspace_folders(folder)]


def workspace_folders(folder: Path) -> list[Path]:
    """Returns the folders of an installation. Raises `ConfigurationError` if their list is wrong."""
    return [folder / name for name in _listed_workspaces(folder)] or [folder]


def _listed_workspaces(folder: Path) -> list[str]:
    """Returns the workspaces that a bureau's settings list; none for a single workspace."""
    path = folder / SETTINGS_FILE
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, ValueError):
        return []  # `open_workspace` says what is wrong
    listed = values.get("workspaces")
    if listed is None:
        return []
    if len(values) > 1 or not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ConfigurationError(
            _(
                "{file} cannot be used: beside a list of workspaces nothing else stands in it.",
                file=str(path),
            ),
            _('write only workspaces = ["bank-a", "bank-b"]; the settings stand in each of these folders'),
        )
    if len(set(listed)) < len(listed) or not listed:
        raise ConfigurationError(
            _("{file} lists no workspace, or one twice.", file=str(path)), _("list each folder once")
        )
    return listed


def read_settings(text: str, name: str = SETTINGS_FILE) -> Settings:
    """Reads settings from TOML text; `name` is what errors call it.

    Raises `ConfigurationError`, naming each wrong key.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            _("{file} is not valid TOML: {reason}.", file=name, reason=toml_reason(str(error))),
            _("correct that line"),
        ) from None
    _refuse_private(values, name)
    try:
        return settings_with(registry.WAYS, reports.KINDS)(**values)
    except SettingsError as error:  # it names the section, its cause would show the value
        raise ConfigurationError(
            _("An environment variable AJPES_REPORTING_… cannot be used: {reason}.", reason=str(error)),
            _('write a list in it as JSON, such as ["01", "02"]'),
        ) from None
    except ValidationError as error:
        raise ConfigurationError(
            _("{file} cannot be used:", file=name),
            _("correct these settings; docs/configuration.md explains each"),
            [_complaint(item) for item in error.errors(include_input=False, include_url=False)],
        ) from None


@cache
def settings_with(ways: tuple[type[Way], ...], kinds: tuple[ReportKind, ...]) -> type[Settings]:
    """Returns the class of the settings, with a section for each of these ways and kinds of reports."""
    schedule = _schedule_of(kinds)
    sections: dict[str, Any] = {way.name: (way | None, None) for way in ways}
    sections |= {kind.name: (kind.settings, kind.settings()) for kind in kinds}
    return create_model("Settings", __base__=Settings, schedule=(schedule, schedule()), **sections)


def _schedule_of(kinds: tuple[ReportKind, ...]) -> type[ScheduleSection]:
    names = tuple(kind.name for kind in kinds)
    fields: dict[str, Any] = {_start_of(kind): (time, kind.starts_at) for kind in kinds}
    fields["reports"] = (tuple[Literal[names], ...], names)  # type: ignore[valid-type]
    return create_model("ScheduleSection", __base__=ScheduleSection, **fields)


def _refuse_private(values: dict[str, Any], name: str) -> None:
    """Refuses keys that the library that reads them would take for its own options, not for settings."""
    if private := sorted(key for key in values if key.startswith("_")):
        raise ConfigurationError(
            _("{file} cannot be used: {setting} is not a setting.", file=name, setting=private[0]),
            _("take it out"),
        )


def _complaint(item: Any) -> Message:
    """Returns what is wrong with one setting: in our words where a rule of ours refused it."""
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return _("{setting} is missing", setting=key)
    if item["type"] == "extra_forbidden":
        return _("{setting} is not a setting", setting=key)
    reason = item["ctx"]["error"].args[0] if item["type"] == "value_error" else item["msg"]
    return _("{setting}: {reason}", setting=key, reason=reason)
