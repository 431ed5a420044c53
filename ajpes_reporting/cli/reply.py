"""Shows what came back from AJPES: the very bytes to a file or a pipe, escaped to a terminal."""

from __future__ import annotations

import base64
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from ajpes_reporting.cli.output import echo, echo_bytes
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.i18n import _, verbatim
from ajpes_reporting.journal import purged
from ajpes_reporting.queries.replies import RawReply
from ajpes_reporting.xmlread import declared_encoding

if TYPE_CHECKING:
    from ajpes_reporting.cli.session import Session
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.pipeline.context import Context
    from ajpes_reporting.queries.replies import Reply

_MOST_ON_A_TERMINAL = 200_000
_MOST_IN_JSON = 1 << 24


def show_reply(session: Session, context: Context, reply: Reply) -> None:
    """Tells of the reply and shows it. Raises `UsageError` if its file is gone, or too large for JSON."""
    _refuse_purged(context, reply)
    if session.as_json:
        _emit(session, context, reply)
    elif sys.stdout.isatty():
        _show(context, reply)
    else:
        echo_bytes(context.archive.blocks(reply.path))


def _emit(session: Session, context: Context, reply: Reply) -> None:
    content, size = _beginning(context, reply, _MOST_IN_JSON)
    if size > _MOST_IN_JSON:
        raise UsageError(
            _(
                "It has {size:count} bytes, and a JSON document of this command no more than {most:count}.",
                size=size,
                most=_MOST_IN_JSON,
            ),
            _("leave out --json, and let the output go into a file"),
        )
    encoded = base64.b64encode(content).decode()
    raw = RawReply(**asdict(reply), size_bytes=size, text=_text(content), base64=encoded)
    session.emit(raw, lambda: None)


def _show(context: Context, reply: Reply) -> None:
    content, size = _beginning(context, reply, _MOST_ON_A_TERMINAL)
    echo(_in_words(reply, size))
    path = str(context.archive.root / reply.path)
    echo(_("SHA-256 {sha256}, kept in {path}", sha256=reply.sha256, path=path), indent=2)
    echo()
    for line in _text(content).splitlines():
        echo(verbatim(line))
    if size > len(content):
        more = size - len(content)
        echo(_("… and {more:count} bytes more; `> FILE` writes all of it, as it came.", more=more))


def _in_words(reply: Reply, size: int) -> Message:
    """Says what came back, for which submission, when and by which way."""
    facts = {"at": reply.came_at, "way": reply.via, "size": size}
    if reply.answer and reply.submission:
        return _(
            "What came back, answer {answer} of submission {number}:"
            " {at:moment} by {way:way}, {size:count} bytes",
            **facts,
            answer=reply.answer,
            number=reply.submission,
        )
    if reply.answer:
        return _(
            "What came back, answer {answer}: {at:moment} by {way:way}, {size:count} bytes",
            **facts,
            answer=reply.answer,
        )
    return _(
        "What came back, attempt {attempt} of submission {number}: {at:moment} by {way:way}, "
        "{size:count} bytes",
        **facts,
        attempt=reply.attempt,
        number=reply.submission,
    )


def _beginning(context: Context, reply: Reply, most: int) -> tuple[bytes, int]:
    """Returns the first `most` bytes, and how many there are."""
    kept, size = bytearray(), 0
    for block in context.archive.blocks(reply.path):
        kept += block[: max(0, most - len(kept))]
        size += len(block)
    return bytes(kept), size


def _text(content: bytes) -> str:
    """Decodes a reply as it declares; a byte that has no meaning there is written as `\\xe8`."""
    try:
        return content.decode(declared_encoding(content), "backslashreplace").removeprefix("\ufeff")
    except (LookupError, UnicodeError):
        return content.decode("utf-8", "backslashreplace")


def _refuse_purged(context: Context, reply: Reply) -> None:
    with context.engine.connect() as connection:
        gone_at = purged.times(connection, context.provider, [reply.path]).get(reply.path)
    if gone_at is not None:
        raise UsageError(
            _(
                "Its file was removed on {day:date}, when its time was over. Its SHA-256 stays: {sha256}.",
                day=gone_at.astimezone(LJUBLJANA).date(),
                sha256=reply.sha256,
            ),
            _("nothing brings it back; what it said stands in `ajpes-reporting show`"),
        )
