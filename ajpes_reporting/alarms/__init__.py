"""Alarms, which a person must see before it is too late, and their channels."""
