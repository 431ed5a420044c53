"""Regulatory reporting to AJPES: NODURS every day, SPAPP every month."""

__version__ = "1.0.0"
