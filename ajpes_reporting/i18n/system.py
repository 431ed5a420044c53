"""The words of the operating system, which are English whatever language a person reads."""

from __future__ import annotations

from ajpes_reporting.i18n.message import _


def system_reason(error: OSError) -> str:
    """Returns what the system says of an error: a `Message` for what is met often, else its own words."""
    said = error.strerror or str(error)
    return _SAID.get(said, said)


_SAID = {
    str(message): message
    for message in (
        _("No such file or directory"),
        _("Permission denied"),
        _("Operation not permitted"),
        _("Is a directory"),
        _("Not a directory"),
        _("File exists"),
        _("No space left on device"),
        _("Disk quota exceeded"),
        _("Read-only file system"),
        _("File name too long"),
        _("File too large"),
        _("Directory not empty"),
        _("Input/output error"),
        _("Too many open files"),
        _("Too many levels of symbolic links"),
        _("Address already in use"),
        _("Cannot assign requested address"),
        _("Connection refused"),
        _("Connection reset by peer"),
        _("Connection timed out"),
        _("Network is unreachable"),
        _("No route to host"),
        _("Broken pipe"),
    )
}
