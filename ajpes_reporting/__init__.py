"""Regulatory reporting to AJPES: NODURS every day, SPAPP every month."""

__version__ = "0.1.0"
