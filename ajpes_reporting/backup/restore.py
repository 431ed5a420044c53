"""A new workspace from a backup. Nothing that exists is overwritten, and every byte is checked first.

Whatever was sent after the backup is unknown to the restored journal. The audit record says that
it was restored, and reports that may have gone out in between wait for a person; see
`journal.orphans`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from ajpes_reporting.backup.database_copy import load, require_empty
from ajpes_reporting.backup.files import copy_durably, sha256_of, write_durably
from ajpes_reporting.backup.manifest import Manifest, read_manifest
from ajpes_reporting.config import SETTINGS_FILE, DatabaseSection, Workspace, read_settings
from ajpes_reporting.database.engine import open_engine, snapshot, writing
from ajpes_reporting.database.tables import audit_records, due_reports
from ajpes_reporting.database.upgrade import HEAD, upgrade
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError, UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.journal import orphans
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.pipeline.audit import verify_kept, verify_record
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.domain.ports import Clock


@dataclass(frozen=True, slots=True)
class Restored:
    """A workspace that was made from a backup, and what was wrong in it already when it was backed up."""

    workspace: Workspace
    manifest: Manifest
    settings_name_another_database: bool


def restore(backup: Path, folder: Path, clock: Clock, progress: Progress = no_progress) -> Restored:
    """Makes a workspace in `folder` from a backup. The settings come last: without them it is none.

    Raises `UsageError` if the backup is damaged or incomplete, if the folder holds a workspace, or if
    the database is not empty; `ConfigurationError` if the settings do not fit; `AjpesReportingError`
    if the machine does not allow it.
    """
    try:
        return _restore(backup, folder, clock, progress)
    except OSError as error:
        raise AjpesReportingError(
            _(
                "The backup in {backup} could not be restored into {folder}: {reason}. It has no "
                "{settings}, so that nobody works with it.",
                backup=backup,
                folder=folder,
                reason=system_reason(error),
                settings=SETTINGS_FILE,
            ),
            _("make room on the disk, or correct the rights, then restore into another folder"),
        ) from error


def _restore(backup: Path, folder: Path, clock: Clock, progress: Progress) -> Restored:
    manifest = read_manifest(backup)
    _refuse_newer(manifest)
    _check(backup, manifest, progress)
    settings = (backup / manifest.settings.name).read_bytes()
    workspace = _future_workspace(settings, manifest, folder)
    engine = open_engine(workspace.database_url())
    try:
        _refuse_what_is_there(folder, engine, manifest)
        _fill(backup, manifest, workspace, engine)
        _verify(workspace, engine, manifest, clock)
        _note(engine, manifest, clock)
    finally:
        engine.dispose()
    write_durably(workspace.settings_file, settings)
    return Restored(workspace, manifest, _named_database(settings) != workspace.settings.database.url)


def _text(settings: bytes) -> str:
    try:
        return settings.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(
            _("The settings in the backup are not UTF-8 text."), _("use another backup")
        ) from None


def _named_database(settings: bytes) -> str:
    """Returns the database that the file itself names, whatever the environment says."""
    named: str = tomllib.loads(_text(settings)).get("database", {}).get("url", DatabaseSection().url)
    return named


def _refuse_newer(manifest: Manifest) -> None:
    if manifest.revision > HEAD:
        raise UsageError(
            _(
                "The backup was made by a newer version of this program ({program}). Nothing was done.",
                program=manifest.program,
            ),
            _("install that version, or a newer one"),
        )


def _check(backup: Path, manifest: Manifest, progress: Progress) -> None:
    """Every file is there and has its hash, before anything is made from any of them."""
    _check_file(backup, manifest.database.name, manifest.database.sha256)
    _check_file(backup, manifest.settings.name, manifest.settings.sha256)
    for file in manifest.archive:
        _check_file(backup, f"archive/{file.path}", file.sha256)
        progress(1)


def _check_file(backup: Path, name: str, sha256: str) -> None:
    path = backup / name
    # A link, at any place below the backup, leads to what is not part of it.
    is_ours = path.is_file() and path.resolve() == backup.resolve() / name
    if not is_ours or sha256_of(path) != sha256:
        raise UsageError(
            _("The backup is damaged: {path} is missing or was changed. Nothing was done.", path=path),
            _("use another backup, or replace that file from another copy"),
        )


def _future_workspace(settings: bytes, manifest: Manifest, folder: Path) -> Workspace:
    workspace = Workspace(folder.absolute(), read_settings(_text(settings), SETTINGS_FILE))
    if workspace.settings.provider.registration_number != manifest.provider:
        raise ConfigurationError(
            _(
                "The settings are of provider {registration_number}, the backup is of {provider}.",
                registration_number=workspace.settings.provider.registration_number,
                provider=manifest.provider,
            ),
            _("take AJPES_REPORTING_PROVIDER__… out of the environment"),
        )
    return workspace


def _refuse_what_is_there(folder: Path, engine: Engine, manifest: Manifest) -> None:
    if (folder / SETTINGS_FILE).exists():
        raise UsageError(
            _("There is a workspace in {folder} already. Nothing was changed.", folder=folder),
            _("name another folder"),
        )
    if engine.dialect.name != manifest.database.kind:
        raise ConfigurationError(
            _(
                "The backup is of a database of {kind}; the settings name one of {name}.",
                kind=manifest.database.kind,
                name=engine.dialect.name,
            ),
            _("name one of {kind} in AJPES_REPORTING_DATABASE__URL", kind=manifest.database.kind),
        )
    require_empty(engine)


def _fill(backup: Path, manifest: Manifest, workspace: Workspace, engine: Engine) -> None:
    make_folder(workspace.folder)
    make_folder(workspace.archive)
    for file in manifest.archive:
        target = workspace.archive / file.path
        make_folder(target.parent)
        _refuse_changed(file.path, copy_durably(backup / "archive" / file.path, target), file.sha256)
    load(engine, backup / manifest.database.name)


def _refuse_changed(name: str, copied: str, expected: str) -> None:
    if copied != expected:
        raise UsageError(
            _("{name} changed while it was restored.", name=name), _("let nobody write into the backup")
        )


def _verify(workspace: Workspace, engine: Engine, manifest: Manifest, clock: Clock) -> None:
    """The record is whole and ends with the seal; the archive has every file; nothing new is wrong."""
    with snapshot(engine) as connection:
        record = verify_record(connection, manifest.provider)
    if (record.head, record.entries) != (manifest.seal, manifest.entries):
        raise _not_usable(workspace, _("the audit record does not end with the seal of the backup"))
    if manifest.revision < HEAD:
        upgrade(engine)
    _begin_log(engine, manifest.provider, Archive(workspace.archive), clock)
    context = open_context(workspace, clock)
    try:
        wrong = [problem for problem in verify_kept(context).problems if problem not in manifest.problems]
    finally:
        context.engine.dispose()
    if wrong:
        raise _not_usable(workspace, wrong[0])


def _begin_log(engine: Engine, provider: str, archive: Archive, clock: Clock) -> None:
    """The new archive goes on under the number of the one that was backed up, with a log of its own."""
    with writing(engine) as connection:
        if (number := orphans.archive_of(connection, provider)) is not None:
            archive.sent_log.begin(number)
            orphans.adopt(connection, provider, archive.sent_log, at=clock())


def _note(engine: Engine, manifest: Manifest, clock: Clock) -> None:
    with writing(engine) as connection:
        for provider in sorted({manifest.provider, *_providers(connection)}):
            orphans.note_restoration(connection, provider, manifest.made_at, manifest.seal, at=clock())


def _providers(connection: Connection) -> set[str]:
    """Several may share one database; it was restored for all of them."""
    return {
        provider
        for table in (audit_records, due_reports)
        for provider in connection.execute(select(table.c.provider).distinct()).scalars()
    }


def _not_usable(workspace: Workspace, problem: str) -> AjpesReportingError:
    return AjpesReportingError(
        _(
            "What was restored into {folder} is not what was backed up: {problem}. It has no {settings}, "
            "so that nobody works with it.",
            folder=workspace.folder,
            problem=problem,
            settings=SETTINGS_FILE,
        ),
        _("remove it, and use another backup"),
    )
