"""Measures the program against named limits; `python -m benchmarks` runs all of it."""
