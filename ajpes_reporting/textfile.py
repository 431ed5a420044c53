"""Reads text files that a person has made: UTF-8, also as Windows saves it."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    r"""Returns the text of a file, its line ends as "\n". Raises OSError, and ValueError as `decode` does."""
    return decode(path.read_bytes())


def decode(content: bytes) -> str:
    r"""Returns the text of UTF-8 content, without a byte order mark, its line ends as "\n".

    Raises ValueError with a clause that names the other encoding, and never shows the content: it may be
    a secret.
    """
    if content.startswith(_UTF_16) or b"\0" in content:
        raise ValueError(
            _("the file is UTF-16 and not UTF-8 text, as an editor of Windows saves it (“Unicode”)")
        )
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            _("the file is not UTF-8 text, in line {line} (“ANSI” in an editor of Windows?)", line=line)
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
