"""Styles of the authority: what its WSDL asks for, and how it replies. One list of names declares all.

A style changes one aspect of the call or the reply, or gives the exchange server a quirk; several go
together if they change different aspects. From the same pieces come the WSDL that is handed out and the
schema by which calls are read, so that any combination is served as it is described.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import SandboxError
from . import binding, blok, encoding, ident, loose, quirks, result
from .encoding import Reply
from .style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["STYLES", "NamedStyle", "Reply", "Style", "style_of"]


@dataclass(frozen=True, slots=True)
class NamedStyle:
    """One style by its name: a description in one sentence, and the changes to `Style`."""

    name: str
    description: str
    changes: dict[str, Any] = field(default_factory=dict)


STYLES: tuple[NamedStyle, ...] = (
    NamedStyle("asmx", "the default: SOAP 1.1, Blok takes any element, Ident is an array"),
    # What Blok is.
    NamedStyle("anytype", "Blok is xs:anyType", {"blok": blok.ANY_TYPE}),
    NamedStyle("nodurs", "Blok is a full type that holds Nodurs", {"blok": blok.NODURS_INSIDE}),
    NamedStyle("content", "Blok is itself Nodurs: it holds its content directly", {"blok": blok.CONTENT}),
    NamedStyle(
        "content-own", "the same, with the content in the service's namespace", {"blok": blok.CONTENT_OWN}
    ),
    NamedStyle("content-bare", "the same, with the content in no namespace", {"blok": blok.CONTENT_BARE}),
    NamedStyle("string", "Blok is a string that holds the report, escaped", {"blok": blok.STRING}),
    NamedStyle("base64", "Blok is the report in base64", {"blok": blok.BASE64}),
    # What Ident is.
    NamedStyle("repeated", "Ident is a string that comes once for each entry", {"ident": ident.REPEATED}),
    NamedStyle("single", "Ident is one string, its entries joined by a semicolon", {"ident": ident.SINGLE}),
    NamedStyle(
        "fields", "Ident has a field each: MaticnaStevilka, UporabniskoIme, Geslo", {"ident": ident.FIELDS}
    ),
    NamedStyle("header", "Ident is a SOAP header with these fields", {"ident": ident.HEADER}),
    NamedStyle(
        "basic",
        "there is no Ident: user name and password come by HTTP Basic",
        {"ident": ident.BASIC, "settings": {"soap": 'authentication = "basic"\n'}},
    ),
    # How the call is bound.
    NamedStyle("soap12", "SOAP 1.2", {"binding": binding.DOCUMENT_12}),
    NamedStyle("rpc", "RPC/literal: Blok and Ident are parts of the message", {"binding": binding.RPC}),
    NamedStyle("unqualified", "the parameters stand in no namespace", {"form": "unqualified"}),
    NamedStyle("imported", "the WSDL imports its schemas from files of their own", {"imports_schemas": True}),
    NamedStyle(
        "action", "SOAPAction must be that of the WSDL, to the letter", {"action": binding.EXACT_ACTION}
    ),
    NamedStyle("action-empty", "SOAPAction must be empty", {"action": binding.EMPTY_ACTION}),
    NamedStyle(
        "action-joined",
        "SOAPAction is namespace and method without a slash between them",
        {"action": binding.JOINED_ACTION},
    ),
    # How the answer lies in the reply.
    NamedStyle(
        "typed", "the result is typed: Ident and Napaka stand directly in it", {"result": result.TYPED}
    ),
    NamedStyle("text", "the result is text: the answer as escaped XML", {"result": result.TEXT}),
    NamedStyle("cdata", "the result is text: the answer in CDATA", {"result": result.CDATA}),
    NamedStyle(
        "json", "the result is JSON: success, failure, rows of number and text", {"result": result.JSON}
    ),
    NamedStyle(
        "service-error",
        "each report is turned away by an error in Ident (idNapake), as if out of hours",
        {"rejects_all": True},
    ),
    NamedStyle(
        "loose",
        "answers are looser than their schema: an attribute and an element more, long texts",
        {"deviation": loose.loosened},
    ),
    # How the reply travels.
    NamedStyle("mime", "replies are multipart/related (MTOM)", {"encoding": encoding.mime}),
    NamedStyle(
        "windows-1250",
        "replies are in windows-1250, which only Content-Type says",
        {"encoding": encoding.windows_1250},
    ),
    NamedStyle(
        "false-declaration",
        "replies are in windows-1250, as Content-Type says, and declare UTF-8",
        {"encoding": encoding.false_declaration},
    ),
    NamedStyle("bom", "replies begin with a byte order mark", {"encoding": encoding.bom}),
    NamedStyle("crlf", "replies begin with CR LF, before the declaration", {"encoding": encoding.crlf}),
    NamedStyle("nul", "replies end with blanks and a NUL", {"encoding": encoding.trailing_nul}),
    # What the exchange server is like.
    *(
        NamedStyle(name, plays, {"quirks": {kind}, "settings": {"sftp": quirks.SETTINGS.get(name, "")}})
        for name, plays, kind in quirks.QUIRKS
    ),
)
_BY_NAME = {one.name: one for one in STYLES}
_ADD_UP = ("quirks", "settings")


def style_of(names: Iterable[str]) -> Style:
    """Return the style with these names. Raises `SandboxError` for an unknown one, or two that clash."""
    names = tuple(dict.fromkeys(names))
    changed_by: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name in names:
        for aspect, value in _changes(name).items():
            if aspect in values and aspect not in _ADD_UP:
                raise _excluding(changed_by[aspect], name)
            values[aspect] = values[aspect] | value if aspect in values else value
            changed_by[aspect] = name
    style = replace(Style(), names=names, **values)
    if style.binding.is_rpc and style.ident is ident.REPEATED:
        raise _excluding("repeated", "rpc")  # a part of a message comes once
    return style


def _changes(name: str) -> dict[str, Any]:
    if name not in _BY_NAME:
        raise SandboxError(f"There is no style {name!r}.", "`sandbox --styles` lists them")
    return _BY_NAME[name].changes


def _excluding(one: str, other: str) -> SandboxError:
    return SandboxError(f"The styles {one} and {other} exclude each other.", "name one of them")
