"""Errors of XML parsers and of schema validation, told in Slovene as the authority tells everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers.expat import errors

from lxml.etree import ErrorTypes

if TYPE_CHECKING:
    from xml.parsers.expat import ExpatError

    from lxml.etree import XMLSyntaxError, _LogEntry

_NOT_WELL_FORMED = "dokument ni pravilno oblikovan"
_BY_EXPAT = {
    errors.XML_ERROR_SYNTAX: "skladnja je napačna",
    errors.XML_ERROR_NO_ELEMENTS: "dokument se konča pred koncem korenskega elementa",
    errors.XML_ERROR_INVALID_TOKEN: "znak na tem mestu ni dovoljen",
    errors.XML_ERROR_UNCLOSED_TOKEN: "oznaka ni zaključena",
    errors.XML_ERROR_PARTIAL_CHAR: "znak ni zapisan v celoti",
    errors.XML_ERROR_TAG_MISMATCH: "začetna in končna oznaka se ne ujemata",
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "atribut se v elementu ponovi",
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "za koncem korenskega elementa je še vsebina",
    errors.XML_ERROR_UNDEFINED_ENTITY: "entiteta ni določena",
    errors.XML_ERROR_BAD_CHAR_REF: "sklic na znak ni veljaven",
    errors.XML_ERROR_MISPLACED_XML_PI: "deklaracija XML ni na začetku dokumenta",
    errors.XML_ERROR_UNKNOWN_ENCODING: "kodiranje znakov ni znano",
    errors.XML_ERROR_INCORRECT_ENCODING: "navedeno kodiranje znakov ni pravo",
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: "razdelek CDATA ni zaključen",
    errors.XML_ERROR_UNBOUND_PREFIX: "predpona imenskega prostora ni določena",
    errors.XML_ERROR_XML_DECL: "deklaracija XML ni pravilna",
}
_BY_LIBXML2: dict[int, str] = {
    ErrorTypes.ERR_ATTRIBUTE_REDEFINED: _BY_EXPAT[errors.XML_ERROR_DUPLICATE_ATTRIBUTE],
    ErrorTypes.ERR_RESOURCE_LIMIT: "elementi so gnezdeni pregloboko ali pa je kateri predolg",
    ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: _BY_EXPAT[errors.XML_ERROR_UNBOUND_PREFIX],
}

_WHERE = re.compile(
    r"Element '(?P<element>[^']*)'(?:, attribute '(?P<attribute>[^']*)')?: (?P<what>.*)", re.S
)
_NAMESPACE = re.compile(r"\{(?:http|urn):[^{}]*\}")
# What libxml2 says of a place in a document, and the same in Slovene; `subject` is a masculine noun.
_BY_SCHEMA = [
    (re.compile(pattern, re.S), slovene)
    for pattern, slovene in (
        (r"The attribute '(.*)' is required but missing\.", "v elementu {element} manjka podatek {0}"),
        (r"The attribute '(.*)' is not allowed\.", "podatek {0} v elementu {element} ni dovoljen"),
        (
            r"This element is not expected\. Expected is \( (.*) \)\.",
            "element {element} tu ni pričakovan, pričakovan je {0}",
        ),
        (
            r"This element is not expected\. Expected is one of \( (.*) \)\.",
            "element {element} tu ni pričakovan, pričakovan je eden od naslednjih: {0}",
        ),
        (r"This element is not expected\.", "element {element} tu ni pričakovan"),
        (
            r"Missing child element\(s\)\. Expected is \( (.*) \)\.",
            "v elementu {element} manjka podrejeni element {0}",
        ),
        (
            r"Missing child element\(s\)\. Expected is one of \( (.*) \)\.",
            "v elementu {element} manjka eden od podrejenih elementov: {0}",
        ),
        (
            r"\[facet 'pattern'\] The value '(.*)' is not accepted by the pattern '(.*)'\.",
            "{subject} ima vrednost »{0}«, ki ne ustreza vzorcu {1}",
        ),
        (
            r"\[facet 'maxLength'\] .* has a length of '(\d+)'; .* maximum length of '(\d+)'\.",
            "{subject} je predolg (dolžina {0}, največ {1})",
        ),
        (
            r"\[facet 'minLength'\] .* has a length of '(\d+)'; .* minimum length of '(\d+)'\.",
            "{subject} je prekratek (dolžina {0}, najmanj {1})",
        ),
        (
            r"(?:\[facet '[^']*'\] )?The value '(.*)' is not an element of the set \{(.*)\}\.",
            "{subject} ima vrednost »{0}«, dovoljene pa so samo {1}",
        ),
        (
            r"'(.*)' is not a valid value of the (?:local )?(?:atomic|union|list) type '(.*)'\.",
            "{subject} ima vrednost »{0}«, ki ni veljavna za tip {1}",
        ),
        (
            r"'(.*)' is not a valid value of the local (?:atomic|union|list) type\.",
            "{subject} ima vrednost »{0}«, ki zanj ni veljavna",
        ),
        (r"\[facet '[^']*'\] The value '(.*?)' .*", "{subject} ima vrednost »{0}«, ki ni dovoljena"),
        (r"Character content .*", "element {element} vsebuje besedilo, ki v njem ni dovoljeno"),
        (r"Element content .*", "element {element} vsebuje element, ki v njem ni dovoljen"),
        (
            r"No matching global declaration available for the validation root\.",
            "korenski element je {element}, ki ga shema ne pozna",
        ),
        (r"No matching global element declaration .*", "elementa {element} shema ne pozna"),
    )
]


def expat_error(error: ExpatError) -> str:
    """Return a clause about a document that expat cannot read, with the place, counted from 1."""
    what = _BY_EXPAT.get(errors.messages[error.code], _NOT_WELL_FORMED)
    return f"{what} (vrstica {error.lineno}, stolpec {error.offset + 1})"


def libxml2_error(error: XMLSyntaxError) -> str:
    """Return a clause about a document that libxml2 cannot read, with the place, counted from 1."""
    line, column = error.position
    return f"{_BY_LIBXML2.get(error.code, _NOT_WELL_FORMED)} (vrstica {line}, stolpec {column})"


def schema_error(entry: _LogEntry) -> str:
    """Return a clause about one breach of a schema; names stand there without their namespace."""
    found = _WHERE.fullmatch(entry.message)
    if found is None:
        return f"vsebina v vrstici {entry.line} ni skladna s shemo"
    element, attribute = (_NAMESPACE.sub("", name or "") for name in found.group("element", "attribute"))
    subject = f"podatek {element}/{attribute}" if attribute else f"element {element}"
    for pattern, slovene in _BY_SCHEMA:
        if said := pattern.fullmatch(found["what"]):
            values = (_NAMESPACE.sub("", value) for value in said.groups())
            return slovene.format(*values, element=element, subject=subject)
    return f"{subject} ni skladen s shemo"
