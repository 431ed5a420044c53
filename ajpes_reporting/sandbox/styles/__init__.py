"""How the authority may speak: what its WSDL asks for, and how it replies. One list of names declares all.

A style changes one aspect of the call or the reply, or gives the exchange server a habit; several go
together if they change different aspects. From the same pieces come the WSDL that is handed out and the
schema by which calls are read, so that any combination is served as it is described.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import SandboxError
from . import binding, blok, carriage, habits, ident, loose, result
from .carriage import Reply
from .style import Style, call_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["STYLES", "Named", "Reply", "Style", "call_schema", "style_of"]


@dataclass(frozen=True, slots=True)
class Named:
    """One name: what it plays, in one sentence, and what it changes."""

    name: str
    plays: str
    changes: dict[str, Any] = field(default_factory=dict)


STYLES: tuple[Named, ...] = (
    Named("asmx", "the default: SOAP 1.1, Blok takes any element, Ident is an array"),
    # What Blok is.
    Named("anytype", "Blok is xs:anyType", {"blok": blok.ANY_TYPE}),
    Named("nodurs", "Blok is a full type that holds Nodurs", {"blok": blok.NODURS_INSIDE}),
    Named("content", "Blok is itself Nodurs: it holds its content directly", {"blok": blok.CONTENT}),
    Named(
        "content-own", "the same, with the content in the service's namespace", {"blok": blok.CONTENT_OWN}
    ),
    Named("content-bare", "the same, with the content in no namespace", {"blok": blok.CONTENT_BARE}),
    Named("string", "Blok is a string that holds the report, escaped", {"blok": blok.STRING}),
    Named("base64", "Blok is the report in base64", {"blok": blok.BASE64}),
    # What Ident is.
    Named("repeated", "Ident is a string that comes once for each entry", {"ident": ident.REPEATED}),
    Named("single", "Ident is one string, its entries joined by a semicolon", {"ident": ident.SINGLE}),
    Named(
        "fields", "Ident has a field each: MaticnaStevilka, UporabniskoIme, Geslo", {"ident": ident.FIELDS}
    ),
    Named("header", "Ident is a SOAP header with these fields", {"ident": ident.HEADER}),
    Named(
        "basic", "there is no Ident: user name and password come by HTTP Basic",
        {"ident": ident.BASIC, "settings": {"soap": 'authentication = "basic"\n'}},
    ),
    # How the call is bound.
    Named("soap12", "SOAP 1.2", {"binding": binding.DOCUMENT_12}),
    Named("rpc", "RPC/literal: Blok and Ident are parts of the message", {"binding": binding.RPC}),
    Named("unqualified", "the parameters stand in no namespace", {"form": "unqualified"}),
    Named("imported", "the WSDL imports its schemas from files of their own", {"imports_schemas": True}),
    Named("action", "SOAPAction must be that of the WSDL, to the letter", {"action": binding.EXACT_ACTION}),
    Named("action-empty", "SOAPAction must be empty", {"action": binding.EMPTY_ACTION}),
    Named(
        "action-joined", "SOAPAction is namespace and method without a slash between them",
        {"action": binding.JOINED_ACTION},
    ),
    # How the answer lies in the reply.
    Named("typed", "the result is typed: Ident and Napaka stand directly in it", {"result": result.TYPED}),
    Named("text", "the result is text: the answer as escaped XML", {"result": result.TEXT}),
    Named("cdata", "the result is text: the answer in CDATA", {"result": result.CDATA}),
    Named("json", "the result is JSON: success, failure, rows of number and text", {"result": result.JSON}),
    Named(
        "service-error", "each report is turned away by an error in Ident (idNapake), as if out of hours",
        {"turns_away": True},
    ),
    Named(
        "loose", "answers are looser than their schema: an attribute and an element more, long texts",
        {"deviation": loose.loosened},
    ),
    # How the reply travels.
    Named("mime", "replies are multipart/related (MTOM)", {"carriage": carriage.mime}),
    Named(
        "windows-1250", "replies are in windows-1250, which only Content-Type says",
        {"carriage": carriage.windows_1250},
    ),
    Named(
        "false-declaration", "replies are in windows-1250, as Content-Type says, and declare UTF-8",
        {"carriage": carriage.false_declaration},
    ),
    Named("bom", "replies begin with a byte order mark", {"carriage": carriage.bom}),
    Named("crlf", "replies begin with CR LF, before the declaration", {"carriage": carriage.crlf}),
    Named("nul", "replies end with blanks and a NUL", {"carriage": carriage.trailing_nul}),
    # What the exchange server is like.
    *(
        Named(name, plays, {"habit": {kind}, "settings": {"sftp": habits.SETTINGS.get(name, "")}})
        for name, plays, kind in habits.HABITS
    ),
)  # fmt: skip
_BY_NAME = {one.name: one for one in STYLES}
_ADD_UP = ("habit", "settings")


def style_of(names: Iterable[str]) -> Style:
    """The style with these names. Raises `SandboxError` for one unknown, or two that exclude each other."""
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
