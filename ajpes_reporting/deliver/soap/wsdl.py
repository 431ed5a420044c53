"""Reading a WSDL: which calls it offers, and which elements each of them takes.

A WSDL is a stranger's document. zeep reads it, from files only, bounded in number, size and time; a
DOCTYPE is refused, nothing is fetched, and whatever zeep makes of it, the operator is told in words.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from lxml import etree

from ajpes_reporting.deliver.soap.interface import LONGEST_NAME, Call, Field, Interface, Kind
from ajpes_reporting.deliver.soap.wsdl_files import WSDL, WsdlFiles
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError
from ajpes_reporting.i18n import NOTHING, Message, _
from ajpes_reporting.i18n.libraries import xml_reason
from ajpes_reporting.i18n.system import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_BINDINGS = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"

_LONGEST_READING_SECONDS = 30

_DEMANDS = {
    "UsingAddressing": "WS-Addressing",
    "Addressing": "WS-Addressing",
    "UsernameToken": "WS-Security",
    "AsymmetricBinding": "WS-Security",
    "SymmetricBinding": "WS-Security",
    "OptimizedMimeSerialization": "MTOM",
    "RMAssertion": "WS-ReliableMessaging",
}


def read_wsdl(wsdl: Path) -> Interface:
    """The calls of a WSDL in a file. Raises `ConfigurationError` if it cannot be used, saying why."""
    with _told(wsdl):
        return _within_time(lambda: _read(wsdl))


def _within_time(read: Callable[[], Interface]) -> Interface:
    """Returns what `read` does, in time; zeep cannot be interrupted, so a late thread is left behind."""
    found: list[Interface] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            found.append(read())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True, name="wsdl")
    thread.start()
    thread.join(_LONGEST_READING_SECONDS)
    if raised:
        raise raised[0]
    if not found:
        raise TimeoutError(
            _("reading it takes longer than {seconds} seconds", seconds=_LONGEST_READING_SECONDS)
        )
    return found[0]


@contextmanager
def _told(wsdl: Path) -> Iterator[None]:
    """Turns whatever zeep raises over a WSDL that it does not understand into a `ConfigurationError`."""
    try:
        yield
    except AjpesReportingError:
        raise
    except Exception as error:
        raise ConfigurationError(
            _(
                "The WSDL {wsdl} cannot be used: {reason}.",
                wsdl=str(wsdl),
                reason=_reason(error),
            ),
            _("check that file (soap.wsdl), or ask the authority for its WSDL once more"),
        ) from error


def _reason(error: Exception) -> Message:
    """Why a WSDL cannot be read: in our own words, or in those of zeep and lxml, quoted on one line."""
    said = error.args[-1] if error.args else None
    if isinstance(said, Message):
        return said
    if isinstance(error, OSError):
        return system_reason(error)
    text = " ".join((str(error) or type(error).__name__).split())[:500].rstrip(".")
    if isinstance(error, (KeyError, AttributeError, RecursionError)):
        return _(
            "the WSDL contradicts itself ({error}: {text:foreign})", error=type(error).__name__, text=text
        )
    return xml_reason(text)


def _read(wsdl: Path) -> Interface:
    from zeep.settings import Settings
    from zeep.wsdl import Document

    files = WsdlFiles(wsdl)
    settings = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=False)
    read: Any = Document  # zeep says that it wants a class there
    with warnings.catch_warnings(record=True) as left_out:
        warnings.simplefilter("always")
        document = read(str(wsdl.absolute()), files, settings=settings)
    definitions = list(document._definitions.values())
    nodes = _binding_nodes(files.roots)
    calls = [
        call
        for each in definitions
        for service in each.services.values()
        for port in service.ports.values()
        for call in _calls_of(wsdl, service.name, port.name, _address(port), port.binding, nodes)
    ]
    if not calls:
        bindings = [binding for each in definitions for binding in each.bindings.values()]
        calls = [call for one in bindings for call in _calls_of(wsdl, "", "", "", one, nodes)]
    if not calls and left_out:
        raise ValueError(str(left_out[0].message))
    reached = {call.port for call in calls}
    others = (port.get("name", "") for root in files.roots for port in root.iter(f"{{{WSDL}}}port"))
    return Interface(
        tuple(calls), tuple(name for name in others if name not in reached), _demands(files.roots)
    )


def _demands(roots: Iterable[etree._Element]) -> tuple[str, ...]:
    """By the names of policies; that of TLS (`TransportBinding`) asks for nothing that we do not do."""
    names = {etree.QName(node).localname for root in roots for node in root.iter("*")}
    return tuple(dict.fromkeys(demand for name, demand in _DEMANDS.items() if name in names))


def _address(port: Any) -> str:
    return str((port.binding_options or {}).get("address") or "").strip()


def _binding_nodes(roots: Iterable[etree._Element]) -> dict[str, etree._Element]:
    return {
        f"{{{root.get('targetNamespace', '')}}}{node.get('name')}": node
        for root in roots
        for node in root.iterchildren(f"{{{WSDL}}}binding")
    }


def _calls_of(
    wsdl: Path, service: str, port: str, address: str, binding: Any, nodes: dict[str, etree._Element]
) -> Iterator[Call]:
    name = binding.name.text if binding.name.text.startswith("{") else f"{{}}{binding.name.text}"
    node = nodes[name]
    version = next(
        _BINDINGS[etree.QName(child).namespace or ""]
        for child in node.iterchildren("*")
        if etree.QName(child).namespace in _BINDINGS
    )
    for operation in binding.all().values():
        plan = _Plan(node, operation)
        yield Call(
            service,
            port,
            address,
            version,
            operation.name,
            plan.style,
            plan.action,
            plan.trouble,
            lambda plan=plan: _fields_of(wsdl, plan),  # type: ignore[misc]
        )


def _fields_of(wsdl: Path, plan: _Plan) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    with _told(wsdl):
        return plan.headers(), plan.body(), plan.reply()


class _Plan:
    """The binding of one operation, beside the part that zeep has read of it."""

    def __init__(self, binding: etree._Element, operation: Any) -> None:
        self._operation = operation
        self._node = next(
            node
            for node in binding.iterchildren(f"{{{WSDL}}}operation")
            if node.get("name") == operation.name
        )
        self._input = self._node.find(f"{{{WSDL}}}input")
        self.style = "rpc" if operation.style == "rpc" else "document"
        self.action = (operation.soapaction or "").strip().strip('"')
        self._soap_body = self._extension("body")
        self.trouble = self._trouble()

    def _extension(self, name: str) -> etree._Element | None:
        return next(self._extensions(name), None)

    def _extensions(self, name: str) -> Iterator[etree._Element]:
        if self._input is not None:
            for child in self._input.iterchildren("*"):
                tag = etree.QName(child)
                if tag.namespace in _BINDINGS and tag.localname == name:
                    yield child

    def _trouble(self) -> Message:
        if self._input is None or self._operation.input is None:
            return _("the operation takes no message (it has no wsdl:input)")
        if self._input.find(f"{{{_MIME}}}multipartRelated") is not None:
            return _(
                "the operation takes its message as MIME parts (mime:multipartRelated), "
                "which is not sent here"
            )
        if self._soap_body is None:
            return _("the operation says nothing of its body (it has no soap:body)")
        extensions = (self._soap_body, *self._extensions("header"))
        if any(node.get("use") == "encoded" for node in extensions):
            return _("the operation is {style}/encoded, an old form that is not sent here", style=self.style)
        if self.style == "document" and any(
            part.element is None for _name, part in self._parts(self._input_message())
        ):
            return _(
                "the operation is document/literal, and names a type "
                "in the place of an element for its message"
            )
        return NOTHING

    def _input_message(self) -> Any:
        return self._operation.abstract.input_message

    def _parts(self, message: Any) -> list[tuple[str, Any]]:
        """The parts that stand in the body: those that soap:body lists, or all but those of the header."""
        parts = list(message.parts.items()) if message is not None else []
        listed = (self._soap_body.get("parts") if self._soap_body is not None else None) or ""
        if listed:
            return [(name, part) for name, part in parts if name in listed.split()]
        own = etree.QName(message.name.text).localname if message is not None else ""
        in_header = {
            header.get("part")
            for header in self._extensions("header")
            if (header.get("message") or "").rpartition(":")[2] == own
        }
        return [(name, part) for name, part in parts if name not in in_header]

    def headers(self) -> tuple[Field, ...]:
        header = self._operation.input.header
        reader = FieldReader()
        return tuple(reader.element(each) for each in (header.type._element or ())) if header else ()

    def body(self) -> tuple[Field, ...]:
        reader = FieldReader()
        parts = [reader.part(name, part) for name, part in self._parts(self._input_message())]
        if self.style == "document":
            return tuple(parts)
        namespace = (self._soap_body.get("namespace") if self._soap_body is not None else None) or ""
        tag = f"{{{namespace}}}{self._operation.name}" if namespace else self._operation.name
        return (Field(checked_name(tag), Kind.ELEMENTS, children=tuple(parts)),)

    def reply(self) -> tuple[Field, ...]:
        message = self._operation.abstract.output_message
        if message is None:
            return ()
        reader = FieldReader()
        return tuple(reader.part(name, part) for name, part in message.parts.items())


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
