"""The bundled authority: plays AJPES on loopback, and imports nothing of its clients."""

from .authority import NAME, REGISTRATION_NUMBER, USERNAME, Sandbox
from .errors import SandboxError

__all__ = ["NAME", "REGISTRATION_NUMBER", "USERNAME", "Sandbox", "SandboxError"]
