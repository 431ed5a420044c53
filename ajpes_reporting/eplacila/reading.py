"""Reads what UJP writes: the same field as a number or as text, its name in any case, times in three ways."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ajpes_reporting.domain.calendar import LJUBLJANA

_EPOCH = re.compile("[0-9]{9,10}")
_SLOVENE_DAY = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:[.,][0-9]{1,2}0*)?")


def read_json(content: bytes | str) -> dict[str, Any]:
    """A JSON object; every name in it is in lower case, no number has become a float.

    Raises ValueError if it is none, or if a name comes twice: which of the two was meant, nobody knows.
    """
    try:
        found = json.loads(content, parse_float=Decimal, object_pairs_hook=_folded)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def folded(value: Any) -> Any:
    """A value of JSON with every name in lower case. Raises ValueError if a name comes twice."""
    if isinstance(value, dict):
        return _folded([(key, folded(item)) for key, item in value.items()])
    return [folded(item) for item in value] if isinstance(value, list) else value


def read_moment(value: object) -> datetime:
    """A time: seconds since 1970, ISO 8601, or a day as `03. 07. 2024`; without a zone it is ours.

    Raises ValueError.
    """
    text = str(value).strip()
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    if day := _SLOVENE_DAY.fullmatch(text):
        return datetime(int(day[3]), int(day[2]), int(day[1]), tzinfo=LJUBLJANA)
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=LJUBLJANA)).astimezone(UTC)
    except OverflowError:
        raise ValueError("no calendar has this time") from None


def read_cents(value: object) -> int:
    """Cents, from an amount in euros as a number or as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError("this is not an amount")
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if not _AMOUNT.fullmatch(text):
        raise ValueError("this is not an amount in euros and cents")
    return int(Decimal(text.replace(",", ".")) * 100)


def _or(reader: Any, empty: Any) -> Any:
    return BeforeValidator(lambda value: empty if value is None or value == "" else reader(value))


Text = Annotated[str, _or(lambda value: value, "")]
Cents = Annotated[int, _or(read_cents, 0)]
Moment = Annotated[datetime | None, _or(read_moment, None)]


class Told(BaseModel):
    """Something UJP tells. Fields nobody has announced are passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True
    )


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {name.casefold(): value for name, value in pairs}
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found
