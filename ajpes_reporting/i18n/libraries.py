"""The words of libraries that read files for us: English, whatever language a person reads.

What is met often is told in our own words; the rest is quoted, so that it can be looked up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ajpes_reporting.i18n.message import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable

    Table = tuple[tuple[str, Callable[[re.Match[str]], Message]], ...]


def xml_reason(said: str) -> Message:
    """Returns in our words what libxml2 says of a file that is not XML, with the place if it names one."""
    return _with_place(_XML, _XML_PLACE, said)


def schema_reason(said: str) -> Message:
    """Returns in our words what xmlschema, or libxml2, says of a part that breaks its schema."""
    return _told(_SCHEMA, said)


def csv_reason(said: str) -> Message:
    """Returns in our words what Python's reader of CSV says of a file that is none."""
    return _told(_CSV, said)


def toml_reason(said: str) -> Message:
    """Returns in our words what tomllib says of settings that are not TOML, with the line."""
    what, at_end, _rest = said.partition(" (at end of document)")
    if at_end:
        return _("{what} (at the end of the file)", what=_told(_TOML, what))
    return _with_place(_TOML, _TOML_PLACE, said)


def _with_place(table: Table, place: re.Pattern[str], said: str) -> Message:
    found = place.fullmatch(said)
    if found is None:
        return _told(table, said)
    what = _told(table, found[1])
    return _("{what} (line {line}, column {column})", what=what, line=int(found[2]), column=int(found[3]))


def _told(table: Table, said: str) -> Message:
    for pattern, tell in table:
        if found := re.fullmatch(pattern, said):
            return tell(found)
    return Message("{said:quoted}", {"said": said})


_XML_PLACE = re.compile(r"(.*), line ([0-9]{1,9}), column ([0-9]{1,9})(?: \(.*\))?", re.DOTALL)
_TOML_PLACE = re.compile(r"(.*) \(at line ([0-9]{1,9}), column ([0-9]{1,9})\)", re.DOTALL)

_XML: Table = (
    (r"Document is empty", lambda _found: _("there is nothing in it")),
    (r"Start tag expected, '<' not found", lambda _found: _("its text begins without a tag")),
    (r"StartTag: invalid element name", lambda _found: _("a tag has no valid name")),
    (
        r"Premature end of data in tag (\S+)(?: line ([0-9]+))?",
        lambda found: _("the end is missing, and with it the end of element {name}", name=found[1]),
    ),
    (
        r"Opening and ending tag mismatch: (\S+) line ([0-9]+) and (\S+)",
        lambda found: _(
            "element {name}, which begins in line {line}, ends as {other}",
            name=found[1],
            line=int(found[2]),
            other=found[3],
        ),
    ),
    (
        r"Couldn't find end of Start Tag (\S+)(?: line [0-9]+)?",
        lambda found: _("the tag of element {name} has no end", name=found[1]),
    ),
    (r"Extra content at the end of the document", lambda _found: _("something follows after the end")),
    (
        r"xmlParseEntityRef: no name|EntityRef: expecting ';'",
        lambda _found: _("an ampersand stands alone; it is written as &amp;"),
    ),
    (r"Entity '(.*)' not defined", lambda found: _("nobody says what &{name}; means", name=found[1])),
    (r"AttValue: .* expected", lambda _found: _("the value of an attribute has no quotation marks")),
    (r"Unescaped '<' not allowed in attributes values", lambda _found: _("a < stands in an attribute")),
    (r"attributes construct error", lambda _found: _("the attributes of a tag are not well written")),
    (r"Attribute (\S+) redefined", lambda found: _("attribute {name} stands in a tag twice", name=found[1])),
    (
        r"Namespace prefix (\S+)(?: for \S+)? on (\S+) is not defined",
        lambda found: _(
            "nobody says what the prefix {prefix} of {name} means", prefix=found[1], name=found[2]
        ),
    ),
    (
        r"(?:PCDATA|CharData|AttValue).*invalid.*[Cc]har.*",
        lambda _found: _("it holds a character that XML forbids"),
    ),
    (
        r"Input is not proper UTF-8, indicate encoding !.*|Invalid bytes in character encoding",
        lambda _found: _("its bytes are not UTF-8, and it names no other encoding"),
    ),
    (
        r"XML or text declaration not at start of entity|XML declaration allowed only at the start.*",
        lambda _found: _("something stands before the XML declaration"),
    ),
    (
        r"[Uu]nsupported encoding:? ?(.+)",
        lambda found: _("its encoding {name:quoted} is not known here", name=found[1]),
    ),
)

_SCHEMA: Table = (
    (
        r"attribute (\S+)='(.*)': value doesn't match any pattern of \['(.*)'\]",
        lambda found: _(
            "{name} is {value:quoted}, which does not have the form {form}",
            name=found[1],
            value=found[2],
            form=found[3],
        ),
    ),
    (
        r"attribute (\S+)='(.*)': value must be one of \[(.*)\]",
        lambda found: _(
            "{name} is {value:quoted}, and must be one of {allowed}",
            name=found[1],
            value=found[2],
            allowed=found[3],
        ),
    ),
    (
        r"attribute (\S+)='(.*)': .*",
        lambda found: _(
            "{name} is {value:quoted}, which is no valid value here", name=found[1], value=found[2]
        ),
    ),
    (r"missing required attribute '(.*)'", lambda found: _("{name} is missing", name=found[1])),
    (
        r"'(.*)' attribute not allowed for element",
        lambda found: _("attribute {name} has no place here", name=found[1]),
    ),
    (
        r"Unexpected child with tag '(.*)' at position [0-9]+\.(?: Tag '(.*)' expected\.)",
        lambda found: _("element {name} stands where {other} must be", name=found[1], other=found[2]),
    ),
    (
        r"Unexpected child with tag '(.*)' at position [0-9]+\.",
        lambda found: _("element {name} has no place here", name=found[1]),
    ),
    (
        r"The content of element '.*' is not complete\. Tag '(.*)' expected\."
        r"|Element '.*': Missing child element\(s\)\. Expected is \( (\S+) \)\.",
        lambda found: _("element {name} is missing", name=found[1] or found[2]),
    ),
    (
        r"Element '(.*)': This element is not expected\. Expected is \( (\S+) \)\.",
        lambda found: _("element {name} stands where {other} must be", name=found[1], other=found[2]),
    ),
    (
        r"Element '(.*)': This element is not expected\.",
        lambda found: _("element {name} has no place here", name=found[1]),
    ),
    (
        r"Element '.*': The attribute '(.*)' is required but missing\.",
        lambda found: _("{name} is missing", name=found[1]),
    ),
    (
        r"Element '.*', attribute '(.*)': The attribute '.*' is not allowed\.",
        lambda found: _("attribute {name} has no place here", name=found[1]),
    ),
    (
        r"Element '.*', attribute '(.*)': (?:\[facet '.*'\] The value )?'(.*)' is not .*",
        lambda found: _(
            "{name} is {value:quoted}, which is no valid value here", name=found[1], value=found[2]
        ),
    ),
)

_CSV: Table = (
    (r"'(.)' expected after '\"'", lambda _found: _("a value goes on after its closing quotation mark")),
    (r"unexpected end of data", lambda _found: _("a quotation mark is not closed")),
)

_TOML: Table = (
    (r"Expected '=' after a key in a key/value pair", lambda _found: _("after a name there must be =")),
    (
        r"Invalid value|Invalid literal.*",
        lambda _found: _("the value is not well written; texts stand in quotation marks"),
    ),
    (r"Invalid statement", lambda _found: _("this is neither a section nor a setting")),
    (
        r"Expected newline or end of document after a statement",
        lambda _found: _("something follows after the value"),
    ),
    (
        r"Unterminated string|Illegal character '\\n'",
        lambda _found: _("the closing quotation mark is missing"),
    ),
    (r"Cannot overwrite a value", lambda _found: _("this setting stands there twice")),
    (
        r"Cannot declare \((.*?),?\) twice",
        lambda found: _("section {name} stands there twice", name=found[1]),
    ),
    (r"Unclosed array", lambda _found: _("the closing bracket ] is missing")),
    (
        r"Expected '\]' at the end of a table declaration",
        lambda _found: _("the closing bracket ] is missing"),
    ),
    (r"Unescaped '\\\\' in a string", lambda _found: _("a backslash stands alone; it is written as \\\\")),
)
