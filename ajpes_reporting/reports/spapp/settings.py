"""The section `[spapp]` of `ajpes.toml`."""

from __future__ import annotations

from pydantic import Field

from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.reports.kind import ReportSettings


class SpappSettings(ReportSettings):
    """`[spapp]`: the form of the report, and its usual volume: nearly the same accounts each month."""

    amounts: Amounts = "euros"
    volume_factor: float = Field(default=2.0, ge=0, allow_inf_nan=False)
