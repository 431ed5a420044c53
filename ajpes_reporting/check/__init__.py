"""Checks of files, before anything leaves and after anything arrives."""
