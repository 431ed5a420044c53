"""The ways of payment (6.5.2, `idn`): their marks, their groups, and what a person calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DELAYED = "QR koda"

METHODS = {
    "MASTERCARD": "Mastercard",
    "VISA": "Visa",
    "MAESTRO": "Maestro",
    "DINERSCLUB": "Diners Club",
    "MONETA": "VALÚ Moneta",
    "FLIK": "Flik",
    "HALMBILLS": "Hal mBills",
    "BANKANET": "Bank@Net",
    DELAYED: "Koda QR: slikaj in plačaj",
}
GROUPS = {
    "GRP_CARDS": ("MASTERCARD", "VISA", "MAESTRO", "DINERSCLUB"),
    "GRP_MOBILE": ("MONETA", "FLIK", "HALMBILLS"),
    "GRP_EBANK": ("BANKANET",),
}


def methods_named(names: Iterable[str]) -> tuple[str, ...]:
    """The ways that these marks of ways and groups stand for; without any, all of them."""
    chosen = {way for name in names for way in GROUPS.get(name, (name,))}
    return tuple(way for way in METHODS if not chosen or way in chosen)


def method_name(way: str | None) -> str:
    """Return the name of a payment method for a person; a dash while none is chosen."""
    return "\N{EN DASH}" if way is None else METHODS[way]
