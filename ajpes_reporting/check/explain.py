"""Where a file breaks its schema, in words a clerk can use.

The fast validator says that something is wrong, and streaming it does not know the line. This
second, slower pass names the record. It is the exception, so it may take its time: the children
of the root are taken one by one, and only those that are wrong are handed to xmlschema, which
explains well and validates slowly.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from lxml import etree

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.rules import record_name
from ajpes_reporting.xmlread import Element, attributes, forget, load_schema, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xmlschema

_MOST = 100
_WITH_CHILD = 2
_NAMESPACE = re.compile(r"\{[^{}]*:[^{}]*\}")  # {http://…}, and not the {7} of a pattern
_LONGEST = 300


def explain(path: Path, schema_path: Path, verdict: str) -> Iterator[Finding]:
    """Findings for the places where `path` breaks the schema, at most a hundred.

    `verdict` is what the fast validator said; it is given out if nothing more can be said.
    Raises `UnreadableXml` if the file is not even XML further on.
    """
    import xmlschema  # slow to load, and needed only when something is wrong

    found = 0
    fast = load_schema(schema_path)
    schema = xmlschema.XMLSchema(str(schema_path), allow="sandbox", defuse="always")
    for document in _one_child_at_a_time(path):
        if fast.validate(document):
            continue
        for finding in _explained(document, schema) or _terse(document, fast.error_log):
            yield finding
            found += 1
            if found >= _MOST:
                return
        if len(document) < _WITH_CHILD:
            return  # the head is wrong, and it stands in all the documents that would follow
    if not found:
        yield _plain(_readable(verdict))


def _explained(document: Element, schema: xmlschema.XMLSchema) -> list[Finding]:
    from xmlschema import XMLResource

    resource: Any = document  # an lxml element, which xmlschema takes without saying so in its types
    errors = schema.iter_errors(XMLResource(resource, allow="none"))
    return [_finding(error) for error in islice(errors, _MOST)]


def _terse(document: Element, log: etree._ListErrorLog) -> list[Finding]:
    """For what only the fast validator minds, such as blanks around a time: its words, and the record."""
    findings = []
    for entry in log:
        found: Any = document.getroottree().xpath(entry.path) if entry.path else [document]
        finding = _plain(_readable(entry.message))
        findings.append(replace(finding, record=_record(found[0]), field=local_name(found[0])))
    return findings


def _one_child_at_a_time(path: Path) -> Iterator[Element]:
    """Small documents: the root with its `Ident`, then the same with one other child each."""
    root: Element | None = None
    ident: Element | None = None
    for event, element in stream(path, ("start", "end")):
        if root is None:
            root = element
        elif event == "end" and element.getparent() is root:
            if ident is None:
                ident = deepcopy(element)
                yield _document(root, ident)
            else:
                yield _document(root, deepcopy(ident), deepcopy(element))
            forget(element)
    if root is not None and ident is None:
        yield _document(root)


def _document(root: Element, *children: Element) -> Element:
    document = etree.Element(root.tag, attributes(root), root.nsmap)
    document.extend(children)
    return document


def _finding(error: xmlschema.XMLSchemaValidationError) -> Finding:
    element: Any = error.elem if error.elem is not None else error.obj
    name = local_name(element) if hasattr(element, "tag") else ""
    attribute = _attribute_of(error)
    return Finding(
        severity=Severity.ERROR,
        record=_record(element) if hasattr(element, "getparent") else "the whole file",
        field=attribute or name,
        rule="schema",
        message=_reason(error),
        remedy="correct it where the file is made",
        location=f"{name}/{attribute}" if attribute else name,
        line=getattr(element, "sourceline", None),
    )


def _record(element: Any) -> str:
    """What an operator calls the record the element belongs to."""
    while element is not None:
        parent = element.getparent()
        match local_name(element):
            case "No":
                return record_name(parent.get("id", ""), element.get("id", ""))
            case "Blok":
                return record_name(element.get("id", ""))
            case "Tr" | "Pi":
                return f"account {record_name(element.get('rn', ''))}"
            case "Dolznik":
                return f"debtor {record_name(element.get('davcna', ''))}"
            case "Napaka":
                return _answered_record(element)
            case "Ident":
                return "the head of the file"
        element = parent
    return "the whole file"


def _answered_record(row: Any) -> str:
    """What a row of an answer is about."""
    if row.get("racun"):
        return f"the row about account {record_name(row.get('racun'))}"
    if row.get("blokId"):
        return f"the row about {record_name(row.get('blokId'), row.get('dogId'))}"
    return "a row about no record"


def _attribute_of(error: xmlschema.XMLSchemaValidationError) -> str:
    reason = error.reason or ""
    if reason.startswith("attribute "):
        return reason.split("=")[0].removeprefix("attribute ").strip("'\" ")
    if "missing required attribute" in reason:
        return reason.split("'")[1] if "'" in reason else ""
    return ""


def _reason(error: xmlschema.XMLSchemaValidationError) -> str:
    return _readable(error.reason or str(error))


def _readable(text: str) -> str:
    """On one line, without namespaces, and without a value of a million characters."""
    plain = _NAMESPACE.sub("", " ".join(text[: _LONGEST * 10].split()))
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def _plain(verdict: str) -> Finding:
    return Finding(
        Severity.ERROR, "the whole file", "", "schema", verdict, "correct it where the file is made"
    )
