"""The SOAP message round a report, made from the shape that a WSDL and the settings give the call.

What goes before the report and what goes after it are bytes, made once; the report itself is streamed between
them (`payload`). The shipped WSDL is put under the names that the settings give; a WSDL of the authority
has its own names, and there the settings say which of them are meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lxml import etree

from ajpes_reporting import shipped
from ajpes_reporting.deliver.soap.interface import Field, Kind
from ajpes_reporting.deliver.soap.payload import Declared, RootTag
from ajpes_reporting.deliver.soap.shape import (
    DOCUMENT,
    IDENT,
    OPERATION,
    CallShape,
    DocumentForm,
    IdentForm,
    SoapNames,
    assign_entries,
    choose_call,
    message_namespace,
    shape_of,
)
from ajpes_reporting.deliver.soap.wsdl import read_wsdl
from ajpes_reporting.deliver.soap.wsdl_files import XSD
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Envelope", "SoapNames", "make_envelope", "needed_parameters"]

_GAP = "ajpes-reporting-puts-the-report-here"
_ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SHIPPED_NAMESPACE = "http://www.ajpes.si/wsBlokIzmenjava"
_SHIPPED_ITEM, _SHIPPED_RESULT = "string", "BlokPodOddajResult"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A SOAP message in UTF-8: what goes before the report, and after it, and how the report stands in it.

    `root` is there if the report's root gets other tags; `result` is the element with the answer.
    """

    head: bytes = field(repr=False)  # it holds the password
    tail: bytes = field(repr=False)
    version: str
    soap_action: str
    form: DocumentForm
    root: RootTag | None
    result: str

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers by which the message says what it is (SOAP 1.1, section 6; SOAP 1.2, RFC 3902)."""
        if self.version == "1.2":
            action = f'; action="{self.soap_action}"' if self.soap_action else ""
            kind = "application/soap+xml"
            return {"Content-Type": f"{kind}; charset=utf-8{action}", "Accept": kind}
        return {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": f'"{self.soap_action}"',
            "Accept": "text/xml",
        }


class MissingParameter(ConfigurationError):
    """An element or attribute must be there, and no setting gives it; `name` is what it is called."""

    def __init__(self, wsdl: object, what: Message, name: str) -> None:
        super().__init__(
            _(
                "No message can be made from {wsdl}: it wants {what}, and no setting gives it.",
                wsdl=str(wsdl),
                what=what,
            ),
            _('write {name} = "…" into [soap.parameters]; ask the authority what belongs there', name=name),
        )
        self.name = name


def make_envelope(wsdl: Path, names: SoapNames, ident: Iterable[str]) -> Envelope:
    """The message for one call, with these entries as Ident.

    Raises `ConfigurationError` if the WSDL cannot be used, or does not fit the settings.
    """
    interface = read_wsdl(wsdl)
    is_shipped = wsdl.resolve() == shipped.schema("wsBlokIzmenjava.wsdl").resolve()
    found_by = _found_by(names) if is_shipped else names
    call = choose_call(interface, found_by, wsdl)
    renaming = _renaming(message_namespace(call), names, is_shipped=is_shipped)
    shape = shape_of(call, found_by, wsdl)
    return _Writer(shape, found_by, renaming, tuple(ident), wsdl).envelope()


def needed_parameters(shape: CallShape, names: SoapNames, entries: tuple[str, ...]) -> list[str]:
    """Returns the parameters that the message needs and no setting gives, in its order."""
    renaming, needed = _Renaming("", ""), dict(names.parameters)
    missing: list[str] = []
    while True:
        try:
            _Writer(shape, replace(names, parameters=needed), renaming, entries, "").envelope()
        except MissingParameter as error:
            missing.append(error.name)
            needed[error.name] = ""
        else:
            return missing


@dataclass(frozen=True, slots=True)
class _Renaming:
    """Other names than those of the WSDL."""

    namespace: str
    new_namespace: str
    names: dict[str, str] = field(default_factory=dict)

    def tag(self, tag: str) -> str:
        namespace, bracket, name = tag.rpartition("}")
        if namespace == f"{{{self.namespace}":
            namespace, name = f"{{{self.new_namespace}", self.names.get(name, name)
        return f"{namespace}{bracket}{name}"


def _found_by(names: SoapNames) -> SoapNames:
    """The names by which the parts of the shipped WSDL are found, before they are called otherwise."""
    operation, namespace = names.operation or OPERATION, names.target_namespace or _SHIPPED_NAMESPACE
    return replace(
        names,
        operation="",
        blok="",
        ident="",
        ident_item="",
        result=names.result or _SHIPPED_RESULT,
        soap_action=names.soap_action or f"{namespace}/{operation}",
    )


def _renaming(namespace: str, names: SoapNames, *, is_shipped: bool) -> _Renaming:
    new_names = {
        OPERATION: names.operation or OPERATION,
        DOCUMENT: names.blok or DOCUMENT,
        IDENT: names.ident or IDENT,
        _SHIPPED_ITEM: names.ident_item or _SHIPPED_ITEM,
    }
    return _Renaming(namespace, names.target_namespace or namespace, new_names if is_shipped else {})


class _Writer:
    """Writes the message of one call, with a gap for the report."""

    def __init__(
        self, shape: CallShape, names: SoapNames, renaming: _Renaming, entries: tuple[str, ...], wsdl: object
    ) -> None:
        self._shape = shape
        self._names = names
        self._renaming = renaming
        self._entries = entries
        self._wsdl = wsdl
        self._texts: dict[Field, str] = {}
        if shape.ident.form is IdentForm.FIELDS:
            self._texts = assign_entries(shape, names, entries, wsdl)

    def envelope(self) -> Envelope:
        """Raises `ConfigurationError` for what no message can be made of."""
        shape, document = self._shape, self._shape.document
        try:
            head, _sign, tail = self._written().partition(f"<{_GAP}/>".encode())
        except ValueError as error:  # lxml's word for a character that XML forbids, or a name that is none
            raise ConfigurationError(
                _(
                    "No message can be made from {wsdl}: {error:foreign}.",
                    wsdl=str(self._wsdl),
                    error=str(error),
                ),
                _("look for control characters in soap.ident and the secrets it names"),
            ) from error
        root = self._root_tag(document.root) if document.root is not None else None
        return Envelope(head, tail, shape.call.version, shape.action, document.form, root, shape.result)

    def _root_tag(self, root: Field) -> RootTag:
        name = etree.QName(self._renaming.tag(root.tag))
        attributes = {name: text for name, text in self._attributes(root) if not name.startswith("{")}
        content = self._declared(root).children if self._shape.document.is_typed else {}
        return RootTag(name.localname, name.namespace or "", content, attributes)

    def _declared(self, element: Field) -> Declared:
        namespace = etree.QName(self._renaming.tag(element.tag)).namespace or ""
        return Declared(namespace, {each.name: self._declared(each) for each in element.children})

    def _written(self) -> bytes:
        namespace = _ENVELOPES[self._shape.call.version]
        envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap": namespace})
        headers = [each for each in self._shape.call.headers if self._is_wanted(each)]
        if headers:
            self._write_all(headers, etree.SubElement(envelope, f"{{{namespace}}}Header"))
        self._write_all(self._shape.call.body, etree.SubElement(envelope, f"{{{namespace}}}Body"))
        return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)

    def _write_all(self, fields: Iterable[Field], parent: etree._Element) -> None:
        for each in fields:
            self._write(each, parent)

    def _write(self, element: Field, parent: etree._Element) -> None:
        document, ident = self._shape.document, self._shape.ident
        if element is document.root:
            parent.append(etree.Element(_GAP))
        elif document.root is None and element is document.path[-1]:
            self._start(element, parent).append(etree.Element(_GAP))
        elif element is ident.holder and ident.form is not IdentForm.FIELDS:
            self._write_ident(element, parent)
        elif (text := self._text_of(element)) is not None:
            self._write_text(element, parent, text)
        elif self._is_wanted(element):
            self._write_all(element.children, self._start(element, parent))
        elif element.required:
            self._write_needed(element, parent)

    def _start(self, element: Field, parent: etree._Element) -> etree._Element:
        started = etree.SubElement(parent, self._renaming.tag(element.tag))
        for name, value in self._attributes(element):
            started.set(name, value)
        return started

    def _attributes(self, element: Field) -> Iterator[tuple[str, str]]:
        for attribute in element.attributes:
            if (text := self._text_of(attribute)) is not None:
                yield self._renaming.tag(attribute.tag), text
            elif attribute.required:
                what = _(
                    "the attribute {attribute} of {element}", attribute=attribute.name, element=element.name
                )
                raise MissingParameter(self._wsdl, what, attribute.name)

    def _text_of(self, element: Field) -> str | None:
        if element in self._texts:
            return self._texts[element]
        return self._names.parameters.get(element.name)

    def _write_text(self, element: Field, parent: etree._Element, text: str) -> None:
        written = self._start(element, parent)
        written.text = text
        if element.kind is Kind.ANYTHING:
            self._declare_text(written)

    def _declare_text(self, element: etree._Element) -> None:
        """Declares the content a text, in an element that may hold anything."""
        prefix = next((each for each, uri in element.nsmap.items() if uri == XSD and each), None)
        if prefix is None:
            # lxml takes prefixes only as an element is made.
            declared = etree.Element(element.tag, dict(element.attrib), {**element.nsmap, "xsd": XSD})
            declared.text = element.text
            parent = element.getparent()
            if parent is not None:
                parent.replace(element, declared)
            element = declared
        element.set(f"{{{_XSI}}}type", f"{prefix or 'xsd'}:string")

    def _write_ident(self, holder: Field, parent: etree._Element) -> None:
        form, slots = self._shape.ident.form, self._shape.ident.slots
        if form is IdentForm.ARRAY:
            array = self._start(holder, parent)
            for entry in self._entries:
                self._write_text(slots[0], array, entry)
        elif form is IdentForm.REPEATED:
            for entry in self._entries:
                self._write_text(holder, parent, entry)
        else:
            self._write_text(holder, parent, self._names.ident_separator.join(self._entries))

    def _is_wanted(self, element: Field) -> bool:
        """Whether something of ours stands in it, or in what stands in it."""
        document, ident = self._shape.document, self._shape.ident
        ours = (*document.path, document.root, ident.holder)
        return (
            any(element is each for each in ours)
            or self._text_of(element) is not None
            or any(self._is_wanted(each) for each in (*element.children, *element.attributes))
        )

    def _write_needed(self, element: Field, parent: etree._Element) -> None:
        """An element that must be there, and that nobody has given anything for."""
        if element.default is not None:
            self._write_text(element, parent, element.default)
        elif element.nillable:
            self._start(element, parent).set(f"{{{_XSI}}}nil", "true")
        elif element.kind in (Kind.ELEMENTS, Kind.ANYTHING) and not element.holds_any:
            self._write_all(element.children, self._start(element, parent))
        else:
            what = _("the element {element} ({kind})", element=element.name, kind=element.kind.told)
            raise MissingParameter(self._wsdl, what, element.name)
