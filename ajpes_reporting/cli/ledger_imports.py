"""`ledger imports`: the files that came in, and when."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.imports import rows_in_words
from ajpes_reporting.cli.ledger_lists import written
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import MOST_ROWS_EVER, Right, Session, local_time, number, with_session
from ajpes_reporting.cli.table_files import table_options
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.queries.document import document

if TYPE_CHECKING:
    from ajpes_reporting.cli.table_files import TableFile
    from ajpes_reporting.queries.imports import Imported, ImportedInFull

_SHOWN = 50
_COLUMNS = (
    "number", "at", "act", "source", "kind", "new", "known", "restated", "renamed", "statements", "gaps",
    "reason", "sha256",
)  # fmt: skip
_ACTS = {"import": _("import"), "restatement": _("restatement")}
_ROW_KINDS = {
    "events": _("events"),
    "accounts": _("accounts"),
    "account_months": _("account months"),
    "postings": _("postings"),
}


@click.command("imports", short_help="The files that came in, and when.")
@click.argument("number", required=False, type=click.IntRange(1, MOST_ROWS_EVER))
@with_session
@table_options
def imports(session: Session, number: int | None, table: TableFile | None) -> None:
    """Lists the files that brought something into the ledger, the newest first; with NUMBER, one of them.

    It is read from the audit record. A file that brought nothing new left no entry there.
    """
    from ajpes_reporting.queries.imports import import_of, stream_imports

    context = session.context()
    with context.engine.connect() as connection:
        if number is not None:
            if table is not None:
                raise UsageError(_("A table lists all imports."), _("leave the number out"))
            found = import_of(connection, context.provider, number)
            session.emit(found, lambda: _show_one(found))
            return
        every = partial(stream_imports, connection, context.provider)
        if written(session, context, table, _COLUMNS, every, document):
            return
        first = list(every(_SHOWN + 1))
    if not first:
        echo(_("Nothing has been imported yet."))
        return
    columns = (
        Right(_("no.")),
        _("when"),
        _("what"),
        _("file"),
        _("kind"),
        Right(_("new rows")),
        Right(_("known rows")),
        Right(_("restated rows")),
    )
    session.table(_("Imports"), columns, [_cells(one) for one in first[:_SHOWN]])
    if len(first) > _SHOWN:
        echo(_("… and more; `--csv FILE`, `--xlsx FILE` or `--json` has them all."))


def _cells(item: Imported) -> list[str]:
    return [
        str(item.number),
        local_time(item.at),
        _ACTS[item.act],
        item.source,
        _ROW_KINDS.get(item.kind, item.kind),
        number(item.new),
        number(item.known),
        number(item.restated),
    ]


def _show_one(found: ImportedInFull) -> None:
    item = found.imported
    is_import = item.act == "import"
    if is_import:
        echo(_("{source}, imported {at:moment}", source=item.source, at=item.at))
    else:
        echo(_("{source}, restated with it {at:moment}", source=item.source, at=item.at))
    for label, told in (
        (_("new rows"), rows_in_words(item.kind, item.new) if is_import else NOTHING),
        (_("known rows"), rows_in_words(item.kind, item.known) if is_import else NOTHING),
        (_("restated rows"), rows_in_words(item.kind, item.restated) if item.restated else NOTHING),
        (_("debtors renamed"), number(item.renamed) if item.renamed else NOTHING),
        (_("statements"), number(item.statements) if item.statements else NOTHING),
        (_("statements that did not join"), number(item.gaps) if item.gaps else NOTHING),
        (_("why"), item.reason),
        (_("SHA-256"), item.sha256),
        (_("entry of the audit record"), str(item.number)),
        (_("its seal"), found.hash),
    ):
        if told:
            echo(_("{label}: {told}", label=label, told=told), indent=2)
