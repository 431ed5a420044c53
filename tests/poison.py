"""Documents that a stranger may send, each of which has stopped some reader somewhere.

Every one of them begins like an answer, `BlokOdgovor` without or with a namespace. The large ones are
given as functions, so that nobody pays for those that are not wanted.
"""

from __future__ import annotations

from collections.abc import Callable

IDENT = (
    'maticnaPonudnika="5860571000" datumPriprave="2026-11-17T17:30:00" datumPodatkov="2026-11-17"'
    ' iErr="0" iWrn="0"'
)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_MEGABYTE = 1_000_000


def answer(ident: str = IDENT, rows: str = "", root: str = "") -> str:
    """A BlokOdgovor with this head, these rows, and these attributes of its root."""
    return f"<BlokOdgovor {root}><Ident {ident}/>{rows}</BlokOdgovor>"


def row(attributes: str = "", text: str = "") -> str:
    """A row of an answer."""
    return f'<Napaka vrsta="WRN" {attributes}><Opis>{text}</Opis></Napaka>'


def made(moment: str) -> str:
    """The attributes of a head that was made then."""
    return IDENT.replace("2026-11-17T17:30:00", moment)


UNREADABLE: dict[str, str | bytes] = {
    "a type that nobody knows": f'<BlokOdgovor {XSI}><Ident xsi:type="zzz"/></BlokOdgovor>',
    "a year beyond all calendars": answer('datumPriprave="99999999999999999999-01-01T00:00:00" iWrn="x"'),
    "an undeclared prefix of an attribute": '<BlokOdgovor xmlns="urn:a"><Ident a:b="1"/></BlokOdgovor>',
    "an undeclared prefix of an element": f'<BlokOdgovor xmlns="urn:a"><a:Ident {IDENT}/></BlokOdgovor>',
    "an undeclared prefix without a namespace": "<BlokOdgovor><a:Ident/></BlokOdgovor>",
    "nothing, and it says so": f'<BlokOdgovor {XSI} xsi:nil="true"/>',
    "no head": "<BlokOdgovor/>",
    "a number of 5,000 digits": answer(IDENT.replace('iErr="0"', f'iErr="{"9" * 5000}"')),
    "a number with a sign": answer(IDENT.replace('iErr="0"', 'iErr="-1"')),
    "digits of another script": answer(IDENT.replace('iErr="0"', 'iErr="٣"')),
    "an external entity": f'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>{answer(rows=row(text="&e;"))}',
    "an undeclared entity": answer(rows=row(text="&e;")),
    "a character that XML has not": answer(rows=row(text="&#0;")),
    "half a character": answer(rows=row(text="&#xD800;")),
    "NUL within": answer(rows="\0").encode(),
    "an encoding that nobody knows": f'<?xml version="1.0" encoding="klingon"?>{answer()}',
    "an encoding that it has not": f'<?xml version="1.0" encoding="UTF-16"?>{answer()}',
    "bytes that are not UTF-8": answer(rows=row(text="x")).encode().replace(b">x<", b">\xe8\xff<"),
    "another document behind it": answer() + "<BlokOdgovor/>",
    "cut off": answer()[:-5],
    "cut off in a namespace": f'<BlokOdgovor xmlns="urn:a"><Ident {IDENT}',
    "2,000 attributes": answer(" ".join(f'a{number}="1"' for number in range(2_000))),
    "2,000 namespaces": answer(" ".join(f'xmlns:a{number}="u"' for number in range(2_000)) + " x='1'"),
}
"""What cannot be read, by what it is."""

LOOSE: dict[str, tuple[str, str]] = {
    "a type with a prefix that nobody knows": (answer(f'xsi:type="q:zzz" {IDENT}', root=XSI), "accepted"),
    "braces in a namespace": (
        f'<BlokOdgovor xmlns="a}}b{{c"><Ident {IDENT} x="1"/></BlokOdgovor>',
        "accepted",
    ),
    "braces in a namespace of a child": (
        f'<BlokOdgovor><Ident {IDENT}/><x xmlns="a}}b{{c"/></BlokOdgovor>',
        "accepted",
    ),
    "a head that is nothing": (
        f'<BlokOdgovor {XSI}><Ident xsi:nil="true" {IDENT}/></BlokOdgovor>',
        "accepted",
    ),
    "rows before the head": (f"<BlokOdgovor>{row()}<Ident {IDENT}/></BlokOdgovor>", "accepted_with_warnings"),
    "two heads": (f"<BlokOdgovor><Ident {IDENT}/><Ident {IDENT}/></BlokOdgovor>", "accepted"),
    "a row in a row": (answer(rows='<Napaka vrsta="ERR"><Napaka vrsta="ERR"/><Opis/></Napaka>'), "refused"),
    "NUL behind it": (answer() + "\0\r\n\0", "accepted"),
    "blanks before its declaration": ('\r\n<?xml version="1.0"?>' + answer(), "accepted"),
    "a day of ten digits": (
        answer(IDENT.replace('datumPodatkov="2026-11-17"', 'datumPodatkov="9999-99-99"')),
        "unmatched",
    ),
    "a leap second": (answer(made("2016-12-31T23:59:60")), "unmatched"),
    "a zone beyond all clocks": (answer(made("2026-11-17T17:30:00+99:99")), "unmatched"),
    "blanks round the provider": (answer(IDENT.replace('"5860571000"', '" 5860571000 "')), "accepted"),
    "a text of 501 characters": (answer(rows=row(text="x" * 501)), "accepted_with_warnings"),
    "a row of 2,000 attributes": (
        answer(rows=row(" ".join(f'a{number}="1"' for number in range(2_000)))),
        "accepted_with_warnings",
    ),
}
"""What breaks its schema and can be read, with what becomes of it, or of the report of 17 November."""

UNMATCHED: dict[str, str | bytes] = {
    "the year 12026": answer(made("12026-11-17T17:30:00")),
    "the year -1": answer(made("-0001-11-17T17:30:00")),
    "the first of all years, ahead of Greenwich": answer(made("0001-01-01T00:00:00+14:00")),
    "the last of all years, behind it": answer(made("9999-12-31T23:59:59-14:00")),
    "a day of the year 99999": answer(IDENT.replace('Podatkov="2026-', 'Podatkov="99999-')),
}
"""What can be read, and belongs to no report."""

LARGE: dict[str, Callable[[], str | bytes]] = {
    "a million attributes": lambda: answer(" ".join(f'a{number}=""' for number in range(_MEGABYTE))),
    "an attribute of 20 MB": lambda: answer(f'x="{"x" * 20 * _MEGABYTE}"'),
    "a name of 10 MB": lambda: f"<BlokOdgovor><{'x' * 10 * _MEGABYTE}/></BlokOdgovor>",
    "a text of 10 MB": lambda: answer(rows=row(text="x" * 10 * _MEGABYTE)),
    "a text of a million entities": lambda: answer(rows=row(text="&amp;" * _MEGABYTE)),
    "white space of 20 MB": lambda: answer(rows=" " * 20 * _MEGABYTE),
    "a comment of 20 MB": lambda: answer(rows=f"<!--{'x' * 20 * _MEGABYTE}-->"),
    "a million comments": lambda: answer(rows="<!-- -->" * _MEGABYTE),
    "a DOCTYPE of 20 MB": lambda: f"<!DOCTYPE a [{'<!ELEMENT b ANY>' * _MEGABYTE}]>{answer()}",
    "100,000 levels": lambda: f"<BlokOdgovor>{'<a>' * 100_000}{'</a>' * 100_000}</BlokOdgovor>",
    "a million wrong rows": lambda: answer(rows='<Napaka vrsta="x" a="1"/>' * _MEGABYTE),
    "a million wrong rows in a namespace": lambda: answer(rows="<Napaka/>" * _MEGABYTE, root='xmlns="urn:a"'),
    "a million names": lambda: answer(rows="".join(f"<a{number}/>" for number in range(_MEGABYTE))),
    "a million names in a namespace": lambda: answer(
        rows="".join(f"<a{number}/>" for number in range(_MEGABYTE)), root='xmlns="urn:a"'
    ),
    "a million elements in one": lambda: f"<BlokOdgovor><Ident>{'<a/>' * _MEGABYTE}</Ident></BlokOdgovor>",
    "as many wrong attributes as one may have": lambda: answer(
        rows=('<Napaka vrsta="x" ' + " ".join(f'a{n}=""' for n in range(25)) + "/>") * 100_000
    ),
    "100,000 namespaces, one in the other": lambda: answer(
        rows="".join(f"<a xmlns:b{number}='u{number}'>" for number in range(100_000))
    ),
}
"""What would take minutes or gigabytes, were it not bounded."""


def as_bytes(content: str | bytes) -> bytes:
    """As they lie in a file."""
    return content if isinstance(content, bytes) else content.encode()
