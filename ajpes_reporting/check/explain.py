"""Where a file breaks its schema, in words a clerk can use.

The fast validator says that something is wrong, and streaming it does not know the line. This
second, slower pass names the record. It is the exception, so it may take its time: the children
of the root are taken one by one, and only those that are wrong are handed to xmlschema, which
explains well and validates slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import xmlschema
from lxml import etree

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.xmlread import Element, attributes, forget, load_schema, local_name, stream

_MOST = 100
_WITH_CHILD = 2
_NAMESPACE = re.compile(r"\{[^}]*\}")


def explain(path: Path, schema_path: Path, verdict: str) -> Iterator[Finding]:
    """Findings for the places where `path` breaks the schema, at most a hundred.

    `verdict` is what the fast validator said; it is given out if nothing more can be said.
    Raises `UnreadableXml` if the file is not even XML further on.
    """
    found = 0
    fast = load_schema(schema_path)
    schema = xmlschema.XMLSchema(str(schema_path), allow="sandbox", defuse="always")
    for document in _one_child_at_a_time(path):
        if fast.validate(document):
            continue
        resource: Any = document  # an lxml element, which xmlschema takes without saying so in its types
        for error in schema.iter_errors(xmlschema.XMLResource(resource, allow="none")):
            yield _finding(error)
            found += 1
            if found >= _MOST:
                return
        if len(document) < _WITH_CHILD:
            return  # the head is wrong, and it stands in all the documents that would follow
    if not found:
        yield _plain(_NAMESPACE.sub("", verdict))


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
    """The obligation, event or account the element belongs to."""
    names = {"Blok": "", "No": "event ", "Pi": "account ", "Dolznik": "debtor ", "Tr": "account "}
    parts: dict[str, str] = {}
    while element is not None:
        kind = local_name(element)
        if kind in names:
            key = element.get("id") or element.get("rn") or element.get("davcna") or "without a key"
            parts[kind] = names[kind] + key
        element = element.getparent()
    for wanted in (("Blok", "No"), ("Tr",), ("Dolznik",), ("Pi",)):
        shown = [parts[kind] for kind in wanted if kind in parts]
        if shown:
            return " / ".join(shown)
    return "the head of the file"


def _attribute_of(error: xmlschema.XMLSchemaValidationError) -> str:
    reason = error.reason or ""
    if reason.startswith("attribute "):
        return reason.split("=")[0].removeprefix("attribute ").strip("'\" ")
    if "missing required attribute" in reason:
        return reason.split("'")[1] if "'" in reason else ""
    return ""


def _reason(error: xmlschema.XMLSchemaValidationError) -> str:
    return _NAMESPACE.sub("", " ".join((error.reason or str(error)).split()))


def _plain(verdict: str) -> Finding:
    return Finding(
        Severity.ERROR, "the whole file", "", "schema", verdict, "correct it where the file is made"
    )
