"""Describes a WSDL in words, and proposes the `[soap]` settings that follow from it."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ajpes_reporting.deliver.soap.envelope import needed_parameters
from ajpes_reporting.deliver.soap.interface import Call, Field, Interface, Kind
from ajpes_reporting.deliver.soap.shape import (
    DOCUMENT,
    OPERATION,
    CallShape,
    DocumentForm,
    IdentForm,
    SoapNames,
    choose_call,
    entry_role,
    message_namespace,
    role_of,
    shape_of,
    texts_beside,
)
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# The settings that say how a message looks, by what `SoapNames` calls them.
_SHAPE_SETTINGS = {
    "version": "version",
    "port": "port",
    "target_namespace": "target_namespace",
    "soap_action": "soap_action",
    "operation": "operation",
    "document_element": "blok",
    "document_form": "document_form",
    "ident_element": "ident",
    "ident_form": "ident_form",
    "ident_item": "ident_item",
    "ident_separator": "ident_separator",
    "ident_fields": "ident_fields",
    "parameters": "parameters",
    "result_element": "result",
}
# What only the bank knows, with an example; a line that is a comment until somebody fills it in.
_ONLY_THE_BANK = {
    "endpoint": '"https://…/wsBlokIzmenjava.asmx"   # ask AJPES',
    "username": '"…"                        # from AJPES',
    "password": '"file:keys/soap-password"  # where it lies, never the password itself',
    "client_certificate": '"keys/client.pem"   # PEM: the certificate, then its chain',
    "client_key": '"keys/client.key"',
    "server_ca": '"keys/ajpes-ca.pem"       # the only issuer that is trusted for the server',
}
_DEFAULT_IDENT = '["{registration_number}", "{username}", "{password}"]'
_FORMS = {
    DocumentForm.NODURS: _("as the element Nodurs"),
    DocumentForm.CONTENT: _("with what Nodurs holds directly in it"),
    DocumentForm.TEXT: _("as text, with < and & escaped"),
    DocumentForm.CDATA: _("as text in CDATA"),
    DocumentForm.BASE64: _("in Base64"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings for a WSDL. `open_points` are what it leaves open, or what looks doubtful, each a sentence."""

    settings: dict[str, Any]
    found: tuple[Message, ...]
    open_points: tuple[Message, ...]
    needed_parameters: tuple[str, ...]

    def block(self) -> str:
        """The section of `ajpes.toml`: what is known, and as comments what only the bank knows."""
        lines = ["[soap]"]
        parameters = self.settings.get("parameters") or {}
        lines += [f"{name} = {_toml(each)}" for name, each in self.settings.items() if name != "parameters"]
        lines += [
            f"# {name} = {example}" for name, example in _ONLY_THE_BANK.items() if name not in self.settings
        ]
        if "ident" not in self.settings:
            lines.append(f"# ident = {_DEFAULT_IDENT}  # as agreed with AJPES")
        if parameters or self.needed_parameters:
            lines += ["", "[soap.parameters]"]
            lines += [f"{_key(name)} = {_toml(each)}" for name, each in parameters.items()]
            lines += [f'# {_key(name)} = "…"  # ask AJPES' for name in self.needed_parameters]
        return "\n".join(lines)


def describe_interface(interface: Interface) -> Iterator[Message]:
    """Describes the services, ports and operations of a WSDL in sentences."""
    ports: dict[tuple[str, str], list[Call]] = {}
    for call in interface.calls:
        ports.setdefault((call.service, call.port), []).append(call)
    for (service, port), calls in ports.items():
        said = {
            "service": service or _("without a name"),
            "port": port or _("without a name"),
            "version": calls[0].version,
            "operations": [call.operation for call in calls],
        }
        if address := calls[0].address:
            yield _(
                "Service {service}, port {port}: SOAP {version} at {address}, with {operations}.",
                address=address,
                **said,
            )
        else:
            yield _("Service {service}, port {port}: SOAP {version}, with {operations}.", **said)
    if interface.others:
        yield _("Ports that are not SOAP over HTTP are left aside: {ports}.", ports=list(interface.others))


def propose(wsdl: Path, interface: Interface, setting: str, kept: Mapping[str, Any]) -> Proposal:
    """The settings for this WSDL, whose path is to stand as `setting`; `kept` is what is set already.

    Raises `ConfigurationError` if no message can be made from it, saying why and what to do.
    """
    names, dropped = _names_kept(wsdl, interface, kept)
    call = choose_call(interface, names, wsdl.name)
    shape = shape_of(call, names, wsdl.name)
    endpoint, doubts = _endpoint(call, kept)
    ours = {name: each for name, each in kept.items() if name not in ("wsdl", *dropped, *_SHAPE_SETTINGS)}
    shaping = {name: each for name, each in kept.items() if name in _SHAPE_SETTINGS and name not in dropped}
    read = _shape_settings(interface, shape, names)
    settings = {**endpoint, **ours, "wsdl": setting, **read, **shaping, **_kept_ident(kept)}
    needed = _needed_parameters(
        shape, names, settings.get("ident", [each.name for each in shape.ident.slots])
    )
    if shape.ident.form is IdentForm.NONE and (ours := _ours_to_fill(needed)):
        settings["parameters"] = {**settings.get("parameters", {}), **ours}
        needed = tuple(name for name in needed if name not in ours)
    points = [
        *doubts,
        *_dropped(dropped, kept),
        *_other_addresses(interface, call, settings),
        *_open_points(shape, settings, needed),
        *(
            _("The WSDL speaks of {demand}, which is not sent; ask AJPES whether it must be.", demand=each)
            for each in interface.demands
        ),
    ]
    return Proposal(settings, tuple(_described(shape)), tuple(points), needed)


def _kept_ident(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in kept.items() if name == "ident"}


def _names_kept(
    wsdl: Path, interface: Interface, kept: Mapping[str, Any]
) -> tuple[SoapNames, tuple[str, ...]]:
    """Returns the names that the settings have already, all of them, or none if one does not fit the WSDL."""
    shaping = {name: each for name, each in kept.items() if name in _SHAPE_SETTINGS}
    names = SoapNames(**{_SHAPE_SETTINGS[name]: each for name, each in shaping.items()})
    try:
        shape_of(choose_call(interface, names, wsdl.name), names, wsdl.name)
    except ConfigurationError:
        plain = SoapNames(parameters=names.parameters, ident_separator=names.ident_separator)
        plain = replace(plain, operation=_likely_operation(interface, plain, wsdl))
        return plain, tuple(name for name in shaping if name not in ("parameters", "ident_separator"))
    return names, ()


def _likely_operation(interface: Interface, names: SoapNames, wsdl: Path) -> str:
    """By its parts, where none is called as AJPES calls it: the only one that can take a document."""
    try:
        choose_call(interface, names, wsdl.name)
    except ConfigurationError:
        able = {call.operation for call in interface.calls if _can_take(call, names, wsdl)}
        return able.pop() if len(able) == 1 else ""
    return ""


def _can_take(call: Call, names: SoapNames, wsdl: Path) -> bool:
    try:
        shape_of(call, names, wsdl.name)
    except ConfigurationError:
        return False
    return not call.trouble


def _shape_settings(interface: Interface, shape: CallShape, names: SoapNames) -> dict[str, Any]:
    call, document, ident = shape.call, shape.document, shape.ident
    of_version = {each.port for each in interface.calls if each.version == call.version}
    found: dict[str, Any] = {"version": call.version}
    if len(of_version) > 1:
        found["port"] = call.port
    namespace = message_namespace(call)
    if namespace and call.body[0] is not document.root:
        found["target_namespace"] = namespace
    found["operation"] = call.operation
    if shape.action:
        found["soap_action"] = shape.action
    found |= {"document_element": names.blok or _document_name(shape), "document_form": str(document.form)}
    if ident.holder is not None:
        found["ident_element"] = ident.holder.name
    found["ident_form"] = str(ident.form)
    if ident.form is IdentForm.ARRAY:
        found["ident_item"] = ident.slots[0].name
    if ident.form is IdentForm.FIELDS and (entries := _entries_for(ident.slots)):
        found["ident"] = entries
    found["result_element"] = shape.result
    return found


def _document_name(shape: CallShape) -> str:
    path = (*shape.document.path, shape.document.element)
    return next(
        (each.name for each in path if each.name.lower() == DOCUMENT.lower()), shape.document.element.name
    )


def _entries_for(slots: tuple[Field, ...]) -> list[str]:
    """The entries of Ident, if the names of the fields tell what belongs there."""
    roles = [role_of(each.name) for each in slots]
    known = [role for role in roles if role]
    return [f"{{{role}}}" for role in known] if known and len(set(known)) == len(known) else []


def _needed_parameters(shape: CallShape, names: SoapNames, ident: Sequence[str]) -> tuple[str, ...]:
    """Further elements and attributes that must be there, and that no setting gives."""
    roles = tuple(map(entry_role, ident))
    return tuple(needed_parameters(shape, replace(names, roles=roles), tuple(ident)))


# --- where it is ---


def _endpoint(call: Call, kept: Mapping[str, Any]) -> tuple[dict[str, str], list[Message]]:
    if set_already := kept.get("endpoint"):
        differs = call.address and call.address != set_already
        told = _(
            "The WSDL gives the address {address}; soap.endpoint stays as it is set.", address=call.address
        )
        return {}, [told] if differs else []
    if not call.address:
        return {}, [_("The WSDL gives no address; ask AJPES for it and set soap.endpoint.")]
    parts = urlsplit(call.address)
    doubts = []
    if parts.scheme != "https":
        doubts.append(
            _(
                "The address in the WSDL, {address}, is not https; the block has it with https. "
                "Ask AJPES for the right one.",
                address=call.address,
            )
        )
    if _is_internal(parts.hostname or ""):
        doubts.append(
            _(
                "The address in the WSDL is an internal one ({host}); ask AJPES for the right one.",
                host=parts.hostname,
            )
        )
    if not parts.hostname:
        return {}, [
            _(
                "The address in the WSDL, {address}, is none; ask AJPES and set soap.endpoint.",
                address=call.address,
            )
        ]
    return {"endpoint": urlunsplit(parts._replace(scheme="https"))}, doubts


def _other_addresses(interface: Interface, call: Call, settings: Mapping[str, Any]) -> Iterator[Message]:
    """A test service and the real one may stand in one WSDL."""
    hosts = dict.fromkeys(
        host
        for each in interface.calls
        if each.operation == call.operation and (host := urlsplit(each.address).hostname)
    )
    if len(hosts) > 1 and "endpoint" in settings:
        yield (
            _(
                "The WSDL names several hosts: {hosts}; soap.endpoint is at {host}. Ask AJPES "
                "which one is for tests, and which for real reports.",
                hosts=list(hosts),
                host=urlsplit(settings["endpoint"]).hostname or "",
            )
        )


def _is_internal(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))


# --- words ---


def _described(shape: CallShape) -> Iterator[Message]:
    call = shape.call
    yield _(
        "Operation: {operation}, {style}/literal, SOAP {version}, {action}.",
        operation=call.operation,
        style=call.style,
        version=call.version,
        action=_("SOAPAction {action}", action=shape.action) if shape.action else _("an empty SOAPAction"),
    )
    yield _("Report: {place}.", place=_document_words(shape))
    yield _("Ident: {place}.", place=_ident_words(shape))
    yield _("Result: {place}.", place=_result_words(shape))
    if call.operation.lower() != OPERATION.lower():
        yield _(
            "The operation is not called {usual}; {operation} is the one that can take a report.",
            usual=OPERATION,
            operation=call.operation,
        )


def _document_words(shape: CallShape) -> Message:
    document = shape.document
    element = document.element
    if element.namespace:
        namespace = _("in the namespace {namespace}", namespace=element.namespace)
    else:
        namespace = _("in no namespace")
    named = {"element": element.name, "namespace": namespace}
    if document.root is None or document.form is not DocumentForm.NODURS:
        place = _("in {element} ({namespace}), {form}", form=_FORMS[document.form], **named)
    elif document.path:
        place = _(
            "as the element {element} ({namespace}) in {holder}", holder=document.path[-1].name, **named
        )
    else:
        place = _("as the element {element} ({namespace})", **named)
    if document.is_typed:
        return _(
            "{place}; the WSDL declares all of it, and its elements get the namespaces that it says",
            place=place,
        )
    return place


def _ident_words(shape: CallShape) -> Message:
    ident = shape.ident
    if ident.form is IdentForm.NONE:
        return _("the operation has no place that is meant for it")
    if ident.holder is None:
        return _(
            "no element of that name, but fields beside the report: {fields}", fields=_names(ident.slots)
        )
    holder: str = ident.holder.name
    if ident.in_header:
        holder = _("{element} in the SOAP header", element=holder)
    if ident.form is IdentForm.ARRAY:
        return _("{holder}, one element {item} for each entry", holder=holder, item=ident.slots[0].name)
    if ident.form is IdentForm.REPEATED:
        return _("{holder}, once for each entry", holder=holder)
    if ident.form is IdentForm.TEXT:
        return _("{holder}, one text for all entries", holder=holder)
    return _("{holder}, with the fields {fields}", holder=holder, fields=_names(ident.slots))


def _result_words(shape: CallShape) -> Message:
    element = next((each for part in shape.call.reply for each in _named(part, shape.result)), None)
    if element is None:
        return _("{element}, of which the WSDL says no more", element=shape.result)
    if element.kind is Kind.TEXT:
        return _("{element}, a text that holds the answer", element=shape.result)
    if element.kind is Kind.ELEMENTS and element.children:
        return _(
            "{element}, an answer with the elements {children}",
            element=shape.result,
            children=_names(element.children),
        )
    if element.kind in (Kind.ELEMENTS, Kind.ANYTHING):
        return _("{element}, with the answer as XML in it", element=shape.result)
    return _(
        "{element}, which holds {kind}: ask AJPES what an answer looks like",
        element=shape.result,
        kind=element.kind.told,
    )


def _named(element: Field, name: str) -> Iterator[Field]:
    if element.name == name:
        yield element
    for each in element.children:
        yield from _named(each, name)


def _ours_to_fill(needed: Sequence[str]) -> dict[str, str]:
    """Returns the fields for our identity that a WSDL has outside of any Ident, each once."""
    known = {name: role for name in needed if (role := role_of(name))}
    return {name: f"{{{role}}}" for name, role in known.items() if [*known.values()].count(role) == 1}


def _without_ident(shape: CallShape, settings: Mapping[str, Any]) -> Iterator[Message]:
    parameters = settings.get("parameters", {})
    if "{password}" in parameters.values():
        names = [name for name, text in parameters.items() if text.startswith("{")]
        yield _(
            "The block fills {fields} by their names (soap.parameters); ask AJPES whether that is right.",
            fields=names,
        )
        return
    beside = [each.name for each in texts_beside(shape.call, shape.document) if each.name not in parameters]
    if beside and settings.get("authentication") != "basic":
        yield (
            _(
                "Beside the report the WSDL takes {fields}; ask AJPES whether user name and "
                "password belong there, and set soap.ident_element then.",
                fields=beside,
            )
        )
    elif settings.get("authentication") != "basic":
        yield (
            _(
                "Ask AJPES whether user name and password are wanted at all; if so, probably by "
                'HTTP Basic (soap.authentication = "basic").'
            )
        )


def _open_points(shape: CallShape, settings: Mapping[str, Any], needed: tuple[str, ...]) -> Iterator[Message]:
    ident = shape.ident
    if ident.form is IdentForm.NONE:
        yield from _without_ident(shape, settings)
    if ident.form is IdentForm.TEXT and "ident_separator" not in settings:
        yield _('Ask AJPES what stands between the entries of Ident (soap.ident_separator, now ";").')
    if ident.form is IdentForm.FIELDS and "ident" not in settings:
        yield _(
            "Ask AJPES what belongs into {fields}, and list it in soap.ident in that order.",
            fields=_names(ident.slots),
        )
    elif ident.form is not IdentForm.NONE and "ident" not in settings:
        yield _("Ask AJPES which entries Ident has, in which order (soap.ident).")
    for name in needed:
        yield _(
            "The WSDL wants {name} in the message; ask AJPES what belongs there (soap.parameters).", name=name
        )
    for header in shape.call.headers:
        if header is not ident.holder:
            yield (
                _(
                    "The SOAP header {header} is not sent; ask AJPES whether it is needed, and set "
                    "soap.ident_element if the entries of Ident belong there.",
                    header=header.name,
                )
            )


def _dropped(names: tuple[str, ...], kept: Mapping[str, Any]) -> Iterator[Message]:
    for name in names:
        yield _(
            "{setting} does not fit this WSDL, and is left out.", setting=f"soap.{name} = {_toml(kept[name])}"
        )


def _names(fields: tuple[Field, ...]) -> list[str]:
    return [each.name for each in fields]


# --- TOML ---


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(name)} = {_toml(each)}' for name, each in value.items())} }}"
    if isinstance(value, date):
        return value.isoformat()
    # TOML escapes as JSON does, and one character more.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "a").replace("-", "a").isalnum() else _toml(name)
