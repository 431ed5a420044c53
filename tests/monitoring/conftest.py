"""The bank of the pipeline's tests, watched."""

from tests.pipeline.conftest import authority, bank, clock

__all__ = ["authority", "bank", "clock"]
