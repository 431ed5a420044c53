"""`sandbox DIR`: the bundled authority."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import Message, _, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ajpes_reporting.sandbox import Provider, Sandbox


@click.command("sandbox")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--style", "style", multiple=True, metavar="NAME", help="Speak in this style; again for another."
)
@click.option("--styles", "lists_styles", is_flag=True, help="List the styles, each with what it plays.")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NUMBER[:NAME[:USER]]",
    help="Serve this provider, with a workspace DIRECTORY/NUMBER; again for another.",
)
@with_session
def command(
    session: Session,
    directory: Path | None,
    style: tuple[str, ...],
    lists_styles: bool,
    providers: tuple[str, ...],
) -> None:
    """Run an AJPES of your own in DIRECTORY, on loopback, until Ctrl-C.

    SOAP over mutual TLS and SFTP, with keys and certificates of its own, and a ready ajpes.toml in
    the same folder. A style plays an authority that asks for other messages, replies otherwise, or
    has an exchange server with quirks; several go together.
    """
    from ajpes_reporting.sandbox import STYLES, Sandbox, SandboxError, style_of
    from ajpes_reporting.workspace import make_folder

    if lists_styles:
        _list_styles(session, {one.name: one.description for one in STYLES})
        return
    if directory is None:
        raise UsageError(_("No folder is named."), _("name one: `ajpes-reporting sandbox DIR`"))
    served = [_provider(text) for text in providers]
    try:
        style_of(style)  # before anything is made
        make_folder(directory)
        with Sandbox(directory / "authority", providers=served, style=style) as authority:
            folders = dict(_make_workspaces(authority, directory, served))
            document = {
                "soap": authority.soap_url,
                "sftp_port": authority.sftp_port,
                "settings": directory / "ajpes.toml",
                "workspaces": list(folders),
                "style": list(authority.style.names),
            }
            session.emit(document, lambda: _show(authority, folders))
            wait_for_the_end(_("The authority has stopped."))
    except SandboxError as error:
        raise UsageError(Message(str(error), {}), Message(error.remedy, {})) from None


def wait_for_the_end(farewell: Message) -> None:
    """Wait for Ctrl-C, which is answered with the farewell, or for the signal of a supervisor."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    try:
        ended.wait()
    except KeyboardInterrupt:
        echo(farewell, err=True)


def _list_styles(session: Session, styles: dict[str, str]) -> None:
    def show() -> None:
        width = max(map(len, styles))
        for name, plays in styles.items():
            echo(verbatim(f"{name:<{width}}  {plays}"))

    session.emit([{"name": name, "plays": plays} for name, plays in styles.items()], show)


def _provider(text: str) -> Provider:
    """Return the provider of NUMBER[:NAME[:USER]]; without USER it is "banka" and the number."""
    from ajpes_reporting.sandbox import Provider

    number, _colon, rest = text.partition(":")
    name, _colon, username = rest.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) in (7, 10)):
        raise UsageError(
            _("{number:quoted} is no registration number.", number=number),
            _('write --provider NUMBER[:NAME[:USER]] with 7 or 10 digits, such as 5860571000:"Banka d.d."'),
        )
    return Provider(number, name or f"Banka {number}", username or f"banka{number}")


def _make_workspaces(
    authority: Sandbox, directory: Path, served: Iterable[Provider]
) -> Iterator[tuple[Path, bool]]:
    """Make the workspaces, and the list of them if there are several; yield which settings are new."""
    from ajpes_reporting.workspace import complete_workspace, make_folder

    numbers = [one.registration_number for one in served]
    for number in numbers or [""]:
        folder = directory / number
        make_folder(folder)
        is_new = authority.write_settings(folder / "ajpes.toml", number)
        complete_workspace(folder)
        yield folder, is_new
    if numbers:
        _list_workspaces(directory / "ajpes.toml", numbers)


def _list_workspaces(path: Path, numbers: list[str]) -> None:
    names = ", ".join(f'"{number}"' for number in numbers)
    line = f"workspaces = [{names}]\n"
    if not path.exists():
        path.write_text(line, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != line:
        echo(
            _(
                "{file} was there already, and is left as it is; {line} would list these workspaces.",
                file=str(path),
                line=line.strip(),
            ),
            err=True,
        )


def _show(authority: Sandbox, folders: dict[Path, bool]) -> None:
    first = next(iter(folders))
    where = str(authority.directory.parent)
    echo(_("The authority is at work in {folder}, on this machine only:", folder=where))
    echo(_("  SOAP  {address}", address=authority.soap_url))
    echo(_("  SFTP  127.0.0.1, port {port}", port=authority.sftp_port))
    if authority.style.names:
        names, wsdl = list(authority.style.names), str(authority.wsdl_file)
        echo(_("  style {names}; its WSDL: {file}", names=names, file=wsdl))
    for folder, is_new in folders.items():
        of_style = authority.style_settings(folder)
        if not is_new and any(of_style.values()):
            kept = str(folder / "ajpes.toml")
            echo(_("{file} was there already, and is left as it is. This style needs:", file=kept))
            for section, lines in of_style.items():
                for line in [f"[{section}]", *lines.splitlines()] if lines else []:
                    echo(verbatim(line), indent=2)
    echo(
        _(
            "In another terminal: `ajpes-reporting -w {folder} run nodurs`. Ctrl-C stops the authority.",
            folder=str(first),
        )
    )
