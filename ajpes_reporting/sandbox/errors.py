"""Errors at the start of a sandbox; all later ones are told to its client, as AJPES would."""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox cannot start as it is told to. `remedy` says what to do, without a leading "Do:"."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
