"""The section `[nodurs]` of `ajpes.toml`."""

from __future__ import annotations

from typing import Literal

from ajpes_reporting.reports.kind import ReportSettings


class NodursSettings(ReportSettings):
    """`[nodurs]`: the form of the report, and its usual volume.

    `debtor_name`: a debtor is called as each obligation has it, or by one name, that of the newest event.
    Above `sftp_above_bytes` a file goes first by the way for large ones.
    """

    amounts: Literal["cents", "decimal"] = "cents"
    debtor_name: Literal["as_recorded", "newest"] = "as_recorded"
    sftp_above_bytes: int = 50_000_000

    def is_large(self, size_bytes: int) -> bool:
        """Whether the file is larger than the setting says."""
        return size_bytes > self.sftp_above_bytes
