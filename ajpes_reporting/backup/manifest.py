"""The manifest: what a backup consists of. It is written last, and a backup without it is none.

It may come from anywhere, so nothing in it is believed: every name has a form from which no path
leads out of the backup, every file has a hash, and the manifest is as it was written, byte for byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ajpes_reporting.backup.files import sha256_of_bytes, write_durably
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _
from ajpes_reporting.i18n.system import system_reason

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"

_MARK = "[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}"
_LARGEST_BYTES = 1_000_000_000

_ARCHIVE_PATH = re.compile(r"[0-9]{4}/[0-9]{2}/[^/\x00]*[^/.\x00]")


def is_archive_path(path: str) -> bool:
    """Whether a name is one of the archive: YYYY/MM/name, from which no way leads out of it."""
    return _ARCHIVE_PATH.fullmatch(path) is not None


def _archive_path(path: str) -> str:
    if not is_archive_path(path):
        raise ValueError(_("this is not a name in the archive"))
    return path


ArchivePath = Annotated[str, AfterValidator(_archive_path)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Database(_Strict):
    """The copy of the database: an SQLite file, or what `pg_dump` wrote."""

    kind: Literal["sqlite", "postgresql"]
    name: Annotated[str, Field(pattern=f"^database-{_MARK}$")]
    sha256: Sha256


class SettingsFile(_Strict):
    """The copy of ajpes.toml."""

    name: Annotated[str, Field(pattern=f"^settings-{_MARK}$")]
    sha256: Sha256


class ArchiveFile(_Strict):
    """A file of the archive, compressed as it lies there; the hash is of these bytes."""

    path: ArchivePath
    sha256: Sha256


class Manifest(_Strict):
    """A complete backup. `seal` is the newest hash of the audit record, `entries` its length.

    `problems` are those of the workspace when it was backed up: what was wrong already.
    """

    format: Literal[1]
    program: str
    revision: Annotated[str, Field(pattern="^[0-9]{4}$")]
    provider: Annotated[str, Field(pattern="^[0-9]{7,10}$")]
    made_at: AwareDatetime
    seal: Sha256
    entries: Annotated[int, Field(ge=0)]
    counts: dict[str, int]
    database: Database
    settings: SettingsFile
    archive: tuple[ArchiveFile, ...]
    problems: tuple[str, ...]


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Puts the manifest in place; from then on the backup is complete."""
    write_durably(backup / MANIFEST, _sealed(manifest))


def read_manifest(backup: Path) -> Manifest:
    """The manifest of a backup. Raises `UsageError` if there is none, or if it is damaged."""
    path = backup / MANIFEST
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _damaged(path)
        content = path.read_bytes()
        manifest = Manifest.model_validate_json(content[: content.rindex(b"\n", 0, -1)])
    except FileNotFoundError:
        raise UsageError(
            _(
                "There is no complete backup in {backup}: it has no {manifest}.",
                backup=backup,
                manifest=MANIFEST,
            ),
            _("name a folder that holds one"),
        ) from None
    except OSError as error:
        raise UsageError(
            _("{path} cannot be read: {reason}.", path=path, reason=system_reason(error)),
            _("check the file and its rights"),
        ) from None
    except (ValidationError, ValueError):
        raise _damaged(path) from None
    if content != _sealed(manifest):
        raise _damaged(path)
    return manifest


def find_manifest(backup: Path) -> Manifest | None:
    """Reads the manifest; None if there is no complete backup."""
    return read_manifest(backup) if (backup / MANIFEST).exists() else None


def _sealed(manifest: Manifest) -> bytes:
    """The manifest as JSON, and a last line with its hash: no byte of it changes unseen."""
    text = manifest.model_dump_json(indent=1).encode()
    return text + b"\n" + sha256_of_bytes(text).encode() + b"\n"


def _damaged(path: Path) -> UsageError:
    return UsageError(
        _("{path} is damaged, or not the manifest of a backup. Nothing was done.", path=path),
        _("use another backup"),
    )
