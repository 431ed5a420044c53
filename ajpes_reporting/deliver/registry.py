"""The ways to the authority that this program knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ajpes_reporting.deliver.sftp_way import SftpWay
from ajpes_reporting.deliver.soap_way import SoapWay
from ajpes_reporting.i18n import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ajpes_reporting.deliver.way import Way
    from ajpes_reporting.domain.ports import Carrier

WAYS: tuple[type[Way], ...] = (SoapWay, SftpWay)
"""In the order in which they are tried, unless `delivery.order` says otherwise (instruction, section 4.2)."""


def names(report: str | None = None) -> list[str]:
    """The names of all ways, or of those that may carry this report."""
    return [way.name for way in WAYS if report is None or way.carries(report)]


def sections(chosen: Sequence[str], last: Literal["and", "or"] = "or") -> Message:
    """These ways by their sections, as words: "[soap] or [sftp]"."""
    return Message(f"{{sections:{last}}}", {"sections": [f"[{name}]" for name in chosen]})


def answers_later(name: str) -> bool:
    """Whether what goes by this way is answered in a box."""
    return any(way.name == name and way.answers_later() for way in WAYS)


def large_first(carriers: Sequence[Carrier]) -> list[Carrier]:
    """Returns the ways with those for large reports first, otherwise in their order."""
    large = {way.name for way in WAYS if way.for_large_reports}
    return sorted(carriers, key=lambda carrier: carrier.name not in large)
