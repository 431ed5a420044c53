"""Explains where a file breaks its schema, in words that a clerk can use.

The fast validator says that something is wrong, and streaming it does not know the line. This
second, slower pass names the record: from the first fault on, the children of the root are taken
one by one, and only those that are wrong are handed to xmlschema, which explains well, validates
slowly, and takes the cube of an element's attributes. So whatever a stranger may have written is
counted first; beyond all measure it is told in our own words.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from lxml import etree

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.libraries import schema_reason
from ajpes_reporting.xmlread import Element, attributes, forget, load_schema, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xmlschema

WHOLE_FILE = _("the whole file")
"""What a finding is about that no record can be named for."""

MOST_EXPLAINED = 100
"""As many places are named in one file."""

# Elements and attributes: about 3,000 events. A child of the root may be a debtor with all of a report.
_MOST_LOOKED_AT = 40_000
_LARGEST_EXPLAINED = 4_000
_MOST_ATTRIBUTES = 30  # no schema of ours knows more than nine
_IDENT_AND_CHILD = 2
_HEAD = _("the head of the file")
_NAMESPACE = re.compile(r"\{[^{}]*:[^{}]*\}")  # {http://…}, and not the {7} of a pattern
_LONGEST = 300


def explain(
    path: Path, schema_path: Path, verdict: str, *, plain: bool = False, sound: int = 0
) -> Iterator[Finding]:
    """Findings for the places where `path` breaks the schema, at most a hundred.

    `verdict` is what the fast validator said, which had found so many children of the root `sound`; it is
    given out if nothing more can be said. `plain` as for `xmlread.stream`.
    Raises `UnreadableXml` if the file is not even XML further on.
    """
    fast = load_schema(schema_path)
    explained_size = 0
    found = 0
    for part in _parts(path, schema_path, plain, sound):
        if isinstance(part, Finding):
            yield part
            return
        if _is_valid(part.document, fast):
            continue
        explained_size += part.size
        slow = explained_size <= _LARGEST_EXPLAINED
        findings = _explained(part.document, schema_path) if slow else []
        for finding in findings or _terse(part.document, fast) or [plain_finding(verdict)]:
            yield finding
            found += 1
            if found >= MOST_EXPLAINED:
                return
        if len(part.document) < _IDENT_AND_CHILD:
            return  # the head is wrong, and it stands in all the documents that would follow
    if not found:
        yield plain_finding(verdict)


@dataclass(frozen=True, slots=True)
class _Part:
    """A small document: the root with its `Ident`, or with that and one other child.

    `size` counts the elements and attributes of what is new in it.
    """

    document: Element
    size: int


def _parts(path: Path, schema_path: Path, plain: bool, sound: int) -> Iterator[_Part | Finding]:
    """The parts of a file from its first fault on, as far as anybody may look.

    It ends with a finding where an element is beyond all measure.
    """
    root: Element | None = None
    ident: Element | None = None
    child: Element | None = None
    children = looked_at = size = 0
    for event, element in stream(path, ("start", "end"), plain=plain):
        is_sound = ident is not None and children < sound
        if root is None:
            root = element
        elif element.getparent() is root and event == "start":
            child, size = element, 0
        if event == "start" and not is_sound:
            if finding := _beyond_measure(element, schema_path):
                yield finding
                return
            size += 1 + len(element.attrib)
            looked_at += 1 + len(element.attrib)
            if looked_at > _MOST_LOOKED_AT:
                if child is not None and size == looked_at:
                    yield _too_much(child)
                return
        elif event == "end" and element.getparent() is root:
            if ident is None:
                ident = deepcopy(element)
                yield _Part(_document(root, ident), size)
            elif not is_sound:
                yield _Part(_document(root, deepcopy(ident), deepcopy(element)), size)
            children += 1
            forget(element)
        elif event == "end" and is_sound:
            forget(element)
    if root is not None and ident is None:
        yield _Part(_document(root), size)


def _beyond_measure(element: Element, schema_path: Path) -> Finding | None:
    """The one element that would cost as much as all others together."""
    name = _readable(local_name(element))
    if (count := len(element.attrib)) > _MOST_ATTRIBUTES:
        message = _(
            "element {name} has {count:count} attributes, its schema knows {known}",
            name=name,
            count=count,
            known=_known(name, schema_path),
        )
    elif (count := len(element.nsmap)) > _MOST_ATTRIBUTES:
        message = _("element {name} stands within {count:count} namespaces", name=name, count=count)
    else:
        return None
    return replace(plain_finding(message), record=_record(element), field=name)


def _known(name: str, schema_path: Path) -> int:
    """Returns how many attributes the schema knows for an element of this name."""
    from xmlschema import XsdElement

    elements = _slow_schema(schema_path).iter_components(XsdElement)
    known = (
        len(one.attributes) for one in elements if isinstance(one, XsdElement) and one.local_name == name
    )
    return max(known, default=0)


def _document(root: Element, *children: Element) -> Element:
    document = etree.Element(root.tag, attributes(root), root.nsmap)
    document.extend(children)
    return document


def _is_valid(document: Element, fast: etree.XMLSchema) -> bool:
    try:
        return fast.validate(document)
    except etree.LxmlError:  # it gave up, and says so only in its log
        return False


def _explained(document: Element, schema_path: Path) -> list[Finding]:
    """Returns None where xmlschema cannot explain a fault, such as an xsi:type that names no type."""
    from xmlschema import XMLResource

    resource: Any = document  # an lxml element, which xmlschema takes without saying so in its types
    try:
        errors = _slow_schema(schema_path).iter_errors(XMLResource(resource, allow="none"))
        return [_finding(error) for error in islice(errors, MOST_EXPLAINED)]
    except Exception:  # of any kind, as it was met with a stranger's values: KeyError, OverflowError
        return []


@lru_cache(maxsize=8)
def _slow_schema(path: Path) -> xmlschema.XMLSchema:
    import xmlschema  # slow to load, and needed only when something is wrong

    return xmlschema.XMLSchema(str(path), allow="sandbox", defuse="always")


def _terse(document: Element, fast: etree.XMLSchema) -> list[Finding]:
    """For what only the fast validator minds, such as blanks around a time: its words, and the record."""
    findings = []
    for entry in islice(fast.error_log, MOST_EXPLAINED):
        found: Any = document.getroottree().xpath(entry.path) if entry.path else []
        element = found[0] if found else document
        finding = plain_finding(entry.message)
        findings.append(replace(finding, record=_record(element), field=_readable(local_name(element))))
    return findings


def _finding(error: xmlschema.XMLSchemaValidationError) -> Finding:
    element: Any = error.elem if error.elem is not None else error.obj
    name = local_name(element) if hasattr(element, "tag") else ""
    attribute = _attribute_of(error)
    return Finding(
        severity=Severity.ERROR,
        record=_record(element) if hasattr(element, "getparent") else WHOLE_FILE,
        field=attribute or name,
        rule="schema",
        message=_told(error.reason or str(error)),
        remedy=_("correct it where the file is made"),
        location=f"{name}/{attribute}" if attribute else name,
        line=getattr(element, "sourceline", None),
    )


def _record(element: Any) -> Message:
    """Returns an operator's name of the record that the element belongs to."""
    while element is not None:
        parent = element.getparent()
        match local_name(element):
            case "No":
                return record_name(parent.get("id", ""), element.get("id", ""))
            case "Blok":
                return record_name(element.get("id", ""))
            case "Tr" | "Pi":
                return _("account {account}", account=record_name(element.get("rn", "")))
            case "Dolznik":
                return _("debtor {debtor}", debtor=record_name(element.get("davcna", "")))
            case "Napaka":
                return _answered_record(element)
            case "Ident":
                return _HEAD
        element = parent
    return WHOLE_FILE


def _answered_record(row: Any) -> Message:
    """Returns the name of the record that a row of an answer is about."""
    if row.get("racun"):
        return _("the row about account {account}", account=record_name(row.get("racun")))
    if row.get("blokId"):
        return _("the row about {record}", record=record_name(row.get("blokId"), row.get("dogId")))
    return _("a row about no record")


def _attribute_of(error: xmlschema.XMLSchemaValidationError) -> str:
    reason = error.reason or ""
    if reason.startswith("attribute "):
        return reason.split("=")[0].removeprefix("attribute ").strip("'\" ")
    if "missing required attribute" in reason:
        return reason.split("'")[1] if "'" in reason else ""
    return ""


def _readable(text: str) -> str:
    """On one line, without namespaces, and without a value of a million characters."""
    plain = _NAMESPACE.sub("", " ".join(text[: _LONGEST * 10].split()))
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def _too_much(child: Element) -> Finding:
    finding = plain_finding(
        _("something in it does not follow the schema; it is too long to be looked through")
    )
    return replace(finding, record=_record(child), field=_readable(local_name(child)))


def plain_finding(verdict: str) -> Finding:
    """Returns a finding with the validator's words, where nothing more can be said."""
    return Finding(
        Severity.ERROR, WHOLE_FILE, "", "schema", _told(verdict), _("correct it where the file is made")
    )


def _told(verdict: str) -> Message:
    """Words of our own as they are; those of a library, which are English, in our own or quoted, and cut."""
    return verdict if isinstance(verdict, Message) else schema_reason(_readable(verdict))
