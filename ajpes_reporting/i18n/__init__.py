"""Texts in two languages: messages that keep their parts, so that each reader is told in his own language.

`_` and `_n` make a `Message`; `localized` renders it in the language in use. Logs, the database and
whoever asks for nothing else see the English text.
"""

from ajpes_reporting.i18n.language import LANGUAGES, language, localized, speak, speaking
from ajpes_reporting.i18n.message import NOTHING, Message, _, _n, joined, sentences, verbatim

__all__ = [
    "LANGUAGES",
    "NOTHING",
    "Message",
    "_",
    "_n",
    "joined",
    "language",
    "localized",
    "sentences",
    "speak",
    "speaking",
    "verbatim",
]
