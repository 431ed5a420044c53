"""A message: a text that keeps its template and its values, so that it can be told in another language."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ajpes_reporting.i18n.catalogue import translations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Message(str):
    """A text for a person. As a `str` it is the English text; `told_in` gives it in another language.

    `template` is the English sentence with named gaps, and the key of its translations. `plural` is the
    sentence for several, where `number` chooses between the two. `values` fill the gaps: texts, numbers,
    dates, other messages, or lists of these. A template without values stands as it is, braces and all.
    """

    __slots__ = ("number", "plural", "template", "values")
    template: str
    plural: str
    number: int
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any], plural: str = "", number: int = 1) -> Message:
        chosen = plural if plural and number != 1 else template
        made = super().__new__(cls, _filled(chosen, values, "en"))
        made.template, made.values, made.plural, made.number = template, values, plural, number
        return made

    def told_in(self, language: str) -> str:
        """The text in a language, "sl"; in English where that has no translation of it."""
        if language == "en":
            return str(self)
        catalogue = translations(language)
        if self.plural:
            template = catalogue.ngettext(self.template, self.plural, self.number)
        else:
            template = catalogue.gettext(self.template) if self.template else ""  # "" is the catalogue's head
        try:
            return _filled(template, self.values, language)
        except (KeyError, ValueError, TypeError, AttributeError):
            # A template that was kept with a record may have other gaps than its translation of today.
            return str(self)

    def __copy__(self) -> Message:
        return self

    def __deepcopy__(self, _memo: Any) -> Message:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, self.values, self.plural, self.number)


def _(template: str, /, **values: Any) -> Message:
    """A message to be told in the reader's language; the template must be a literal."""
    return Message(template, values)


def _n(singular: str, plural: str, count: int, /, **values: Any) -> Message:
    """A message whose sentence depends on a number, which fills the gap `count`."""
    return Message(singular, {"count": count, **values}, plural, count)


def verbatim(text: str) -> Message:
    """The words of somebody else, such as a server or a person, as they are in every language.

    What is a message already stays one.
    """
    return text if isinstance(text, Message) else Message(text, {})


def joined(texts: Iterable[str], separator: str = "; ") -> Message:
    """Clauses that each can stand alone, one after the other: "it is late; nobody knows why".

    Empty ones are left out; each is told in the reader's language. Pieces of a sentence are not joined so:
    that is what gaps are for.
    """
    given = [text for text in texts if text]
    if len(given) == 1 and isinstance(given[0], Message):
        return given[0]
    values = {str(number): text for number, text in enumerate(given)}
    return Message(separator.join(f"{{{name}}}" for name in values), values)


def sentences(texts: Iterable[str]) -> Message:
    """Whole sentences, one after the other."""
    return joined(texts, " ")


def pack(text: str) -> str:
    """A text, or a message with its parts, as one string that `unpack` reads; a plain text is itself."""
    if isinstance(text, Message) and text:
        return json.dumps(_packed(text), ensure_ascii=False)
    return json.dumps({"plain": str(text)}, ensure_ascii=False) if text.startswith("{") else str(text)


def unpack(stored: str) -> Message:
    """The message that `pack` made the string of; whatever else it may be is a text as it stands."""
    if not stored.startswith("{"):
        return verbatim(stored)
    try:
        document = json.loads(stored)
        text = document["plain"] if "plain" in document else _unpacked(document)
        return verbatim(text if isinstance(text, str) else stored)
    except (ValueError, KeyError, TypeError, AttributeError):
        return verbatim(stored)


def _filled(template: str, values: Mapping[str, Any], language: str) -> str:
    if not values:
        return template
    from ajpes_reporting.i18n.formats import FORMATS  # most commands start without a value to format

    def told(value: Any) -> str:
        return value.told_in(language) if isinstance(value, Message) else str(value)

    return FORMATS[language].fill(template, values, told)


def _packed(value: Any) -> Any:
    """A value as JSON: what JSON does not have stands in an object that says what it is."""
    if isinstance(value, Message):
        parts: dict[str, Any] = {"message": value.template}
        if value.plural:
            parts.update(plural=value.plural, n=value.number)
        if value.values:
            parts["values"] = {name: _packed(item) for name, item in value.values.items()}
        return parts
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, tuple | list):
        return [_packed(item) for item in value]
    if isinstance(value, int):
        return int(value)
    return str(value)  # a path, an error: it is only ever shown


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "at" in value:
        return datetime.fromisoformat(value["at"])
    if "day" in value:
        return date.fromisoformat(value["day"])
    values = {name: _unpacked(item) for name, item in value.get("values", {}).items()}
    return Message(value["message"], values, value.get("plural", ""), value.get("n", 1))


NOTHING = Message("", {})
"""The message that says nothing."""
