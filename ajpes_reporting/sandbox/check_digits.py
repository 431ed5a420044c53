"""Check digits of numbers that Slovenian banks use: a wrong one earns a warning, nothing more."""

from __future__ import annotations

from functools import lru_cache

from stdnum.iso7064 import mod_97_10
from stdnum.si import ddv, maticna

# The groups of parts (P1-P2-P3) that end in a control digit, by reference model. A group may run
# over several parts; one that has no digits at all fails.
_P1, _P2, _P3 = 0, 1, 2
_EACH_OF_TWO = ((_P1,), (_P2,))
_GROUPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "00": (),
    "01": ((_P1, _P2, _P3),),
    "02": ((_P2,), (_P3,)),
    "03": ((_P1,), (_P2,), (_P3,)),
    "04": ((_P1,), (_P3,)),
    "05": ((_P1,),),
    "06": ((_P2, _P3),),
    "07": ((_P2,),),
    "08": ((_P1, _P2), (_P3,)),
    "09": ((_P1, _P2),),
    "10": ((_P1,), (_P2, _P3)),
    "12": ((_P1,),),
    "55": ((_P1,),),
    "99": (),
} | dict.fromkeys(("11", "18", "19", "28", "38", "40", "41", "48", "49", "51", "58"), _EACH_OF_TWO)


@lru_cache(maxsize=100_000)
def is_tax_number(number: str) -> bool:
    """Whether these are 8 digits of which the last checks the others."""
    return bool(ddv.is_valid(number))


@lru_cache(maxsize=100)
def is_registration_number(number: str) -> bool:
    """Whether this is a registration number whose check digit is right."""
    return bool(maticna.is_valid(number))


@lru_cache(maxsize=100_000)
def is_domestic_account(number: str) -> bool:
    """Whether these digits pass ISO 7064 MOD 97-10."""
    return bool(mod_97_10.is_valid(number))


def is_known_model(model: str) -> bool:
    """Whether the reference model is one of those with a known rule."""
    return model.zfill(2) in _GROUPS


@lru_cache(maxsize=100_000)
def is_reference(model: str, content: str) -> bool:
    """Whether the content fits the model; `model` is one of the known ones."""
    model = model.zfill(2)
    if model in ("00", "99"):
        return True
    parts = content.split("-")
    digits, most_parts = "".join(parts), 1 if model == "12" else 3
    if len(parts) > most_parts or not (digits.isascii() and digits.isdigit()):
        return False
    parts += [""] * (3 - len(parts))
    return all(_is_controlled("".join(parts[at] for at in group)) for group in _GROUPS[model])


def _is_controlled(digits: str) -> bool:
    """The last digit is 11 - (sum mod 11) of the others, weighted 2, 3, 4… from the right."""
    if len(digits) < 2:
        return False
    weighted = sum(int(digit) * weight for weight, digit in enumerate(reversed(digits[:-1]), start=2))
    control = 11 - weighted % 11
    return int(digits[-1]) == (0 if control > 9 else control)
