"""The folders of section 4.2, and what the authority's server calls them."""

from __future__ import annotations

import posixpath

from pydantic import Field

from ajpes_reporting.sections import Section


class Folders(Section):
    """The name of each folder on the server, below the provider's own; it may be a path, and "." for none."""

    nodurs: str = Field(default="nodurs", min_length=1)
    spapp: str = Field(default="spapp", min_length=1)
    v_ajpes: str = Field(default="v_ajpes", min_length=1)
    iz_ajpes: str = Field(default="iz_ajpes", min_length=1)
    accepted: str = Field(default="accepted", min_length=1)

    def path(self, base: str, report: str, name: str) -> str:
        """The folder `name` ("v_ajpes", "iz_ajpes" or "accepted") of a report ("nodurs" or "spapp").

        A report that is not named here has a folder of its own name.
        """
        own = getattr(self, report) if report in type(self).model_fields else report
        return posixpath.normpath(posixpath.join(base, own, getattr(self, name)))


AS_INSTRUCTED = Folders()
