"""Answers that are made to stop whoever reads them. None of them says what became of a report.

None says both how many errors and how many warnings there are: what can be read of an answer counts,
and these are for the worse.
"""

from __future__ import annotations

_TYPE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_IDENT = (
    'maticnaPonudnika="5860571000" datumPriprave="2026-11-17T16:05:00" iErr="0" datumPodatkov="2026-11-17"'
)
_FOREIGN = _IDENT.replace("5860571000", "5263565000") + ' iWrn="0"'


def _ident(attributes: str, of_root: str = "") -> bytes:
    return f"<BlokOdgovor{of_root}><Ident {attributes}/></BlokOdgovor>".encode()


def _many_attributes(count: int) -> bytes:
    return _ident(" ".join(f'a{number}="1"' for number in range(count)))


def _entities(depth: int) -> bytes:
    """Each stands for ten of the one before it."""
    told = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, depth))
    return f'<!DOCTYPE BlokOdgovor [<!ENTITY e0 "ha">{told}]>'.encode() + _ident(f'iErr="&e{depth - 1};"')


# Where the authority keeps them, beside its book.
OTHER_ANSWERS = "other answers"
POISONS: dict[str, bytes] = {
    "a type that names nothing": _ident('xsi:type="zzz"', f" {_TYPE}"),
    "an absurd year": _ident('datumPriprave="99999999999999999999-01-01T00:00:00" iWrn="x"'),
    "a year of five digits": _ident(f'{_IDENT.replace("2026-11-17T", "12026-11-17T")} iWrn="x"'),
    "an undeclared prefix": _ident('a:b="1"'),
    "an undeclared prefix in a namespace": _ident('a:b="1"', ' xmlns="urn:a"'),
    "2000 attributes": _many_attributes(2_000),
    "50000 attributes": _many_attributes(50_000),
    "cut off": _ident(_IDENT + ' iWrn="0"')[:-30],
    "cut off in a namespace": _ident(_IDENT + ' iWrn="0"', ' xmlns="urn:a"')[:-30],
    "a namespace with braces": _ident(_IDENT, ' xmlns="a}b{c"'),
    "a document type": b'<!DOCTYPE BlokOdgovor SYSTEM "file:///etc/passwd">' + _ident(_IDENT),
    "entities of entities": _entities(12),
    "another provider": _ident(_FOREIGN),
    "a huge count": _ident(_IDENT.replace('iErr="0"', f'iWrn="{"9" * 5_000}"')),
    "an error without end": _ident(_IDENT.replace('iErr="0"', 'iWrn="-1"')).replace(
        b"</BlokOdgovor>", b'<Napaka vrsta="WRN" id="' + b"9" * 5_000 + b'"/></BlokOdgovor>'
    ),
    "deep nesting": b"<BlokOdgovor>" + b"<Ident>" * 20_000 + b"</Ident>" * 20_000 + b"</BlokOdgovor>",
    "a false encoding": b'<?xml version="1.0" encoding="utf-16"?>' + _ident(_IDENT),
    "an unknown encoding": b'<?xml version="1.0" encoding="x-nobody-42"?>' + _ident(_IDENT),
    "bytes that are no text": _ident("iErr='ž'").replace("ž".encode(), b"\xff"),
    "a NUL": _ident('iErr="\0"'),
    "nothing at all": b"",
    "a web page": b"<!DOCTYPE html><html><body>Storitev trenutno ni na voljo</body></html>",
    "a root of nobody": b"<Nekaj/>",
}  # fmt: skip
