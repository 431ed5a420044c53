"""The SOAP message round a report: made by zeep from a WSDL, with a gap for the report.

The shipped WSDL is put under the names that the settings give before zeep reads it. A WSDL from
the authority has its own names; there the settings say which of them are meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from xml.sax.saxutils import escape

import zeep
import zeep.exceptions
from lxml import etree
from zeep.wsdl.bindings.soap import Soap11Binding

from ajpes_reporting.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_GAP = "ajpes-reporting-puts-the-report-here"


@dataclass(frozen=True, slots=True)
class SoapNames:
    """Every name in the message; section 4.1.1 gives the first three, the others are our reading.

    `ident_item` is empty where Ident itself repeats instead of holding an array.
    `soap_action` is empty for the one that the WSDL gives.
    """

    operation: str = "BlokPodOddaj"
    blok: str = "Blok"
    ident: str = "Ident"
    ident_item: str = "string"
    result: str = "BlokPodOddajResult"
    target_namespace: str = "http://www.ajpes.si/wsBlokIzmenjava"
    soap_action: str = ""


_SHIPPED = SoapNames()


@dataclass(frozen=True, slots=True)
class Envelope:
    """A SOAP 1.1 message in UTF-8: what goes before the report, what goes after it."""

    head: bytes = field(repr=False)  # it holds the password
    tail: bytes = field(repr=False)
    soap_action: str


def make_envelope(wsdl: Path, names: SoapNames, ident: Iterable[str]) -> Envelope:
    """The message for one call, with these entries as Ident.

    Raises `ConfigurationError` if the WSDL cannot be used, or does not have these names.
    """
    operation = _operation(wsdl, names)
    try:
        message = operation.create(**_arguments(names, list(ident)))
    except (TypeError, ValueError, zeep.exceptions.Error) as error:
        raise ConfigurationError(
            f"No message can be made from {wsdl} with the parameters {names.blok} and {names.ident}.",
            f"Its operation {names.operation} is {operation.input.signature()}; "
            "correct the names in [soap] after it.",
        ) from error
    head, _, tail = _serialised(message.content).partition(f"<{_GAP}/>".encode())
    return Envelope(head, tail, names.soap_action or operation.soapaction)


def _arguments(names: SoapNames, ident: list[str]) -> dict[str, Any]:
    entries: Any = {names.ident_item: ident} if names.ident_item else ident
    return {names.blok: {"_value_1": etree.Element(_GAP)}, names.ident: entries}


def _serialised(envelope: etree._Element) -> bytes:
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def _operation(wsdl: Path, names: SoapNames) -> Any:
    for service in _read(wsdl, names).services.values():
        for port in service.ports.values():
            operations = _operations(port.binding)
            if names.operation in operations:
                return operations[names.operation]
    raise ConfigurationError(
        f"{wsdl} has no SOAP 1.1 operation {names.operation}.", "Correct soap.operation or soap.wsdl."
    )


def _operations(binding: Any) -> dict[str, Any]:
    # An authority's WSDL often offers SOAP 1.2 and plain HTTP as well.
    is_soap_1_1 = isinstance(binding, Soap11Binding)
    return dict(binding.all()) if is_soap_1_1 else {}


def _read(wsdl: Path, names: SoapNames) -> Any:
    try:
        # zeep's functions have no types.
        client = zeep.Client(str(wsdl), transport=_Files(names))  # type: ignore[no-untyped-call]
        return client.wsdl
    except (OSError, ValueError, zeep.exceptions.Error, etree.XMLSyntaxError) as error:
        raise ConfigurationError(f"The WSDL {wsdl} cannot be used: {error}.", "Check soap.wsdl.") from error


class _Files(zeep.Transport):
    """Reads a WSDL and what it imports from the disk, never from the network."""

    def __init__(self, names: SoapNames) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # zeep has no types
        self._names = names

    def load(self, url: str) -> bytes:
        if urlparse(url).scheme in {"http", "https"}:
            raise ConfigurationError(
                f"The WSDL imports {url}; nothing is fetched from the network for it.",
                "Save that file beside the WSDL and import it by its file name.",
            )
        return _renamed(Path(url).read_bytes(), self._names)


def _renamed(wsdl: bytes, names: SoapNames) -> bytes:
    """Puts the shipped WSDL under other names; leaves a WSDL alone that never had ours."""
    ours = _SHIPPED
    new_name = {
        f"{ours.target_namespace}/{ours.operation}": f"{names.target_namespace}/{names.operation}",
        ours.target_namespace: names.target_namespace,
        ours.operation: names.operation,
        ours.blok: names.blok,
        ours.ident: names.ident,
        ours.ident_item: names.ident_item or ours.ident_item,
    }
    # Only the operation's element is referred to with a prefix; xs:string is not ours to rename.
    prefix = rf'\w+:(?={re.escape(ours.operation)}")'
    whole_value = rf'="({prefix})?({"|".join(map(re.escape, new_name))})"'

    def rename(value: re.Match[str]) -> str:
        return f'="{value[1] or ""}{escape(new_name[value[2]])}"'

    return re.sub(whole_value, rename, wsdl.decode()).encode()
