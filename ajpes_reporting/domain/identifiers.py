"""Check digits of numbers and references.

Every function answers yes or no, for any text. A number that fails gets a warning, not an error: the
instruction's own samples fail several of these checks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import mul

from stdnum.iso7064 import mod_97_10
from stdnum.si import ddv, maticna

# The parts of a reference (P1-P2-P3) under a control digit, by model: (0, 1) is P1P2 with one
# control digit at the end of both, (0,), (1,) is one at the end of each.
_P1, _P2, _P3 = (0,), (1,), (2,)
_GROUPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "00": (),
    "01": ((0, 1, 2),),
    "02": (_P2, _P3),
    "03": (_P1, _P2, _P3),
    "04": (_P1, _P3),
    "05": (_P1,),
    "06": ((1, 2),),
    "07": (_P2,),
    "08": ((0, 1), _P3),
    "09": ((0, 1),),
    "10": (_P1, (1, 2)),
    "12": (_P1,),
    "55": (_P1,),
    "99": (),
    **dict.fromkeys(("11", "18", "19", "28", "38", "40", "41", "48", "49", "51", "58"), (_P1, _P2)),
}
_ONE_PART_ONLY = "12"
_MOST_PARTS = 3

_DIGITS_AND_HYPHENS = re.compile("[0-9]+(-[0-9]+)*")
_EIGHT_DIGITS = re.compile("[1-9][0-9]{7}")  # none begins with 0
_FIFTEEN_DIGITS = re.compile("[0-9]{15}")
_SEVEN_OR_TEN_DIGITS = re.compile("[0-9]{7}([0-9]{3})?")


@lru_cache(maxsize=1 << 12)
def tax_number_ok(tax_number: str) -> bool:
    """Whether these are 8 digits of which the last checks the others (davčna številka)."""
    return bool(_EIGHT_DIGITS.fullmatch(tax_number)) and ddv.calc_check_digit(tax_number[:7]) == tax_number[7]


def registration_number_ok(registration_number: str) -> bool:
    """Whether these are 7 digits of which the last checks the others, or 10 with a unit's three."""
    return bool(_SEVEN_OR_TEN_DIGITS.fullmatch(registration_number)) and maticna.is_valid(registration_number)


@lru_cache(maxsize=1 << 12)
def account_ok(account: str) -> bool:
    """Whether these are 15 digits that pass ISO 7064 MOD 97-10, as Slovenian accounts do."""
    return bool(_FIFTEEN_DIGITS.fullmatch(account)) and mod_97_10.checksum(account) == 1


def model_known(model: str) -> bool:
    """Whether the rule of this reference model is known; a model is one or two digits, without "SI"."""
    return _groups_of(model) is not None


@lru_cache(maxsize=1 << 6)  # the events of one obligation come together and mostly share their reference
def reference_ok(model: str, reference: str) -> bool:
    """Whether the reference carries the control digits that its model asks for.

    `model` is one or two digits, without "SI"; an unknown model is not ok, models 00 and 99
    control nothing. Parts are divided by hyphens; a controlled part must be there and be digits.
    """
    groups = _groups_of(model)
    if not groups:
        return groups is not None
    parts = reference.split("-")
    if not _DIGITS_AND_HYPHENS.fullmatch(reference) or not _number_of_parts_fits(model, parts):
        return False
    return all(_group_ok(parts, group) for group in groups)


def _groups_of(model: str) -> tuple[tuple[int, ...], ...] | None:
    return _GROUPS.get(model.zfill(2)) if model else None


def _number_of_parts_fits(model: str, parts: list[str]) -> bool:
    return len(parts) <= (1 if model == _ONE_PART_ONLY else _MOST_PARTS)


def _group_ok(parts: list[str], group: tuple[int, ...]) -> bool:
    """Whether the last digit of the group is the control digit of those before it.

    A group of several parts is read without its hyphens; its later parts may be absent.
    """
    digits = "".join(parts[part] for part in group if part < len(parts))
    return bool(digits) and int(digits[-1]) == _control_digit(digits[:-1])


def _control_digit(digits: str) -> int:
    """K = 11 - (sum mod 11), weights 2, 3, 4... from the right; 10 and 11 give 0."""
    total = sum(map(mul, map(int, reversed(digits)), range(2, len(digits) + 2)))
    control = 11 - total % 11
    return 0 if control > 9 else control
