"""Contents of the parameter Blok: the report as XML, its content alone, a string, or base64."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Protocol
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from ..reading import UnreadableError
from ..schemas import NODURS, SERVICE, schema_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_XS = "http://www.w3.org/2001/XMLSchema"
_BLOK_DEPTH = 4  # Envelope, Body, BlokPodOddaj, Blok
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml\s[^>]*\?>")


@dataclass(frozen=True, slots=True)
class Blok:
    """One way to type Blok in a WSDL.

    `type` is its type's name there, `definitions` what the service's schema has to define for it, and
    `nodurs` makes the schema of the report that this refers to; if `is_own`, it is a part of the service's.
    `unpack` writes the report into a file of its own; without, it stands in the message as it is.
    """

    type: str
    definitions: str = ""
    nodurs: Callable[[], bytes] | None = None
    is_own: bool = False
    unpack: Callable[[Path, IO[bytes]], None] | None = None


def _shipped() -> bytes:
    return (schema_folder() / "nodurs-20100601.xsd").read_bytes()


def _by_content(form: str = "qualified", namespace: str = NODURS) -> Callable[[], bytes]:
    """The shipped schema with a named type for what stands in Nodurs, its elements in `namespace` or none."""

    def made() -> bytes:
        schema = etree.fromstring(_shipped())
        (report,) = schema.iterchildren(f"{{{_XS}}}element")
        (content,) = report
        content.set("name", "VsebinaNodurs")
        schema.replace(report, content)
        schema.set("elementFormDefault", form)
        text = etree.tostring(schema, encoding="unicode")
        return text.replace(f'"{NODURS}"', f'"{namespace}"').encode()

    return made


def _unpack_content(path: Path, to: IO[bytes]) -> None:
    to.write(f'<Nodurs xmlns="{NODURS}">'.encode())
    _walk(path, _Rewriter(to))
    to.write(b"</Nodurs>")


def _unpack_string(path: Path, to: IO[bytes]) -> None:
    _walk(path, _Text(to))


def _unpack_base64(path: Path, to: IO[bytes]) -> None:
    decoder = _Base64(to)
    _walk(path, decoder)
    decoder.finish()


ANY = Blok(
    "tns:Vsebina",
    '<xs:complexType name="Vsebina"><xs:sequence><xs:any processContents="lax"/></xs:sequence>'
    "</xs:complexType>",
)
ANY_TYPE = Blok("xs:anyType")
NODURS_INSIDE = Blok(
    "tns:Vsebina",
    '<xs:complexType name="Vsebina"><xs:sequence><xs:element ref="n:Nodurs"/></xs:sequence></xs:complexType>',
    _shipped,
)
CONTENT = Blok("n:VsebinaNodurs", nodurs=_by_content(), unpack=_unpack_content)
CONTENT_OWN = replace(CONTENT, type="tns:VsebinaNodurs", nodurs=_by_content(namespace=SERVICE), is_own=True)
CONTENT_BARE = replace(CONTENT, nodurs=_by_content(form="unqualified"))
STRING = Blok("xs:string", unpack=_unpack_string)
BASE64 = Blok("xs:base64Binary", unpack=_unpack_base64)


class _Reader(Protocol):
    def start(self, name: str, attributes: dict[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def text(self, text: str) -> None: ...


def _walk(path: Path, reader: _Reader) -> None:
    """Reads what stands in Blok, of a message that is known to fit its schema."""
    stack: list[str] = []
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def is_inside() -> bool:
        return len(stack) >= _BLOK_DEPTH and (stack[1], stack[3]) == ("Body", "Blok")

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition("}")[2]
        if is_inside():
            reader.start(local, attributes)
        stack.append(local)

    def end(_name: str) -> None:
        local = stack.pop()
        if is_inside():
            reader.end(local)

    def text(text: str) -> None:
        if is_inside():
            reader.text(text)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    with path.open("rb") as file:
        parser.ParseFile(file)


class _Rewriter:
    """Writes the elements as those of a report, whatever namespace they came in."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to

    def start(self, name: str, attributes: dict[str, str]) -> None:
        own = {key: value for key, value in attributes.items() if "}" not in key}
        written = "".join(f" {key}={quoteattr(value)}" for key, value in own.items())
        self._to.write(f"<{name}{written}>".encode())

    def end(self, name: str) -> None:
        self._to.write(f"</{name}>".encode())

    def text(self, text: str) -> None:
        self._to.write(escape(text).encode())


class _Text:
    """Writes the text. Its own XML declaration counts for nothing: a string has no encoding."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to
        self._is_first = True

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None:
        if self._is_first:
            text = _DECLARATION.sub("", text)
            self._is_first = False
        self._to.write(text.encode())


class _Base64:
    """Writes what the text stands for."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to
        self._left = ""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None:
        text = self._left + "".join(text.split())
        whole = len(text) // 4 * 4
        self._to.write(_decoded(text[:whole]))
        self._left = text[whole:]

    def finish(self) -> None:
        self._to.write(_decoded(self._left))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UnreadableError("Vsebina elementa Blok ni zapis base64.") from None
