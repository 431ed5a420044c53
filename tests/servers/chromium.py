"""A real browser: Chromium, as Debian or Playwright brings it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright


def find_chromium() -> Path | None:
    """Debian's own, else the one that `playwright install chromium` fetches; None if there is neither."""
    found = shutil.which("chromium")
    if found is not None:
        return Path(found)
    with sync_playwright() as playwright:
        fetched = Path(playwright.chromium.executable_path)
    return fetched if fetched.exists() else None


@contextmanager
def browser(program: Path) -> Iterator[Browser]:
    """Chromium without a window; root may run it only without its sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()
