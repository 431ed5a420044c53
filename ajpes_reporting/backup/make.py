"""A backup of one workspace: the database first, then the files it knows, the settings, the manifest.

What is new is written beside what was there, under names of its own, and counts only when the
manifest names it. So a backup that is cut off at any moment leaves the one before it whole.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from ajpes_reporting import __version__
from ajpes_reporting.backup.database_copy import dump
from ajpes_reporting.backup.files import PART, copy_durably, sha256_of
from ajpes_reporting.backup.manifest import (
    ArchiveFile,
    Database,
    Manifest,
    SettingsFile,
    find_manifest,
    is_archive_path,
    write_manifest,
)
from ajpes_reporting.config import SETTINGS_FILE
from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.database.tables import audit_records, metadata
from ajpes_reporting.database.upgrade import HEAD
from ajpes_reporting.domain.errors import AjpesReportingError, Busy, UsageError
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.journal import purged
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.pipeline.audit import AuditReport, damage, verify_record
from ajpes_reporting.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.journal.purged import ArchivedFile
    from ajpes_reporting.pipeline.context import Context

_OURS = re.compile(r"(database|settings)-[0-9TZ]+-[0-9a-f]{8}(\.part|-journal|-wal|-shm)*")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is complete, how many archive files it has, and how many of them are new in it."""

    folder: Path
    manifest: Manifest
    copied: int


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts about the copied database, read in the transaction of the copy."""

    record: AuditReport
    counts: dict[str, int]
    files: dict[str, ArchivedFile]
    gone: frozenset[str]


def back_up(workspace: Workspace, context: Context, folder: Path, progress: Progress = no_progress) -> Backup:
    """Makes or renews the backup in `folder`. Others may write and run meanwhile.

    Raises `UsageError` if something else is in the folder, `Busy` if another backup goes there, or
    files are being purged, and `AjpesReportingError` if the disk or the database does not allow it.
    The backup that was there before is then as it was.
    """
    try:
        with _alone_in(_ready(workspace, folder)), context.archive.nothing_removed():
            return _back_up(workspace, context, folder, progress)
    except OSError as error:
        raise AjpesReportingError(
            _(
                "The backup could not be written into {folder}: {reason}. It is not complete; one that "
                "was there before is as it was.",
                folder=folder,
                reason=system_reason(error),
            ),
            _("make room on the disk, or correct the folder's rights, then back up again"),
        ) from error


def _back_up(workspace: Workspace, context: Context, folder: Path, progress: Progress) -> Backup:
    before = find_manifest(folder)
    made_at = context.clock().astimezone(UTC)
    mark = f"{made_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    database, settings = f"database-{mark}", f"settings-{mark}"
    with snapshot(context.engine) as connection:
        facts = _facts(connection, context.provider)
        if before is not None:
            _refuse_another(connection, context.provider, before, folder)
        dump(connection, folder / database)
    archive, copied, damaged = _copy_archive(context.archive, Archive(folder / "archive"), facts, progress)
    manifest = Manifest(
        format=1,
        program=__version__,
        revision=HEAD,
        provider=context.provider,
        made_at=made_at,
        seal=facts.record.head,
        entries=facts.record.entries,
        counts=facts.counts,
        database=Database(
            kind="postgresql" if context.engine.dialect.name == "postgresql" else "sqlite",
            name=database,
            sha256=sha256_of(folder / database),
        ),
        settings=SettingsFile(name=settings, sha256=copy_durably(workspace.settings_file, folder / settings)),
        archive=archive,
        problems=(*facts.record.problems, *damaged),
    )
    write_manifest(folder, manifest)
    _clear_away(folder, manifest, facts.gone)
    return Backup(folder, manifest, copied)


def _ready(workspace: Workspace, folder: Path) -> Path:
    """The folder of the backup, made if need be, and readable by its owner only."""
    if (folder / SETTINGS_FILE).exists():
        raise UsageError(
            _("{folder} holds a workspace. Nothing was done.", folder=folder),
            _("name another folder for the backup"),
        )
    if folder.resolve().is_relative_to(workspace.archive.resolve()):
        raise UsageError(
            _("{folder} is in the archive. Nothing was done.", folder=folder),
            _("name another folder for the backup"),
        )
    make_folder(folder)
    return folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Busy(
            _("Another backup into {folder} is at work. Nothing was done.", folder=folder), _("wait for it")
        ) from None
    finally:
        os.close(handle)


def _facts(connection: Connection, provider: str) -> _Facts:
    record = verify_record(connection, provider)
    gone = frozenset(purged.paths(connection, provider))
    files = {file.path: file for file in purged.archived_files(connection, provider)}
    return _Facts(record, _counts(connection), {key: files[key] for key in sorted(files.keys() - gone)}, gone)


def _counts(connection: Connection) -> dict[str, int]:
    return {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in sorted(metadata.tables.items())
    }


def _refuse_another(connection: Connection, provider: str, before: Manifest, folder: Path) -> None:
    """A good backup is overwritten with its own continuation alone, and never with another provider's."""
    if before.provider != provider:
        raise UsageError(
            _(
                "The backup in {folder} is of provider {provider}, this workspace of {other}. "
                "Nothing was done.",
                folder=folder,
                provider=before.provider,
                other=provider,
            ),
            _("name a folder of its own for each workspace"),
        )
    if before.entries == 0:
        return
    seal = connection.scalar(select(audit_records.c.hash).where(audit_records.c.seq == before.entries))
    if seal != before.seal:
        raise UsageError(
            _(
                "The backup in {folder} is of another audit record than that of this workspace: its seal "
                "is not in it. Nothing was done.",
                folder=folder,
            ),
            _("find out why with `ajpes-reporting audit verify`; name another folder for the backup"),
        )


def _copy_archive(
    source: Archive, target: Archive, facts: _Facts, progress: Progress
) -> tuple[tuple[ArchiveFile, ...], int, list[Message]]:
    """Copies what is not there yet. A file that is damaged here is named, and a good copy of it is kept."""
    kept, copied, damaged = [], 0, []
    make_folder(target.root)
    for file in facts.files.values():
        progress(1)
        if not is_archive_path(file.path):
            damaged.append(damage(file))
            continue
        if not target.intact(file.path, file.sha256):
            if not source.intact(file.path, file.sha256):
                damaged.append(damage(file))
                continue
            _copy(source.root / file.path, target.root / file.path)
            copied += 1
        kept.append(ArchiveFile(path=file.path, sha256=sha256_of(target.root / file.path)))
    return tuple(kept), copied, damaged


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    copy_durably(source, target)


def _clear_away(folder: Path, manifest: Manifest, gone: frozenset[str]) -> None:
    """Removes what the new manifest has replaced, what a killed backup left, and what was purged."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in (manifest.database.name, manifest.settings.name):
            path.unlink()
    for path in folder.glob(f"archive/*/*/*{PART}"):
        path.unlink()
    for name in filter(is_archive_path, gone):
        (folder / "archive" / name).unlink(missing_ok=True)
