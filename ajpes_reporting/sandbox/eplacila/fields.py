"""Reads the fields of a JSON object that anybody may have sent, and notes what is wrong with them."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from .codes import Code, FieldError, InvalidError

# What XML 1.0 cannot hold could not stand on a receipt.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,9})?")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request. Raises `InvalidError` for anything else."""
    try:
        # As text: what a number looks like is judged field by field.
        document = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (ValueError, RecursionError, InvalidOperation):
        document = None
    if not isinstance(document, dict):
        raise InvalidError(FieldError("", Code.UNKNOWN))
    return document


class FieldReader:
    """The fields of one object. Names count without regard to case, as the description itself does."""

    def __init__(self, fields: dict[str, Any], field_errors: list[FieldError], place: str = "") -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}
        self._field_errors = field_errors
        self._place = place

    def add_error(self, name: str, code: Code) -> None:
        self._field_errors.append(FieldError(self._place + name, code))

    def text(
        self, name: str, *, required: bool = False, longest: int | None = None, length: int | None = None
    ) -> str:
        """A string, or a number where one was sent; empty if it is missing."""
        value = self._fields.get(name.lower())
        found = _as_text(value)
        if found is None or _NOT_XML.search(found):
            self.add_error(name, Code.UNKNOWN)
            return ""
        if required and not found.strip():
            self.add_error(name, Code.EMPTY)
        elif longest is not None and len(found) > longest:
            self.add_error(name, Code.TOO_LONG)
        elif length is not None and found and len(found) != length:
            self.add_error(name, Code.LENGTH)
        return found

    def url(self, name: str) -> str:
        """A link with scheme and host, at most 1000 characters (6.5.2)."""
        found = self.text(name, required=True, longest=1000)
        if 0 < len(found) <= 1000 and not is_url(found):
            self.add_error(name, Code.URL_FORMAT)
        return found

    def number(self, name: str, *, required: bool = False) -> Decimal | None:
        """A decimal of at most twelve digits before the point; None if missing or wrong."""
        found = self.text(name, required=required).strip()
        if not found:
            return None
        if not _NUMBER.fullmatch(found):
            self.add_error(name, Code.NUMBER)
            return None
        return Decimal(found)

    def flag(self, name: str) -> bool:
        value = self._fields.get(name.lower())
        return value is True or (isinstance(value, str) and value.strip().lower() == "true")

    def values(self, name: str) -> list[Any]:
        value = self._fields.get(name.lower())
        if value is None or isinstance(value, list):
            return value or []
        self.add_error(name, Code.UNKNOWN)
        return []

    def object(self, name: str) -> FieldReader | None:
        value = self._fields.get(name.lower())
        if isinstance(value, dict):
            return FieldReader(value, self._field_errors, f"{self._place}{name}.")
        if value is not None:
            self.add_error(name, Code.UNKNOWN)
        return None

    def objects(self, name: str) -> list[FieldReader]:
        """The objects of a list, each with its place, such as `postavka[0].`."""
        found = []
        for at, value in enumerate(self.values(name)):
            if isinstance(value, dict):
                found.append(FieldReader(value, self._field_errors, f"{self._place}{name}[{at}]."))
            else:
                self.add_error(f"{name}[{at}]", Code.UNKNOWN)
        return found


def is_url(text: str) -> bool:
    """Whether the text is an address over HTTP or HTTPS, in ASCII, without blanks or brackets."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return whole and text.isascii() and not re.search(r"[\s\\<>\"]", text)


def _as_text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and abs(value.adjusted()) < 30:
        return f"{value:f}"
    return None
