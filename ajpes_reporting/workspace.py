"""Makes workspaces: a folder with settings, the database and the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.config import SETTINGS_FILE, Workspace, open_workspace, read_settings
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.domain.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

_TEMPLATE = """\
# Settings of this workspace. What is commented out shows the default or an example.
# Passwords are never written here, only where they lie:
#   env:NAME          an environment variable
#   file:PATH         the content of a file
#   credential:NAME   a systemd credential (LoadCredential=)
# Paths are relative to this folder.

[provider]
registration_number = "{registration_number}"   # 7 or 10 digits
name = "{name}"
# account_prefixes = ["01"]            # how your accounts begin; others get a warning

[database]
url = "sqlite:///ajpes.db"             # or postgresql://user@host/name

[ledger]
# url = "postgresql://reader@host/bank"  # your own views instead of imports, read only

[nodurs]
amounts = "cents"                      # or "decimal", if AJPES wants 288434.16
# sftp_above_bytes = 50000000          # larger files go by SFTP at once

[spapp]
amounts = "euros"                      # or "decimal", or "cents"

[checks]
strict = false                         # true: warnings count as errors

[calendar]
# extra_days_off = ["2026-12-24"]      # days on which AJPES does not work, beyond the calendars

[schedule]
# nodurs_start = 16:00:00              # local time; early enough to mend a first refusal by 18:00
# spapp_start = 09:00:00

# The web service wsBlokIzmenjava, for NODURS.
# [soap]
# endpoint = "https://…/wsBlokIzmenjava.asmx"
# username = "…"
# password = "file:keys/soap-password"
# client_certificate = "keys/client.pem"   # PEM: the certificate, then its chain
# client_key = "keys/client.key"
# client_pkcs12 = "keys/client.p12"        # instead of the two lines above
# client_key_password = "env:AJPES_KEY_PASSWORD"
# server_ca = "keys/ajpes-ca.pem"          # the only issuer of the server's certificate that is trusted
# authentication = "ident"                 # or "basic"
# ident = ["{{registration_number}}", "{{username}}", "{{password}}"]

# The exchange server, for SPAPP and as the second way for NODURS.
# [sftp]
# host = "…"
# port = 22
# username = "…"
# private_key = "keys/sftp_ed25519"        # or password = "file:keys/sftp-password"
# host_key = "ssh-ed25519 AAAA…"           # the server's public key, from AJPES; no other is accepted
# folder = ""                              # your folder there; nodurs/v_ajpes lies below it

# Who is told when something needs a person: by e-mail, and by a POST of JSON.
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

_EXAMPLE_NUMBER, _EXAMPLE_NAME = "5860571000", "Banka Vzorec d.d."


def make_workspace(
    folder: Path, registration_number: str | None = None, name: str | None = None
) -> Workspace:
    """A new workspace with commented settings. Raises `UsageError` if there is one already."""
    settings = folder / SETTINGS_FILE
    if settings.exists():
        raise UsageError(
            f"There is a workspace in {folder} already. Nothing was changed.", "name another folder"
        )
    values = {"registration_number": registration_number or _EXAMPLE_NUMBER, "name": name or _EXAMPLE_NAME}
    make_folder(folder)
    text = _TEMPLATE.format(**{key: _toml(value) for key, value in values.items()})
    read_settings(text, str(settings))
    settings.write_text(text, encoding="utf-8")
    return complete_workspace(folder)


def complete_workspace(folder: Path) -> Workspace:
    """Makes what the settings of `folder` ask for and is not there yet: database, tables, archive.

    Brings the tables of an older version up to date, and with several workers also their queue.
    """
    workspace = open_workspace(folder)
    make_folder(workspace.archive)
    engine = open_engine(workspace.database_url())
    try:
        upgrade(engine)
        if workspace.settings.schedule.engine == "procrastinate":
            _make_queue(engine)
    finally:
        engine.dispose()
    return workspace


def make_folder(folder: Path) -> None:
    """A folder that only its owner can look into. Raises `UsageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder} could not be made: {error.strerror}.", "name another folder") from None


def _make_queue(engine: Engine) -> None:
    from ajpes_reporting.schedule.queue import make_queue  # slow to load, and needed by few

    make_queue(engine)


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
