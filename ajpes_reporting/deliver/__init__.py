"""Handing a report to the authority: the ways that there are, and which of them is taken."""
