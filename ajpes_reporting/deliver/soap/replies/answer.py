"""Writes a BlokOdgovor, as the instruction has it (section 4.1.1), of what was gathered from a reply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from ajpes_reporting.i18n import Message, _
from ajpes_reporting.xmlread import UnreadableXml, attributes, forget, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ajpes_reporting.deliver.soap.replies.gathered import Gathered
    from ajpes_reporting.deliver.soap.replies.verdict import Counts
    from ajpes_reporting.deliver.soap.replies.vocabulary import Value

ROOT = "BlokOdgovor"
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SLOVENE_DAY = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})")
_DIGITS = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Call:
    """The call that a reply answers: the report that was sent, and the time of the reply."""

    report: Path
    replied_at: datetime

    def head(self) -> dict[str, str]:
        """Returns the head that an answer to this call has, if it does not say otherwise."""
        ident = _ident_of(self.report)
        return {
            "provider": ident.get("maticnaPonudnika", ""),
            "day": ident.get("datumPodatkov", ""),
            "prepared": self.replied_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def write_answer(gathered: Gathered, counts: Counts, call: Call | None, to: Path) -> tuple[Message, ...]:
    """Writes the file in UTF-8; returns what was not said in the reply and is taken from the call."""
    said = _said(gathered.head)
    by_call = call.head() if call else {}
    taken = [name for name in ("provider", "day", "prepared") if not said.get(name) and by_call.get(name)]
    head = {**by_call, **said}
    ident = {
        "iErr": str(counts.errors),
        "maticnaPonudnika": head.get("provider"),
        "datumPriprave": head.get("prepared"),
        "iWrn": str(counts.warnings),
        "datumPodatkov": head.get("day"),
    }
    with to.open("w", encoding="utf-8") as out:
        out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<{ROOT}><Ident{_attributes(ident)}/>\n')
        for severity, number, text, ref, obligation, event in gathered.rows():
            is_number = _DIGITS.fullmatch(number)
            row = {
                "refId": ref,
                "blokId": obligation,
                "dogId": event,
                "Id": number if is_number else "",
                "vrsta": severity or counts.unsaid,
            }
            told = text if is_number or not number else f"{number}: {text}".removesuffix(": ")
            out.write(f"<Napaka{_attributes(row)}><Opis>{escape(_writable(told))}</Opis></Napaka>\n")
        out.write(f"</{ROOT}>\n")
    if not taken:
        return ()
    names = {"provider": _("the provider"), "day": _("the day"), "prepared": _("the time")}
    return (
        _("the reply leaves out {parts:and}, known from the call", parts=[names[name] for name in taken]),
    )


def refuses(answer: Path) -> bool:
    """Whether a BlokOdgovor refuses the report, by its head or by a row; the worse reading holds."""
    try:
        for _event, element in stream(answer, ("end",)):
            fields = {name.lower(): value.strip() for name, value in attributes(element).items()}
            if local_name(element) == "Ident" and fields.get("ierr", "").lstrip("0").isdigit():
                return True
            if local_name(element) == "Napaka" and fields.get("vrsta", "").upper() == "ERR":
                return True
            forget(element)
    except UnreadableXml:
        return False
    return False


def _said(head: dict[str, Value]) -> dict[str, str]:
    """The identity of an answer as a reply gives it, in the instruction's notation where that is known."""
    said = {name: str(head.get(name) or "") for name in ("provider", "day", "prepared")}
    if day := _SLOVENE_DAY.fullmatch(said["day"]):
        said["day"] = f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}"
    elif "T" in said["day"]:
        said["day"] = said["day"].partition("T")[0]
    try:
        datetime.fromisoformat(said["prepared"])
    except ValueError:
        said["prepared"] = ""
    return {name: value for name, value in said.items() if value}


def _ident_of(report: Path) -> dict[str, str]:
    try:
        for _event, element in stream(report, ("start",)):
            if local_name(element) == "Ident":
                return attributes(element)
    except UnreadableXml:
        return {}
    return {}


def _attributes(values: Mapping[str, str | None]) -> str:
    return "".join(f" {name}={quoteattr(_writable(value))}" for name, value in values.items() if value)


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
