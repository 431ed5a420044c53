"""The calls that a service offers, and the elements that each of them takes, as its WSDL declares them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_NAME = 1_000
"""In characters; no parser reads names of any length."""


class Kind(StrEnum):
    """The content that an element may have."""

    TEXT = "text"
    BASE64 = "base64Binary"
    HEX = "hexBinary"
    VALUE = "a number, date or other value"
    ANYTHING = "xs:anyType"
    ELEMENTS = "elements"
    ENCODED_ARRAY = "an array of SOAP encoding"

    @property
    def told(self) -> Message:
        """The kind in words."""
        match self:
            case Kind.TEXT:
                return _("text")
            case Kind.VALUE:
                return _("a number, date or other value")
            case Kind.ELEMENTS:
                return _("elements")
            case Kind.ENCODED_ARRAY:
                return _("an array of SOAP encoding")
        return Message(self.value, {})


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """An element, or an attribute, as the WSDL declares it. `tag` is "{namespace}name", or "name"."""

    tag: str
    kind: Kind
    required: bool = True
    repeats: bool = False
    nillable: bool = False
    default: str | None = None
    children: tuple[Field, ...] = ()
    attributes: tuple[Field, ...] = ()
    holds_any: bool = False
    """Whether an element of any name may stand in it (xs:any)."""
    name: str = field(init=False)
    namespace: str = field(init=False)

    def __post_init__(self) -> None:
        namespace, _brace, name = self.tag.rpartition("}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "namespace", namespace.removeprefix("{"))


@dataclass(frozen=True, eq=False)
class Call:
    """One operation as one port offers it.

    `trouble` is a clause that says why the operation cannot be called, if so.
    """

    service: str
    port: str
    address: str
    version: str
    operation: str
    style: str
    action: str
    trouble: Message
    _read: Callable[[], tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]] = field(repr=False)

    @cached_property
    def _fields(self) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
        return self._read()

    @property
    def headers(self) -> tuple[Field, ...]:
        """The elements of the SOAP header."""
        return self._fields[0]

    @property
    def body(self) -> tuple[Field, ...]:
        """The elements that stand in the SOAP body, as a rule one, with the parameters in it."""
        return self._fields[1]

    @property
    def reply(self) -> tuple[Field, ...]:
        """The elements in the body of the reply."""
        return self._fields[2]


@dataclass(frozen=True, slots=True)
class Interface:
    """The SOAP services of a WSDL, in the order of the file; `others` are ports of another kind.

    `demands` are what its policies ask of a message and is not sent here, such as WS-Addressing.
    """

    calls: tuple[Call, ...]
    others: tuple[str, ...]
    demands: tuple[str, ...]
