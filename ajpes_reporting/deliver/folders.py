"""The folders of section 4.2, and what the authority's server calls them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folders:
    """The name of each folder on the server, below the provider's own; it may be a path, and "." for none."""

    nodurs: str = "nodurs"
    spapp: str = "spapp"
    v_ajpes: str = "v_ajpes"
    iz_ajpes: str = "iz_ajpes"
    accepted: str = "accepted"

    def path(self, base: str, report: str, name: str) -> str:
        """The folder `name` ("v_ajpes", "iz_ajpes" or "accepted") of a report ("nodurs" or "spapp").

        A report that is not named here has a folder of its own name.
        """
        return posixpath.normpath(posixpath.join(base, getattr(self, report, report), getattr(self, name)))


AS_INSTRUCTED = Folders()
