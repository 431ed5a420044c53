"""The shape of a call: how the report and the entries of Ident travel, as a WSDL and the settings say.

The WSDL decides; a setting in `[soap]` picks where it leaves a choice, or overrides it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.soap.interface import LONGEST_NAME, Call, Field, Interface, Kind
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OPERATION, DOCUMENT, IDENT = "BlokPodOddaj", "Blok", "Ident"
_REPORT = "nodurs"
_CONTENT = "Dolznik"  # what no other element of the world is called
_DEEPEST = 6  # wrappers round a report; deeper ones are the report itself

_ROLES = {
    "password": re.compile(r"geslo|passw|pwd|^pass$", re.IGNORECASE),
    "username": re.compile(r"uporabni|upime|user|login|^ime$", re.IGNORECASE),
    "registration_number": re.compile(r"mati[cč]n|registr|^ms$|^ponudnik$", re.IGNORECASE),
}
_DOCUMENT_NAMES = re.compile(
    r"xml|doku?ment|vsebina|podatki|poro[cč]ilo|datoteka|file|content", re.IGNORECASE
)


class DocumentForm(StrEnum):
    """The form of the report in its element."""

    NODURS = "nodurs"
    CONTENT = "content"
    TEXT = "text"
    CDATA = "cdata"
    BASE64 = "base64"


class IdentForm(StrEnum):
    """The form of the entries of Ident."""

    ARRAY = "array"
    REPEATED = "repeated"
    TEXT = "text"
    FIELDS = "fields"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SoapNames:
    """The names of the message in the settings; an empty one is as the WSDL says.

    With the WSDL that is shipped, the names and the namespace are put in the place of its own; with
    another one they say which of its names are meant. `ident_fields` are the fields for the entries of Ident,
    one by one; `roles` say what each entry is ("password"), or nothing. `parameters` are the
    values of further elements and attributes, by name.
    """

    operation: str = ""
    blok: str = ""
    ident: str = ""
    ident_item: str = ""
    result: str = ""
    target_namespace: str = ""
    soap_action: str = ""
    version: str = ""
    port: str = ""
    document_form: str = ""
    ident_form: str = ""
    ident_separator: str = ";"
    ident_fields: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class DocumentPlace:
    """The place of the report: below the elements of `path`, the body's own first.

    `root` is the element that takes the place of the report's root; without it the report stands there as
    it is. `is_typed` says that the WSDL also declares what the root holds.
    """

    path: tuple[Field, ...]
    form: DocumentForm
    root: Field | None = None
    is_typed: bool = False

    @property
    def element(self) -> Field:
        return self.root or self.path[-1]


@dataclass(frozen=True, slots=True)
class IdentPlace:
    """The place of the entries of Ident. `holder` is their element; None if they are in the call itself.

    `slots` are the element of one entry (array, repeated), that of all together (text), or all fields.
    """

    form: IdentForm
    holder: Field | None = None
    slots: tuple[Field, ...] = ()
    in_header: bool = False


@dataclass(frozen=True, slots=True)
class CallShape:
    """The form of one call. `result` is the local name of the element that holds the answer."""

    call: Call
    action: str
    document: DocumentPlace
    ident: IdentPlace
    result: str


def choose_call(interface: Interface, names: SoapNames, wsdl: object) -> Call:
    """The call that the settings mean, or the only one that takes a report.

    SOAP 1.1 goes before 1.2, https before http, and first what can be sent. Raises `ConfigurationError`.
    """
    calls = [
        call
        for call in _of_version(interface, names.version)
        if names.port in ("", call.port) and names.version in ("", call.version)
    ]
    if not calls:
        raise ConfigurationError(
            _no_port(interface, names, wsdl), _("correct soap.port, soap.version or soap.wsdl")
        )
    operation = names.operation or _only_operation(calls, wsdl)
    meant = [call for call in calls if call.operation == operation]
    if not meant:
        raise ConfigurationError(
            _(
                "{wsdl} has no SOAP operation {operation}; it has {operations}.",
                wsdl=str(wsdl),
                operation=operation,
                operations=_operations(calls),
            ),
            _("correct soap.operation or soap.wsdl"),
        )
    call = min(
        meant, key=lambda each: (bool(each.trouble), each.version, not each.address.startswith("https:"))
    )
    if call.trouble:
        raise ConfigurationError(
            _(
                "No message can be made from {wsdl} for its operation {operation}: {trouble}. "
                "Nothing was sent.",
                wsdl=str(wsdl),
                operation=operation,
                trouble=call.trouble,
            ),
            _("ask the authority for a SOAP interface of the kind document/literal"),
        )
    return call


def _of_version(interface: Interface, version: str) -> tuple[Call, ...]:
    """All calls; with the version from the settings where the WSDL does not know that one at all."""
    if not version or any(call.version == version for call in interface.calls):
        return interface.calls
    return tuple(replace(call, version=version) for call in interface.calls)


def _no_port(interface: Interface, names: SoapNames, wsdl: object) -> Message:
    if not interface.calls:
        return _("{wsdl} offers no SOAP over HTTP.", wsdl=str(wsdl))
    offered = list(dict.fromkeys(f"{call.port} (SOAP {call.version})" for call in interface.calls))
    said = {"wsdl": str(wsdl), "port": names.port, "version": names.version, "offered": offered}
    if not names.version:
        return _("{wsdl} has no port {port}; it offers {offered}.", **said)
    if not names.port:
        return _("{wsdl} has no SOAP {version}; it offers {offered}.", **said)
    return _("{wsdl} has no port {port} with SOAP {version}; it offers {offered}.", **said)


def _only_operation(calls: Iterable[Call], wsdl: object) -> str:
    calls = list(calls)
    if usual := [name for name in _operations(calls) if name.lower() == OPERATION.lower()]:
        return usual[0]
    able = _operations(call for call in calls if takes_report(call))
    if len(able) == 1:
        return able[0]
    if able:
        raise ConfigurationError(
            _(
                "{wsdl} has several operations that may be meant: {operations}.",
                wsdl=str(wsdl),
                operations=able,
            ),
            _("set soap.operation to the one that takes a NODURS report"),
        )
    raise ConfigurationError(
        _(
            "{wsdl} has no SOAP operation {operation}, and none that takes a Blok or a "
            "Nodurs; it has {operations}.",
            wsdl=str(wsdl),
            operation=OPERATION,
            operations=_operations(calls),
        ),
        _("set soap.operation to the one that takes a NODURS report, or correct soap.wsdl"),
    )


def takes_report(call: Call) -> bool:
    """Whether an operation takes what AJPES calls Blok or Nodurs, by any of its names."""
    try:
        return not call.trouble and any(
            _is_called(path[-1], "", DOCUMENT) or _is_report(path[-1]) or _is_content(path[-1])
            for path in _paths(call.body)
        )
    except ConfigurationError:
        return False


def _operations(calls: Iterable[Call]) -> list[str]:
    return list(dict.fromkeys(call.operation for call in calls))


def shape_of(call: Call, names: SoapNames, wsdl: object) -> CallShape:
    """Returns the form of this call. Raises `ConfigurationError` if it is not clear, or cannot be sent."""
    document = _document_place(call, names, wsdl)
    if names.document_form:
        document = _overridden(document, DocumentForm(names.document_form))
    ident = _ident_place(call, names, document, wsdl)
    action = names.soap_action.strip().strip('"') if names.soap_action else call.action
    _check_action(action, wsdl)
    return CallShape(call, action, document, ident, names.result or result_of(call))


def message_namespace(call: Call) -> str:
    """The namespace of the element in the body, which is that of the message as a rule."""
    return call.body[0].namespace if call.body else ""


def _check_action(action: str, wsdl: object) -> None:
    is_plain = action.isascii() and action.isprintable() and not {'"', "\\"} & {*action}
    if not is_plain or len(action) > LONGEST_NAME:
        raise ConfigurationError(
            _(
                "{wsdl} gives a SOAPAction that no header can carry: {action:quoted}.",
                wsdl=str(wsdl),
                action=action[:100],
            ),
            _("set soap.soap_action to the right one"),
        )


# --- the report ---


def _document_place(call: Call, names: SoapNames, wsdl: object) -> DocumentPlace:
    named = [path for path in _paths(call.body) if _is_called(path[-1], names.blok, DOCUMENT)]
    if names.blok and not named:
        raise ConfigurationError(
            _(
                "No message can be made from {wsdl}: its operation {operation} has no element "
                "{element}; it takes {parts}.",
                wsdl=str(wsdl),
                operation=call.operation,
                element=names.blok,
                parts=_signature(call),
            ),
            _("correct soap.document_element after it, or leave it out"),
        )
    places = _preferred(list(_places(named[0]))) if named else _guessed(call)
    if len(places) == 1:
        return places[0]
    if places:
        several = [each.element.name for each in places]
        found = _(
            "the operation takes more than one thing that might be the report: {several}", several=several
        )
    elif named:
        element = named[0][-1]
        found = _(
            "no report can be put into its element {element}, which {contents}",
            element=element.name,
            contents=_contents(element),
        )
    else:
        found = _(
            "the operation {operation} takes {parts}, and none of these can hold a report",
            operation=call.operation,
            parts=_signature(call),
        )
    raise ConfigurationError(
        _("No message can be made from {wsdl}: {found}.", wsdl=str(wsdl), found=found),
        _("set soap.document_element to the element that takes the report, or ask the authority"),
    )


def _preferred(places: list[DocumentPlace]) -> list[DocumentPlace]:
    """Of several elements the ones that are called like a document, and of these those that must be there.

    ASP.NET and WCF say of every string that it may be left out.
    """
    named = [place for place in places if _DOCUMENT_NAMES.search(place.element.name)] or places
    return [place for place in named if place.element.required] or named


def _guessed(call: Call) -> list[DocumentPlace]:
    """Without a Blok: a Nodurs, what a Nodurs holds, or the one parameter that a document fits into."""
    for wanted in (_is_report, _is_content):
        for path in _paths(call.body):
            if wanted(path[-1]):
                return list(_places(path))
    return _preferred([place for part in call.body for place in _places((part,))])


def _places(path: tuple[Field, ...]) -> Iterator[DocumentPlace]:
    """Every place below the end of `path` that a report fits into."""
    here = path[-1]
    if here.kind is Kind.TEXT:
        yield DocumentPlace(path, DocumentForm.TEXT)
    elif here.kind is Kind.BASE64:
        yield DocumentPlace(path, DocumentForm.BASE64)
    elif _is_report(here) and here.kind in (Kind.ELEMENTS, Kind.ANYTHING):
        yield DocumentPlace(path[:-1], DocumentForm.NODURS, here, is_typed=bool(here.children))
    elif _is_content(here):
        yield DocumentPlace(path[:-1], DocumentForm.CONTENT, here, is_typed=True)
    elif reports := [each for each in here.children if _is_report(each)]:
        yield from _places((*path, reports[0]))
    elif here.kind is Kind.ANYTHING or here.holds_any:
        yield DocumentPlace(path, DocumentForm.NODURS)
    elif here.kind is Kind.ELEMENTS and len(path) <= _DEEPEST:
        for child in _may_be_documents(here.children):
            yield from _places((*path, child))


def _may_be_documents(children: Iterable[Field]) -> Iterator[Field]:
    for each in children:
        is_entry = _is_called(each, "", IDENT) or (each.kind is Kind.TEXT and role_of(each.name) != "")
        if not each.repeats and not is_entry:
            yield each


def _is_report(element: Field) -> bool:
    return element.name.lower() == _REPORT


def _is_content(element: Field) -> bool:
    return not _is_report(element) and any(each.name == _CONTENT for each in element.children)


def _is_called(element: Field, name: str, usual: str) -> bool:
    """By the name in the settings as it is written, else by the usual one in whatever case."""
    return element.name == name if name else element.name.lower() == usual.lower()


def _overridden(place: DocumentPlace, form: DocumentForm) -> DocumentPlace:
    """Returns the place with the report in the form that the settings want."""
    path = place.path if place.root is None else (*place.path, place.root)
    if form is place.form:
        return place
    if form is DocumentForm.CONTENT:
        return DocumentPlace(path[:-1], form, path[-1])
    return DocumentPlace(path, form)


# --- Ident ---


def _ident_place(call: Call, names: SoapNames, document: DocumentPlace, wsdl: object) -> IdentPlace:
    if names.ident_form == IdentForm.NONE:
        return IdentPlace(IdentForm.NONE)
    around = _around(call, document)
    found = [
        (path[-1], in_header)
        for fields, in_header in ((around, False), (call.headers, True))
        for path in _paths(fields)
        if _is_called(path[-1], names.ident, IDENT)
    ]
    if names.ident and not found:
        raise ConfigurationError(
            _(
                "No message can be made from {wsdl}: its operation {operation} has no element "
                "{element}; it takes {parts}.",
                wsdl=str(wsdl),
                operation=call.operation,
                element=names.ident,
                parts=_signature(call),
            ),
            _("correct soap.ident_element after it, or leave it out"),
        )
    if not found:
        loose = tuple(each for each in around if each.kind is Kind.TEXT and not each.repeats)
        if any(role_of(each.name) for each in loose):
            return IdentPlace(IdentForm.FIELDS, None, loose)
        found = [(each, True) for each in call.headers if _looks_like_ident(each)]
        found = found or [(each, False) for each in around if _looks_like_ident(each)]
    if not found:
        return IdentPlace(IdentForm.NONE)
    holder, in_header = found[0]
    return _ident_in(holder, names, in_header=in_header, wsdl=wsdl)


def texts_beside(call: Call, document: DocumentPlace) -> list[Field]:
    """The elements beside the report that hold a text, and might be meant for who we are."""
    return [each for each in _around(call, document) if each.kind is Kind.TEXT]


def _around(call: Call, document: DocumentPlace) -> list[Field]:
    """The elements beside the report and beside those that hold it."""
    path = (*document.path, *((document.root,) if document.root else ()))
    beside = [*call.body, *(child for each in document.path for child in each.children)]
    return [each for each in beside if not any(each is other for other in path)]


def _looks_like_ident(element: Field) -> bool:
    """Several texts, or fields for who we are; no password goes into a field that may be for anything."""
    form = _ident_form(element, SoapNames())
    if form is IdentForm.FIELDS:
        return any(role_of(each.name) for each in _leaves(element))
    return form in (IdentForm.ARRAY, IdentForm.REPEATED)


def _ident_in(holder: Field, names: SoapNames, *, in_header: bool, wsdl: object) -> IdentPlace:
    if len(holder.children) == 1 and not holder.attributes and _is_wrapper(holder.children[0]):
        return _ident_in(holder.children[0], names, in_header=in_header, wsdl=wsdl)
    form = IdentForm(names.ident_form) if names.ident_form else _ident_form(holder, names)
    if form is IdentForm.ARRAY:
        item = _item(holder, names)
        if item is not None and names.ident_item in ("", item.name):
            return IdentPlace(form, holder, (item,), in_header)
    if form is IdentForm.FIELDS and (leaves := tuple(_leaves(holder))):
        return IdentPlace(form, holder, leaves, in_header)
    if form in (IdentForm.REPEATED, IdentForm.TEXT) and not names.ident_item:
        return IdentPlace(form, holder, (holder,), in_header)
    raise ConfigurationError(
        _(
            "No message can be made from {wsdl}: the entries of soap.ident cannot be put into {element}, "
            "which {contents}, as the settings say.",
            wsdl=str(wsdl),
            element=holder.name,
            contents=_contents(holder),
        ),
        _("correct soap.ident_item and soap.ident_form after it, or leave them out; else ask the authority"),
    )


def _is_wrapper(element: Field) -> bool:
    return element.kind is Kind.ELEMENTS and not element.repeats and bool(element.children)


def _ident_form(holder: Field, names: SoapNames) -> IdentForm | None:
    if holder.kind in (Kind.TEXT, Kind.VALUE):
        return IdentForm.REPEATED if holder.repeats else IdentForm.TEXT
    if holder.kind is Kind.ANYTHING:
        return IdentForm.ARRAY if names.ident_item else IdentForm.TEXT
    if holder.kind is Kind.ENCODED_ARRAY and names.ident_item:
        return IdentForm.ARRAY
    if holder.kind is not Kind.ELEMENTS:
        return None
    if len(holder.children) == 1 and holder.children[0].repeats and _is_entry(holder.children[0]):
        return IdentForm.ARRAY
    if holder.holds_any and not holder.children:
        return IdentForm.ARRAY if names.ident_item else None
    leaves = list(_leaves(holder))
    plain = leaves and all(_is_entry(each) and not each.repeats for each in leaves)
    return IdentForm.FIELDS if plain else None


def _is_entry(element: Field) -> bool:
    return element.kind in (Kind.TEXT, Kind.VALUE, Kind.ANYTHING) and not element.children


def _item(holder: Field, names: SoapNames) -> Field | None:
    if holder.children:
        return next((each for each in holder.children if names.ident_item in ("", each.name)), None)
    if not names.ident_item:
        return None
    tag = f"{{{holder.namespace}}}{names.ident_item}" if holder.namespace else names.ident_item
    return Field(tag, Kind.TEXT, repeats=True)


def _leaves(holder: Field) -> Iterator[Field]:
    """The fields of a holder, nested ones too, and then its attributes."""
    for child in holder.children:
        if child.kind is Kind.ELEMENTS:
            yield from _leaves(child)
        else:
            yield child
            yield from child.attributes
    yield from holder.attributes


def role_of(name: str) -> str:
    """Returns the role of a field by its name: "password", "username", "registration_number", or none."""
    return next((role for role, words in _ROLES.items() if words.search(name)), "")


def entry_role(entry: str) -> str:
    """Returns the role of an entry of `soap.ident` that is only "{password}" or the like; else none."""
    return next((role for role in _ROLES if entry == f"{{{role}}}"), "")


def assign_entries(
    shape: CallShape, names: SoapNames, entries: tuple[str, ...], wsdl: object
) -> dict[Field, str]:
    """Assigns entries to fields: as the settings say, or by the field's name, else by order.

    Raises `ConfigurationError` if there are more entries than fields, or a needed one stays empty.
    """
    slots = list(shape.ident.slots)
    order = (
        _by_settings(slots, names, wsdl) if names.ident_fields else _by_role(slots, names.roles, len(entries))
    )
    if len(entries) > len(order):
        raise ConfigurationError(
            _(
                "soap.ident has {entries:count} entries, and {wsdl} has {fields:count} fields for "
                "them: {names}.",
                entries=len(entries),
                wsdl=str(wsdl),
                fields=len(order),
                names=[each.name for each in order],
            ),
            _("correct soap.ident, or name a field for each entry in soap.ident_fields"),
        )
    return dict(zip(order, entries, strict=False))


def _by_settings(slots: list[Field], names: SoapNames, wsdl: object) -> list[Field]:
    by_name = {each.name: each for each in slots}
    for name in names.ident_fields:
        if name not in by_name:
            raise ConfigurationError(
                _(
                    "soap.ident_fields names {name}, and {wsdl} has the fields {fields}.",
                    name=name,
                    wsdl=str(wsdl),
                    fields=list(by_name),
                ),
                _("correct soap.ident_fields after it"),
            )
    return [by_name[name] for name in names.ident_fields]


def _by_role(slots: list[Field], roles: tuple[str, ...], number: int) -> list[Field]:
    """The password goes where the name says so; what has no such name goes by order."""
    wanted = [*roles, *[""] * (number - len(roles))][:number]
    of_role = {role: [each for each in slots if role_of(each.name) == role] for role in _ROLES}
    known = [role for role in wanted if role]
    if len(set(known)) < len(known) or any(len(of_role[role]) != 1 for role in known):
        return slots
    fixed = {role: of_role[role][0] for role in known}
    rest: Iterator[Field] = iter([each for each in slots if not any(each is one for one in fixed.values())])
    order = [fixed[role] if role else next(rest, None) for role in wanted]
    return [each for each in order if each is not None] + list(rest)


# --- the reply ---


def result_of(call: Call) -> str:
    """The local name of the element that holds the answer, as text or as elements."""
    [*parts] = call.reply
    if call.style == "document" and len(parts) == 1 and parts[0].kind is Kind.ELEMENTS and parts[0].children:
        parts = list(parts[0].children) if not _is_answer(parts[0]) else parts
    named = [each for each in parts if re.search(r"result|odgovor|return|rezultat", each.name, re.IGNORECASE)]
    return next((each.name for each in (*named, *parts)), f"{call.operation}Result")


def _is_answer(element: Field) -> bool:
    return element.name.endswith("Odgovor") or any(each.name == "Napaka" for each in element.children)


# --- words ---


def _paths(fields: Iterable[Field]) -> Iterator[tuple[Field, ...]]:
    """Every element of a message with those round it, the outer ones first; not those inside a report."""
    layer: list[tuple[Field, ...]] = [(each,) for each in fields]
    while layer:
        yield from layer
        layer = [
            (*path, child)
            for path in layer
            if len(path) < _DEEPEST and not _is_report(path[-1]) and not _is_content(path[-1])
            for child in path[-1].children
        ]


def _signature(call: Call) -> Message | list[Message]:
    """Returns the arguments of the operation."""
    return [
        _("{element} ({contents})", element=each.name, contents=_contents(each))
        for each in (*call.body, *call.headers)
    ] or _("nothing")


def _contents(element: Field) -> Message:
    """Describes the content of an element, as a clause."""
    if element.kind is not Kind.ELEMENTS:
        return _("holds {kind}", kind=element.kind.told)
    inside = [each.name for each in element.children]
    if element.holds_any:
        return _("holds {elements}", elements=[*inside, _("any element")])
    return _("holds {elements}", elements=inside) if inside else _("holds nothing")
