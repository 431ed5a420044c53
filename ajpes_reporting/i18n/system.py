"""The words of the operating system, which are English whatever language a person reads."""

from __future__ import annotations

from ajpes_reporting.i18n.message import Message, _, verbatim


def system_reason(error: OSError) -> Message:
    """Returns what the system says of an error, in our words for what is met often, otherwise in its own."""
    said = error.strerror or str(error)
    return _SAID.get(said) or verbatim(said)


def reason_of(error: Exception) -> Message:
    """Returns why something failed: the system's reason, a message of ours in the error, or its own words."""
    if isinstance(error, OSError):
        return system_reason(error)
    said = error.args[0] if error.args else None
    return said if isinstance(said, Message) else verbatim(str(error))


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
