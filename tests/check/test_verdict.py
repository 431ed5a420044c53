"""What the validator says of a report that passes by while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.xmlread import load_schema, schema_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = (
    f'<Nodurs xmlns="{NODURS.namespace}"><Ident datumPriprave="2026-11-17T18:00:00" steviloZapisov="1"'
    ' sestevekZneskov="1" datumPodatkov="2026-11-17" maticnaPonudnika="5860571000">'
    "<Naziv>Banka</Naziv></Ident>"
    '<Dolznik davcna="50123459"><Naziv>Dolžnik</Naziv>'
    '<Tr rn="010000000100187"><Blok id="O-1" izdajatelj="2">'
).encode()
EVENT = '<No id="1" sSpre="01" dSpre="2026-11-17" znesek="{}" dtVpis="2026-11-17T08:00:00"/>'
TAIL = b"</Blok></Tr></Dolznik></Nodurs>"
SCHEMA = load_schema(shipped.schema(NODURS.schema))


def test_a_report_that_keeps_its_schema_is_read_to_its_end() -> None:
    """Nothing is said of what is right."""
    assert schema_verdict([HEAD, *[EVENT.format(1).encode()] * 9, TAIL], SCHEMA) is None


@pytest.mark.parametrize("place", [0, 1, 8])
def test_an_error_is_told_wherever_it_stands(place: int) -> None:
    """The last record counts as much as the first."""
    amounts = ["1"] * 9
    amounts[place] = "much"
    verdict = schema_verdict([HEAD, *(EVENT.format(amount).encode() for amount in amounts), TAIL], SCHEMA)
    assert verdict is not None
    assert "much" in verdict


def test_the_first_error_is_enough() -> None:
    """A million records with the same error do not fill the memory with a million complaints."""
    asked = 0

    def source() -> Iterator[bytes]:
        nonlocal asked
        yield HEAD
        while asked < 1_000:
            asked += 1
            yield EVENT.format("much").encode() * 100

    assert schema_verdict(source(), SCHEMA)
    assert asked == 1
