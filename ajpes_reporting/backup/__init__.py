"""Backups of a workspace, and workspaces made from them."""
