"""Shows what came back from AJPES: the very bytes to a file or a pipe, escaped to a terminal."""

from __future__ import annotations

import base64
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from ajpes_reporting.cli.output import echo, echo_bytes
from ajpes_reporting.cli.session import Session, local_time
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.journal import purged
from ajpes_reporting.xmlread import declared_encoding

if TYPE_CHECKING:
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
            f"It has {size:,} bytes, and a JSON document of this command no more than {_MOST_IN_JSON:,}.",
            "leave out --json, and let the output go into a file",
        )
    document = {
        **asdict(reply), "size_bytes": size, "text": _text(content),
        "base64": base64.b64encode(content).decode(),
    }  # fmt: skip
    session.emit(document, lambda: None)


def _show(context: Context, reply: Reply) -> None:
    content, size = _beginning(context, reply, _MOST_ON_A_TERMINAL)
    what = f"answer {reply.answer}" if reply.answer else f"attempt {reply.attempt}"
    whose = f" of submission {reply.submission}" if reply.submission else ""
    echo(f"What came back, {what}{whose}: {local_time(reply.came_at)} by {reply.via}, {size:,} bytes")
    echo(f"  SHA-256 {reply.sha256}, kept in {context.archive.root / reply.path}")
    echo()
    for line in _text(content).splitlines():
        echo(line)
    if size > len(content):
        echo(f"… and {size - len(content):,} bytes more; `> FILE` writes all of it, as it came.")


def _beginning(context: Context, reply: Reply, most: int) -> tuple[bytes, int]:
    """As many bytes, and how many there are."""
    kept, size = bytearray(), 0
    for block in context.archive.blocks(reply.path):
        kept += block[: max(0, most - len(kept))]
        size += len(block)
    return bytes(kept), size


def _text(content: bytes) -> str:
    """In the encoding that it declares; a byte that is none there is written as `\\xe8`."""
    try:
        return content.decode(declared_encoding(content), "backslashreplace").removeprefix("\ufeff")
    except (LookupError, UnicodeError):
        return content.decode("utf-8", "backslashreplace")


def _refuse_purged(context: Context, reply: Reply) -> None:
    with context.engine.connect() as connection:
        gone_at = purged.times(connection, context.provider).get(reply.path)
    if gone_at is not None:
        raise UsageError(
            f"Its file was removed on {gone_at:%Y-%m-%d}, when its time was over. Its SHA-256 stays: "
            f"{reply.sha256}.",
            "nothing brings it back; what it said stands in `ajpes-reporting show`",
        )
