"""The OpenAPI document of the interface."""

from __future__ import annotations

from typing import Any


def document(root: str) -> dict[str, Any]:
    return {"servers": [{"url": root}]}
