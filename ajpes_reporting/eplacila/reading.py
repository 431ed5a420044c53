"""Reads JSON as UJP writes it: a field as number or text, its name in any case, times in three ways.

A ValueError that is raised here has a clause for a person as its first argument.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = re.compile("[0-9]{9,10}")
_SLOVENE_DAY = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:[.,][0-9]{1,2}0*)?")
# Python's own int(), float() and Decimal() also take "1_000", "1e3" and digits of any script.
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,40})?")
_INTEGER = re.compile("-?[0-9]{1,18}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LARGEST_EXPONENT = 30  # 1e999999999 has eleven letters here, and a gigabyte of digits once it is written out


def read_json(content: bytes | str) -> dict[str, Any]:
    """Return a JSON object; every name in it is in lower case, no number has become a float.

    Raises ValueError if it is none, or if a name comes twice: which of the two was meant, nobody knows.
    """
    return _read(content, _lowercase_names_once)


def read_json_verbatim(content: bytes | str) -> dict[str, Any]:
    """Return a JSON object with its names as they are written. Raises ValueError as `read_json` does."""
    return _read(content, _once)


def with_lowercase_names(value: Any) -> Any:
    """Return a value of JSON with every name in lower case. Raises ValueError as `read_json` does."""
    if isinstance(value, dict):
        return _lowercase_names_once([(key, with_lowercase_names(item)) for key, item in value.items()])
    if isinstance(value, Decimal):
        return _bounded(value)
    return [with_lowercase_names(item) for item in value] if isinstance(value, list) else value


def read_moment(value: object) -> datetime:
    """Return a time with its zone: from seconds since 1970, ISO 8601, or a day such as `03. 07. 2024`.

    A time without a zone is one of Ljubljana. Raises ValueError.
    """
    text = str(value).strip()
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    if day := _SLOVENE_DAY.fullmatch(text):
        return datetime(int(day[3]), int(day[2]), int(day[1]), tzinfo=LJUBLJANA)
    if not _MOMENT.fullmatch(text):
        raise ValueError(_("this is not a time"))
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=LJUBLJANA)).astimezone(UTC)
    except OverflowError:
        raise ValueError(_("no calendar has this time")) from None


def read_cents(value: object) -> int:
    """Return cents from an amount in euros as a number or as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(_("this is not an amount"))
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if not _AMOUNT.fullmatch(text):
        raise ValueError(_("this is not an amount in euros and cents"))
    return int(Decimal(text.replace(",", ".")) * 100)


def read_decimal(value: object) -> Decimal | None:
    """Return a number with or without decimals, written as a number or as plain digits. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, bool) or not isinstance(value, int | str) or not _DECIMAL.fullmatch(str(value)):
        raise ValueError(_("this is not a number written in plain digits"))
    return Decimal(value)


def read_integer(value: object) -> int:
    """Return a whole number, written as a number or as plain digits. Raises ValueError.

    A truth value is no number: Python takes false for 0, which is the number of what was paid.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(_("this is not a number"))
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    whole, _point, decimals = text.partition(".")
    if isinstance(value, Decimal) and not decimals.strip("0"):
        text = whole  # 3.0 in JSON
    if not _INTEGER.fullmatch(text):
        raise ValueError(_("this is not a whole number written in plain digits"))
    return int(text)


def _or(reader: Any, empty: Any) -> Any:
    return BeforeValidator(lambda value: empty if value is None or value == "" else reader(value))


def _whole_characters(value: object) -> object:
    """JSON can name half a character, which no database and no other reader takes."""
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(_("half a character stands in it"))
    return value


Number = BeforeValidator(read_integer)
"""Marks a field as a number, in whatever way it is written."""
Text = Annotated[str, _or(_whole_characters, "")]
Cents = Annotated[int, _or(read_cents, 0)]
Moment = Annotated[datetime | None, _or(read_moment, None)]


class ReceivedModel(BaseModel):
    """A document that UJP sends; fields that the document of the interface does not name are passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True
    )


def _read(content: bytes | str, names: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> dict[str, Any]:
    try:
        found = json.loads(content, parse_float=_number, parse_constant=_no_number, object_pairs_hook=names)
    except json.JSONDecodeError as error:
        place = _(
            "the content is not JSON (line {line}, column {column})", line=error.lineno, column=error.colno
        )
        raise ValueError(place) from None
    except RecursionError:
        raise ValueError(_("the content is nested too deeply")) from None
    except UnicodeDecodeError:
        raise ValueError(_("the content is not UTF-8")) from None
    if not isinstance(found, dict):
        raise ValueError(_("the content is no JSON object"))
    return found


def _number(text: str) -> Decimal:
    try:
        return _bounded(Decimal(text))
    except InvalidOperation:
        raise ValueError(_("a number in it is beyond all measure")) from None


def _bounded(number: Decimal) -> Decimal:
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(_("a number in it is beyond all measure"))
    return number


def _no_number(name: str) -> None:
    raise ValueError(_("{name} is no number of JSON", name=name))


def _lowercase_names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _once([(name.casefold(), value) for name, value in pairs])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(_("a name comes twice"))
    return found
