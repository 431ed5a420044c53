"""Reading a submission as it came: a report file, or a SOAP message with a report in it.

Three passes, none of which keeps more than one obligation in memory: `outline` (is it XML at
all, where is the report), `schema_errors`, and then the records.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.parsers import expat

from lxml import etree

from .schemas import NODURS, SPAPP
from .xml_errors import expat_error, libxml2_error, schema_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

_BLOCK = 1 << 20
_REPORTS = (f"{{{NODURS}}}Nodurs", f"{{{SPAPP}}}Spapp")
_BLOK = ("Envelope", "Body", "BlokPodOddaj", "Blok")
_IDENTS = (("Envelope", "Body", "BlokPodOddaj", "Ident"), ("Envelope", "Header", "Ident"))
_SHOWN_ERRORS = 20


class UnreadableError(Exception):
    """The bytes are no XML document that AJPES would read; the text says why, in Slovene."""


@dataclass(slots=True)
class Outline:
    """The places of things in a document. Offsets are in bytes; `credentials` are the texts in Ident()."""

    root: str = ""
    operation: str = ""
    credentials: list[str] = field(default_factory=list)
    report_paths: list[tuple[str, ...]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    @property
    def has_exactly_one_report(self) -> bool:
        """One Nodurs, and it stands in Body/BlokPodOddaj/Blok of a message that fits its schema."""
        return [tuple(map(_local, place)) for place in self.report_paths] == [(*_BLOK, "Nodurs")]


class Header(NamedTuple):
    """Ident of a report, as it stands there: sections 2.2, rows 1-5, and 3.2, rows 1-6."""

    provider: str
    period: str
    attributes: dict[str, str]


class EventRecord(NamedTuple):
    """One No with its Upnik (section 2.2, rows 12-22); two are the same event only if all is equal.

    `amount_cents` is None where the amount is not in the agreed format.
    """

    event_id: str
    cancels: str | None
    change_type: str
    change_date: str
    amount_cents: int | None
    recorded_at: str
    model: str | None
    reference: str | None
    priority: str | None
    creditor_account: str | None
    creditor_name: str | None


class ObligationFacts(NamedTuple):
    """The facts of an obligation apart from its events (section 2.2, rows 7-11)."""

    issuer: str
    tax_number: str
    debtor_name: str
    account: str


class ObligationRecord(NamedTuple):
    """One Blok with its events (section 2.2, rows 10 to 22)."""

    obligation_id: str
    facts: ObligationFacts
    events: list[EventRecord]


class MonthRecord(NamedTuple):
    """One Pi (section 3.2, rows 7-10); the figures are in cents, None if not in the agreed format."""

    account: str
    credit_cents: int | None
    debit_cents: int | None
    balance_cents: int | None


def outline(path: Path) -> Outline:
    """Read the document from end to end. Raises `UnreadableError` for broken XML and any DOCTYPE."""
    reader = _OutlineReader()
    try:
        with path.open("rb") as file:
            reader.parser.ParseFile(file)
    except expat.ExpatError as error:
        raise UnreadableError(f"Podatki niso veljaven dokument XML: {expat_error(error)}.") from None
    except (ValueError, LookupError):
        raise UnreadableError("Podatki niso veljaven dokument XML: kodiranje znakov ni znano.") from None
    return reader.found


def content_sha256(path: Path, found: Outline) -> str:
    """Return the SHA-256 of the report's root element, byte for byte, without declaration and wrapping.

    The same report has the same hash over SOAP and over SFTP.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(found.start)
        for block in iter(lambda: file.read(min(_BLOCK, found.end - file.tell())), b""):
            digest.update(block)
        # Up to here it was the start of the closing tag.
        tag = file.read(300)
        digest.update(tag[: tag.find(b">") + 1])
    return digest.hexdigest()


def schema_errors(path: Path, schema: etree.XMLSchema) -> list[str]:
    """Return the first breaches of the schema, each as a clause in Slovene; none if the document conforms.

    Raises `UnreadableError` for what expat lets pass and libxml2 does not, such as endless nesting.
    """
    target: Any = _DiscardingTarget()  # lxml calls only the handlers that are there
    parser = etree.XMLParser(schema=schema, target=target, resolve_entities=False, no_network=True)
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                parser.feed(block)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"Podatki niso veljaven dokument XML: {libxml2_error(error)}.") from None
    # With a target of one's own nothing is raised for a schema error: the log tells.
    return [schema_error(entry) for entry in parser.feed_error_log][:_SHOWN_ERRORS]


def header(path: Path) -> Header:
    """Return the Ident of a report that conforms to its schema."""
    with closing(_elements(path, f"{{{NODURS}}}Ident", f"{{{SPAPP}}}Ident")) as elements:
        attributes = {str(name): str(value) for name, value in next(elements).attrib.items()}
    period = attributes.get("datumPodatkov") or attributes["mesecPodatkov"]
    return Header(attributes["maticnaPonudnika"], period, attributes)


def obligations(path: Path, in_cents: Callable[[str], int | None]) -> Iterator[ObligationRecord]:
    """Yield every Blok of a NODURS report that conforms to its schema."""
    for blok in _elements(path, f"{{{NODURS}}}Blok"):
        account = blok.getparent()
        debtor = account.getparent()
        facts = ObligationFacts(
            blok.get("izdajatelj"), debtor.get("davcna"), _name_of(debtor) or "", account.get("rn")
        )
        events = [_event(no, in_cents) for no in blok.iterchildren(f"{{{NODURS}}}No")]
        yield ObligationRecord(blok.get("id"), facts, events)


def months(path: Path, in_cents: Callable[[str], int | None]) -> Iterator[MonthRecord]:
    """Yield every Pi of a SPAPP report that conforms to its schema."""
    for row in _elements(path, f"{{{SPAPP}}}Pi"):
        credit, debit, balance = (in_cents(row.get(name)) for name in ("dob", "bre", "sta"))
        yield MonthRecord(row.get("rn"), credit, debit, balance)


def _elements(path: Path, *tags: str) -> Generator[Any, None, None]:
    """Yield the elements in order, and forget whatever came before them, so that memory stays flat."""
    with path.open("rb") as file:
        for _, element in etree.iterparse(
            file, tag=tags, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
        ):
            yield element
            for current in (element, *element.iterancestors()):
                _drop_earlier(current)


def _drop_earlier(element: Any) -> None:
    """Remove finished siblings; the first child of a debtor, its name, has another tag and stays."""
    while (earlier := element.getprevious()) is not None and earlier.tag == element.tag:
        element.getparent().remove(earlier)


def _event(no: Any, in_cents: Callable[[str], int | None]) -> EventRecord:
    creditor = no.find(f"{{{NODURS}}}Upnik")
    return EventRecord(
        event_id=no.get("id"),
        cancels=no.get("refid"),
        change_type=no.get("sSpre"),
        change_date=no.get("dSpre"),
        amount_cents=in_cents(no.get("znesek")),
        recorded_at=no.get("dtVpis"),
        model=no.get("model"),
        reference=no.get("sklic"),
        priority=no.get("prior"),
        creditor_account=None if creditor is None else creditor.get("rn"),
        creditor_name=None if creditor is None else _name_of(creditor),
    )


def _name_of(element: Any) -> str | None:
    name: str | None = element.findtext(f"{{{NODURS}}}Naziv")
    return name


class _DiscardingTarget:
    """A parser target that keeps nothing."""

    def close(self) -> None:
        return None


class _OutlineReader:
    """Notes where the report and the credentials are, and turns away a DOCTYPE."""

    def __init__(self) -> None:
        self.found = Outline()
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._ident_depth = 0
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise UnreadableError("Deklaracija DOCTYPE v podatkih ni dovoljena.")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        tag = "{" + name if "}" in name else name
        self._path.append(tag)
        if len(self._path) == 1:
            self.found.root = tag
        if len(self._path) == 3 and _local(self._path[1]) == "Body" and not self.found.operation:
            self.found.operation = tag
        if tag in _REPORTS:
            self.found.report_paths.append(tuple(self._path))
            self.found.start = self.parser.CurrentByteIndex
        if len(self._path) <= 4 and tuple(map(_local, self._path)) in _IDENTS:
            self._ident_depth = len(self._path)
        if self._ident_depth:
            self._text = []

    def _end(self, _name: str) -> None:
        if self._path.pop() in _REPORTS:
            self.found.end = self.parser.CurrentByteIndex
        if self._ident_depth:
            self._end_in_ident()

    def _end_in_ident(self) -> None:
        """The innermost elements hold the entries; Ident itself may be one, or have none."""
        is_ident = len(self._path) < self._ident_depth
        if self._text is not None and (not is_ident or "".join(self._text).strip()):
            self.found.credentials.append("".join(self._text))
        self._text = None
        if is_ident:
            self._ident_depth = 0

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
