"""Quirks of the exchange server: kinds of `faults` that hold all the time."""

from __future__ import annotations

# Name, what it plays, and the kind of fault on the channel sftp.
QUIRKS: tuple[tuple[str, str, str], ...] = (
    ("sweeps", "the exchange server takes a report away the moment it is renamed", "sweep_renamed"),
    ("copies", "the exchange server takes a copy, and leaves the report where it is", "copy"),
    ("no-sizes", "the exchange server tells no sizes", "bare_stat"),
    ("bare-listing", "the exchange server lists names without any attributes", "bare_listing"),
    ("failure", "the exchange server says FAILURE of a file that is not there", "vague_status"),
    ("no-rename", "the exchange server has no right to rename", "no_rename"),
    ("no-list", "the exchange server has no right to list the folder for reports", "no_list"),
    ("no-stat", "the exchange server has no right to look at a file in the folder for reports", "no_stat"),
    ("no-remove", "the exchange server has no right to remove a file", "no_remove"),
)
# What a bank sets for such a server, in its section [sftp].
SETTINGS = {"no-rename": 'upload = "direct"\n'}
