"""The bundled authority: plays AJPES on loopback, and imports nothing of its clients."""

from .authority import NAME, REGISTRATION_NUMBER, USERNAME, Sandbox
from .clients import Provider
from .errors import SandboxError
from .styles import STYLES, style_of

__all__ = [
    "NAME",
    "REGISTRATION_NUMBER",
    "STYLES",
    "USERNAME",
    "Provider",
    "Sandbox",
    "SandboxError",
    "style_of",
]
