"""Calls `ledger pull eplacila` of a workspace; prints the most memory that it took, in bytes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ajpes_reporting.cli.main import run


def main(*arguments: str) -> None:
    if code := run(["ledger", "pull", "eplacila", *arguments]):
        sys.exit(code)
    # Of this program alone: `getrusage` begins with what the program that started it had taken.
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(kilobytes) * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
