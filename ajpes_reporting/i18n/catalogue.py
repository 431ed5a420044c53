"""The catalogues of translations, one per language, as gettext has them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gettext import NullTranslations

DOMAIN = "ajpes_reporting"
FOLDER = Path(__file__).with_name("locale")


@cache
def translations(language: str) -> NullTranslations:
    """The translations into a language; none of its own for a language without a catalogue."""
    import gettext  # English needs it not, and starts without it

    return gettext.translation(DOMAIN, FOLDER, [language], fallback=True)
