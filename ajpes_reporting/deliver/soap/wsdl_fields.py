"""From what zeep has read of a WSDL to the fields of a message."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from ajpes_reporting.deliver.soap.interface import LONGEST_NAME, Field, Kind
from ajpes_reporting.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FIELDS = 5_000
_DEEPEST = 16


class FieldReader:
    """Turns zeep's elements into fields; a type within itself is not followed twice."""

    def __init__(self) -> None:
        self._number = count(1)
        self._open: list[Any] = []

    def part(self, name: str, part: Any) -> Field:
        return self.element(part.element) if part.element is not None else self._typed(name, part.type)

    def element(self, element: Any, *, optional: bool = False, repeats: bool = False) -> Field:
        return self._typed(
            element.qname.text,
            element.type,
            required=not optional and element.min_occurs != 0,
            repeats=repeats or element.max_occurs == "unbounded" or element.max_occurs > 1,
            nillable=bool(element.nillable),
            default=element.default,
        )

    def _typed(self, tag: str, kind: Any, **more: Any) -> Field:
        checked_name(tag)
        if more.get("default") is not None:
            more["default"] = str(more["default"])
        from zeep.xsd.types.any import AnyType
        from zeep.xsd.types.complex import ComplexType
        from zeep.xsd.types.simple import AnySimpleType

        if isinstance(kind, ComplexType):
            return self._complex(tag, kind, more)
        if isinstance(kind, AnySimpleType):
            return Field(tag, _simple(kind), **more)
        if kind is None or isinstance(kind, AnyType):
            return Field(tag, Kind.ANYTHING, **more)
        return Field(tag, Kind.TEXT, **more)  # a union or a list, of texts as good as any

    def _complex(self, tag: str, kind: Any, more: dict[str, Any]) -> Field:
        from zeep.xsd.elements import Element
        from zeep.xsd.types.simple import AnySimpleType

        # Not `kind.attributes`, for which zeep walks through all elements.
        declared = (each for each in kind._attributes_unwrapped if each.qname is not None)
        attributes = tuple(self._attribute(each) for each in declared)
        if kind._array_type:
            return Field(tag, Kind.ENCODED_ARRAY, **more)
        content = kind._element
        if isinstance(content, Element) and isinstance(content.type, AnySimpleType):
            return Field(tag, _simple(content.type), attributes=attributes, **more)
        if any(each is kind for each in self._open) or len(self._open) > _DEEPEST:
            return Field(tag, Kind.ELEMENTS, attributes=attributes, **more)
        self._open.append(kind)
        found = list(self._content(content, optional=False, repeats=False)) if content is not None else []
        self._open.pop()
        return Field(
            tag,
            Kind.ELEMENTS,
            children=tuple(each for each in found if each is not None),
            attributes=attributes,
            holds_any=None in found,
            **more,
        )

    def _content(self, node: Any, *, optional: bool, repeats: bool) -> Iterator[Field | None]:
        """The elements below a sequence, choice, all or group; `None` for an xs:any."""
        if next(self._number) > _MOST_FIELDS:
            raise ValueError(
                _("one of its messages has more than {count:count} elements", count=_MOST_FIELDS)
            )
        from zeep.xsd.elements import Any as AnyElement
        from zeep.xsd.elements import Choice, Element

        if isinstance(node, AnyElement):
            yield None
        elif isinstance(node, Element):
            yield self.element(node, optional=optional, repeats=repeats)
        else:
            often = repeats or node.max_occurs == "unbounded" or node.max_occurs > 1
            may_lack = optional or isinstance(node, Choice) or node.min_occurs == 0
            for each in node:
                yield from self._content(each, optional=may_lack, repeats=often)

    def _attribute(self, attribute: Any) -> Field:
        default = None if attribute.default is None else str(attribute.default)
        return Field(attribute.qname.text, Kind.TEXT, required=bool(attribute.required), default=default)


def _simple(kind: Any) -> Kind:
    from zeep.xsd.types import builtins

    if isinstance(kind, builtins.Base64Binary):
        return Kind.BASE64
    if isinstance(kind, builtins.HexBinary):
        return Kind.HEX
    # Whatever may be any text; xs:anySimpleType is the base of all, so it is known by its name.
    texts = (builtins.String, builtins.NormalizedString, builtins.AnyURI)
    is_text = isinstance(kind, texts) or type(kind).__name__ in {"AnySimpleType", "UnionType", "ListType"}
    return Kind.TEXT if is_text else Kind.VALUE


def checked_name(tag: str) -> str:
    """The name itself. Raises `ValueError` if it is longer than any parser reads."""
    if len(tag) > LONGEST_NAME:
        raise ValueError(_("the WSDL has a name of more than {count:count} characters", count=LONGEST_NAME))
    return tag
