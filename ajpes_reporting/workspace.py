"""Makes workspaces: a folder with settings, the database and the archive."""

from __future__ import annotations

from datetime import UTC, datetime
from glob import escape
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from ajpes_reporting import private
from ajpes_reporting.config import SETTINGS_FILE, Workspace, open_workspace, read_settings
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.deliver import registry
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import NOTHING, Message, _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.journal import orphans
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.private import open_private
from ajpes_reporting.reports import registry as reports

if TYPE_CHECKING:
    from sqlalchemy import Engine

_TEMPLATE = """\
# Settings of this workspace. What is commented out shows the default or an example.
# Passwords are never written here, only where they lie:
#   env:NAME          an environment variable
#   file:PATH         the content of a file
#   credential:NAME   a systemd credential (LoadCredential=)
# Paths are relative to this folder.

language = ""                          # of messages: "sl" or "en"; empty: that of the locale

[provider]
registration_number = "{registration_number}"   # 7 or 10 digits
name = "{name}"
# account_prefixes = ["01"]            # how your accounts begin; others get a warning

[database]
url = "sqlite:///ajpes.db"             # or postgresql://user@host/name

[ledger]
# url = "postgresql://reader@host/bank"  # your own views instead of imports, read only

{reports}[checks]
strict = false                         # true: warnings count as errors

[calendar]
# extra_days_off = ["2026-12-24"]      # days on which AJPES does not work, beyond the calendars

[schedule]
# Local time; NODURS early enough that the ledger can be corrected after a first refusal, by 18:00.
{starts}
{ways}# Who is told when something needs a person: by e-mail, and by a POST of JSON.
# [mail]
# server = "…"
# username = "…"
# password = "file:keys/mail-password"
# sender = "ajpes@…"
# recipients = ["…"]

# [webhook]
# url = "https://…"
# secret = "file:keys/webhook-secret"      # signs each message

# Web payments through UJP e-plačila, with what UJP has sent.
# [eplacila]
# base_url = "https://testeplacila.ujp.gov.si"
# api_key = "file:keys/eplacila-api-key"
# shared_secret = "file:keys/eplacila-secret"
# ids = 143
# account = "SI56…"                     # which of your accounts is credited
# public_key = "keys/eplacila-public-key"
"""

_MOST_NAMED = 3

CLOSE_FACTS = _("call `ajpes-reporting init` for this workspace, which closes them, or use `chmod go=`")
"""What to do about files that others may read."""

_EXAMPLE_NUMBER, _EXAMPLE_NAME = "5860571000", "Banka Vzorec d.d."


def settings_text(registration_number: str, name: str) -> str:
    """Returns the settings of a new workspace of this provider, as TOML with comments."""
    return _TEMPLATE.format(
        registration_number=_toml(registration_number),
        name=_toml(name),
        reports="".join(f"[{kind.name}]\n{kind.example}\n" for kind in reports.KINDS),
        starts="".join(f"# {kind.name}_start = {kind.starts_at}\n" for kind in reports.KINDS),
        ways="".join(f"{way.example}\n" for way in registry.WAYS),
    )


def make_workspace(
    folder: Path,
    registration_number: str | None = None,
    name: str | None = None,
    *,
    new_archive: bool = False,
) -> Workspace:
    """Returns a new workspace with commented settings. Raises `UsageError` if there is one already."""
    settings = folder / SETTINGS_FILE
    if settings.exists():
        raise UsageError(
            _("There is a workspace in {folder} already. Nothing was changed.", folder=str(folder)),
            _("name another folder"),
        )
    make_folder(folder)
    text = settings_text(registration_number or _EXAMPLE_NUMBER, name or _EXAMPLE_NAME)
    read_settings(text, str(settings))
    with open_private(settings, "x", encoding="utf-8") as file:
        file.write(text)
    return complete_workspace(folder, new_archive=new_archive)


def complete_workspace(folder: Path, *, new_archive: bool = False) -> Workspace:
    """Makes what the settings of `folder` ask for and is not there yet: database, tables, archive.

    Brings the tables of an older version up to date, and with several workers also their queue. Raises
    `ConfigurationError` if another workspace reports for this provider to the same database, unless
    `new_archive` says that this one takes its place.
    """
    workspace = open_workspace(folder)
    make_folder(workspace.archive)
    engine = open_engine(workspace.database_url())
    try:
        upgrade(engine)
        _claim(workspace, engine, new_archive=new_archive)
        if workspace.settings.schedule.engine == "procrastinate":
            _make_queue(engine)
    finally:
        engine.dispose()
    for file in own_files(workspace):
        private.close_to_others(file)
    return workspace


def open_facts(workspace: Workspace) -> Message:
    """Returns which files that hold facts others on this machine may read; nothing if there are none."""
    places = chain.from_iterable(map(private.open_to_others, own_files(workspace)))
    found = list(islice(places, _MOST_NAMED + 1))
    files = [str(file) for file in found[:_MOST_NAMED]]
    if not files:
        return NOTHING
    if len(found) > _MOST_NAMED:
        return _("other users of this machine may read {files} and more", files=files)
    return _("other users of this machine may read {files}", files=files)


def own_files(workspace: Workspace) -> list[Path]:
    """Returns the files and folders here that hold facts of a workspace: its archive, and SQLite's files."""
    url = make_url(workspace.database_url())
    name = url.database if url.get_backend_name() == "sqlite" else None
    database = Path(name).resolve() if name else None
    around = database.parent.glob(f"{escape(database.name)}*") if database else ()
    return [workspace.archive, *sorted(around)]


def _claim(workspace: Workspace, engine: Engine, *, new_archive: bool) -> None:
    """No second archive is begun for a provider beside the one that its reports lie in."""
    provider, archive = workspace.settings.provider.registration_number, Archive(workspace.archive)
    with writing(engine) as connection:
        if new_archive:
            orphans.adopt(connection, provider, archive.sent_log, at=datetime.now(UTC))
        orphans.require_own(connection, provider, archive)


def make_folder(folder: Path) -> None:
    """Makes a folder that only its owner can look into, if there is none. Raises `UsageError`."""
    try:
        private.make_folder(folder)
    except OSError as error:
        raise UsageError(
            _(
                "{folder} could not be made: {reason}.",
                folder=str(folder),
                reason=system_reason(error),
            ),
            _("name another folder"),
        ) from None


def _make_queue(engine: Engine) -> None:
    from ajpes_reporting.schedule.queue import make_queue  # slow to load, and needed by few

    make_queue(engine)


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
