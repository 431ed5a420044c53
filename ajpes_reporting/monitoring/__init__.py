"""Figures and a sign of life for a bank's monitoring. Neither holds personal data or secrets."""
