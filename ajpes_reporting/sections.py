"""What every section of `ajpes.toml` is made of, whoever declares it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Section(BaseModel):
    """One section: an unknown key in it is refused."""

    # hide_input_in_errors: a secret written in clear by mistake is not echoed.
    # defer_build: a section is checked as part of the settings; to be ready for that by itself as well would
    # take every command some milliseconds.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _reference(text: str) -> str:
    kind, _, rest = text.partition(":")
    if kind not in ("env", "file", "credential") or not rest:
        # The text may be the secret itself, so it is not repeated here.
        raise ValueError("a secret is given by reference: env:NAME, file:PATH or credential:NAME")
    return text


SecretReference = Annotated[str, AfterValidator(_reference)]
"""Where a secret lies; what it is, `Workspace.secret` reads."""
