"""Backups, restorations, retention."""
