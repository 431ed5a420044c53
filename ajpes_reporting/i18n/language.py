"""The language in use: one for the process, and another for as long as somebody else is told something."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from ajpes_reporting.i18n.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Language = Literal["sl", "en"]
LANGUAGES: tuple[Language, ...] = ("sl", "en")

_of_process: Language = "en"
_of_reader: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """The language in use here and now."""
    return _of_reader.get() or _of_process


def speak(chosen: Language) -> None:
    """Sets the language of the process, all its threads included."""
    global _of_process
    _of_process = chosen


@contextmanager
def speaking(chosen: Language) -> Iterator[None]:
    """Uses a language within the block, for one reader: a person at a page, the recipients of an alarm."""
    token = _of_reader.set(chosen)
    try:
        yield
    finally:
        _of_reader.reset(token)


def localized(text: str) -> str:
    """A text as it is told in the language in use; what is no message stays as it is."""
    return text.told_in(language()) if isinstance(text, Message) else text


def language_of_locale(environment: Mapping[str, str]) -> Language:
    """The language that the locale of an environment asks for; English where we do not have it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # POSIX, 8.2: the first one that is set counts
        if value := environment.get(name):
            code = value.partition("_")[0].partition(".")[0].lower()
            return "sl" if code == "sl" else "en"
    return "en"
