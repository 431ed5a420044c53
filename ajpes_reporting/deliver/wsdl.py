"""Reading a WSDL: which calls it offers, and which elements each of them takes.

A WSDL is a stranger's document. zeep reads it, from files only, bounded in number, size and time; a
DOCTYPE is refused, nothing is fetched, and whatever zeep makes of it, the operator is told in words.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from ajpes_reporting import shipped
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WSDL = "http://schemas.xmlsoap.org/wsdl/"
XSD = "http://www.w3.org/2001/XMLSchema"
_BINDINGS = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"

LARGEST_FILE_BYTES = 5_000_000
MOST_FILES = 50
_LONGEST_READING_SECONDS = 30
LONGEST_NAME = 1_000
_MOST_FIELDS = 5_000
_DEEPEST = 16

# Schemas that WSDLs name without bringing them along; a few declarations are all that is needed of each.
_SOAP_ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XMLMIME = "http://www.w3.org/2005/05/xmlmime"
_XML = "http://www.w3.org/XML/1998/namespace"
_ON_BOARD = {
    _SOAP_ENCODING: f"""<xs:schema xmlns:xs="{XSD}" xmlns:t="{_SOAP_ENCODING}"
        targetNamespace="{_SOAP_ENCODING}">
      <xs:attribute name="arrayType" type="xs:string"/>
      <xs:complexType name="Array"><xs:sequence>
        <xs:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/></xs:sequence>
        <xs:attribute ref="t:arrayType"/></xs:complexType>
      {"".join(f'<xs:simpleType name="{name}"><xs:restriction base="xs:{base}"/></xs:simpleType>'
               for name, base in (("string", "string"), ("base64", "base64Binary"), ("int", "int"),
                                  ("base64Binary", "base64Binary"), ("boolean", "boolean")))}
      </xs:schema>""",
    _XMLMIME: f"""<xs:schema xmlns:xs="{XSD}" xmlns:t="{_XMLMIME}" targetNamespace="{_XMLMIME}">
      <xs:attribute name="contentType" type="xs:string"/>
      <xs:attribute name="expectedContentTypes" type="xs:string"/>
      <xs:complexType name="base64Binary"><xs:simpleContent><xs:extension base="xs:base64Binary">
        <xs:attribute ref="t:contentType"/></xs:extension></xs:simpleContent></xs:complexType>
      </xs:schema>""",
    _XML: f"""<xs:schema xmlns:xs="{XSD}" targetNamespace="{_XML}">
      <xs:attribute name="lang" type="xs:string"/><xs:attribute name="space" type="xs:string"/>
      <xs:attribute name="base" type="xs:string"/></xs:schema>""",
}  # fmt: skip
_NAMESPACES_AT = {
    "https://www.w3.org/2001/xml.xsd": _XML,
    "http://www.w3.org/2001/xml.xsd": _XML,
    "http://www.w3.org/2001/03/xml.xsd": _XML,
}
# The authority's own schemas, which its WSDL may only name.
_SHIPPED_SCHEMAS = {
    "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601": "nodurs-20100601.xsd",
}


_DEMANDS = {
    "UsingAddressing": "WS-Addressing",
    "Addressing": "WS-Addressing",
    "UsernameToken": "WS-Security",
    "AsymmetricBinding": "WS-Security",
    "SymmetricBinding": "WS-Security",
    "OptimizedMimeSerialization": "MTOM",
    "RMAssertion": "WS-ReliableMessaging",
}
_INCLUDED_INTO = "#included-into="


class Kind(StrEnum):
    """What an element may hold."""

    TEXT = "text"
    BASE64 = "base64Binary"
    HEX = "hexBinary"
    VALUE = "a number, date or other value"
    ANYTHING = "xs:anyType"
    ELEMENTS = "elements"
    ENCODED_ARRAY = "an array of SOAP encoding"


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

    @property
    def name(self) -> str:
        return self.tag.rpartition("}")[2]

    @property
    def namespace(self) -> str:
        return self.tag[1:].partition("}")[0] if self.tag.startswith("{") else ""


@dataclass(frozen=True, eq=False)
class Call:
    """One operation as one port offers it. `trouble` says why it cannot be called, if so."""

    service: str
    port: str
    address: str
    version: str
    operation: str
    style: str
    action: str
    trouble: str
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
    """What a WSDL offers over SOAP, in the order of the file; `others` are ports of another kind.

    `demands` are what its policies ask of a message and is not sent here, such as WS-Addressing.
    """

    calls: tuple[Call, ...]
    others: tuple[str, ...]
    demands: tuple[str, ...]


def read_wsdl(wsdl: Path) -> Interface:
    """The calls of a WSDL in a file. Raises `ConfigurationError` if it cannot be used, saying why."""
    with _told(wsdl):
        return _within_time(lambda: _read(wsdl))


def _within_time(read: Callable[[], Interface]) -> Interface:
    """zeep cannot be interrupted, so whoever waits for it leaves; its thread ends with the process."""
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
        raise TimeoutError(f"reading it takes longer than {_LONGEST_READING_SECONDS} seconds")
    return found[0]


@contextmanager
def _told(wsdl: Path) -> Iterator[None]:
    """zeep meets a WSDL that it does not understand with exceptions of every kind."""
    try:
        yield
    except AjpesReportingError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, (KeyError, AttributeError, RecursionError)):
            reason = f"it contradicts itself ({type(error).__name__}: {reason})"
        raise ConfigurationError(
            f"The WSDL {wsdl} cannot be used: {' '.join(reason.split())[:500].rstrip('.')}.",
            "Check that file (soap.wsdl), or ask the authority for its WSDL once more.",
        ) from error


def _read(wsdl: Path) -> Interface:
    from zeep.settings import Settings
    from zeep.wsdl import Document

    files = _Files(wsdl)
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
            service, port, address, version, operation.name, plan.style, plan.action, plan.trouble,
            lambda plan=plan: _fields_of(wsdl, plan),  # type: ignore[misc]
        )  # fmt: skip


def _fields_of(wsdl: Path, plan: _Plan) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    with _told(wsdl):
        return plan.headers(), plan.body(), plan.reply()


class _Plan:
    """What the binding says about one operation, beside what zeep has read of it."""

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

    def _trouble(self) -> str:
        if self._input is None or self._operation.input is None:
            return "takes no message (it has no wsdl:input)"
        if self._input.find(f"{{{_MIME}}}multipartRelated") is not None:
            return "takes its message as MIME parts (mime:multipartRelated), which is not sent here"
        if self._soap_body is None:
            return "says nothing of its body (it has no soap:body)"
        extensions = (self._soap_body, *self._extensions("header"))
        if any(node.get("use") == "encoded" for node in extensions):
            return f"is {self.style}/encoded, an old form that is not sent here"
        if self.style == "document" and any(
            part.element is None for _, part in self._parts(self._input_message())
        ):
            return "is document/literal, and names a type in the place of an element for its message"
        return ""

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
        reader = _Reader()
        return tuple(reader.element(each) for each in (header.type._element or ())) if header else ()

    def body(self) -> tuple[Field, ...]:
        reader = _Reader()
        parts = [reader.part(name, part) for name, part in self._parts(self._input_message())]
        if self.style == "document":
            return tuple(parts)
        namespace = (self._soap_body.get("namespace") if self._soap_body is not None else None) or ""
        tag = f"{{{namespace}}}{self._operation.name}" if namespace else self._operation.name
        return (Field(_checked(tag), Kind.ELEMENTS, children=tuple(parts)),)

    def reply(self) -> tuple[Field, ...]:
        message = self._operation.abstract.output_message
        if message is None:
            return ()
        reader = _Reader()
        return tuple(reader.part(name, part) for name, part in message.parts.items())


class _Reader:
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
        _checked(tag)
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
            raise ValueError(f"one of its messages has more than {_MOST_FIELDS:,} elements")
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


def _checked(tag: str) -> str:
    """No parser reads names of any length."""
    if len(tag) > LONGEST_NAME:
        raise ValueError(f"it has a name of more than {LONGEST_NAME:,} characters")
    return tag


class _Files:
    """Hands zeep the WSDL and what it imports from beside it, never from the network."""

    def __init__(self, wsdl: Path) -> None:
        from zeep.wsdl import bindings

        self._folder = wsdl.absolute().parent.resolve()
        self._left = MOST_FILES
        self.roots: list[etree._Element] = []
        # zeep would stumble over what an HTTP binding says, and it is not needed.
        self.binding_classes = [bindings.Soap11Binding, bindings.Soap12Binding]

    def load(self, url: str) -> bytes:
        """The content of a file, checked; zeep calls this for each."""
        address, _, includer = str(url).partition(_INCLUDED_INTO)
        if (known := on_board(address)) is not None:
            return known
        path = self._path(address)
        self._left -= 1
        if self._left < 0:
            raise ConfigurationError(
                f"The WSDL imports more than {MOST_FILES} files, or the same ones over and over.",
                "Ask the authority for its WSDL in one piece.",
            )
        root = _adopted(parse_safely(read_bounded(path)), bytes.fromhex(includer).decode())
        if not self.roots and root.tag != f"{{{WSDL}}}definitions":
            raise ValueError(f"it is no WSDL 1.1, its root element is {etree.QName(root).localname}")
        self.roots.append(root)
        return _prepared(root)

    def _path(self, url: str) -> Path:
        """The file for an import; one with an address may lie beside the WSDL under its own name."""
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ftp"}:
            path = self._folder / _file_name(url)
            if not path.is_file():
                raise ConfigurationError(
                    f"The WSDL imports {url}; nothing is fetched from the network for it.",
                    f"Save that file beside the WSDL, as {path.name}; "
                    "`ajpes-reporting doctor --wsdl URL` fetches a WSDL with all it imports.",
                )
            return path
        # Tools on Windows write paths in their way.
        path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(url.replace("\\", "/"))
        if not path.resolve().is_relative_to(self._folder):
            raise ConfigurationError(
                f"The WSDL imports {url}, which lies outside of its folder.",
                "Put that file beside the WSDL and import it by its file name.",
            )
        return path


def _file_name(url: str) -> str:
    """Under which name somebody would save what is at an address: nodurs.xsd, or xsd0.xsd for ?xsd=xsd0."""
    parts = urlsplit(url)
    name = unquote(parts.path).rpartition("/")[2]
    if name.endswith((".xsd", ".wsdl")) or not parts.query:
        return name or "wsdl"
    return f"{parts.query.rpartition('=')[2]}.xsd".replace("/", "_")


def read_bounded(path: Path) -> bytes:
    """A file of a WSDL. Raises `OSError` or `ValueError` if it is no file, or too large."""
    if not path.is_file():
        raise FileNotFoundError(None, f"there is no file {path}")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise ValueError(f"{path.name} is larger than {LARGEST_FILE_BYTES:,} bytes")
    return content


def parse_safely(content: bytes) -> etree._Element:
    """The root of a stranger's document. Raises `ValueError` for a DOCTYPE, and lxml's error."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    root = etree.fromstring(content, parser)
    if root.getroottree().docinfo.doctype:
        raise ValueError("it holds a document type (DOCTYPE), which is not read")
    return root


def is_known(location: str, namespace: str) -> bool:
    """Whether an import is of a schema that comes with the program, wherever it is said to be."""
    return namespace in _ON_BOARD or _NAMESPACES_AT.get(location, location) in _ON_BOARD


def on_board(url: str) -> bytes | None:
    """A schema that everybody knows and that comes with the program, by its address."""
    address = str(url)
    namespace = _NAMESPACES_AT.get(address, address)
    if namespace in _ON_BOARD:
        return _ON_BOARD[namespace].encode()
    name = address.rpartition("/")[2]
    is_here = urlsplit(address).scheme in {"", "file"} and Path(address).is_file()
    if name in _SHIPPED_SCHEMAS.values() and not is_here:
        return shipped.schema(name).read_bytes()
    return None


def _prepared(root: etree._Element) -> bytes:
    """The document as zeep can read all of it.

    Imports that only name a namespace that we know get a place. What includes a file says into which
    namespace, for a file without one takes that of whoever includes it. A fixed value is a default.
    """
    schemas = [*root.iter(f"{{{XSD}}}schema")]
    defined = {schema.get("targetNamespace") for schema in schemas}
    for schema in schemas:
        for node in schema.iterchildren(f"{{{XSD}}}import", f"{{{XSD}}}include"):
            location, namespace = node.get("schemaLocation"), node.get("namespace", "")
            if node.tag == f"{{{XSD}}}include":
                own = schema.get("targetNamespace", "").encode().hex()
                node.set("schemaLocation", f"{location}{_INCLUDED_INTO}{own}")
            elif not location and namespace not in defined and (place := _known_place(namespace)):
                node.set("schemaLocation", place)
        for node in schema.iter(f"{{{XSD}}}element", f"{{{XSD}}}attribute"):
            if (fixed := node.get("fixed")) is not None:
                node.set("default", fixed)
    return etree.tostring(root)


def _known_place(namespace: str) -> str:
    if namespace in _SHIPPED_SCHEMAS:
        return f"https://www.ajpes.si/{_SHIPPED_SCHEMAS[namespace]}"
    return namespace if namespace in _ON_BOARD else ""


def _adopted(root: etree._Element, namespace: str) -> etree._Element:
    """An included schema without a namespace, in that of whoever includes it; zeep gets this wrong."""
    if not namespace or root.get("targetNamespace") or root.nsmap.get(None):
        return root
    adopted = etree.Element(root.tag, dict(root.attrib), {**root.nsmap, None: namespace})
    adopted.set("targetNamespace", namespace)
    adopted.extend(root)
    return adopted
