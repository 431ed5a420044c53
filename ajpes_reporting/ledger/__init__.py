"""The facts: how they come in, how they are corrected, how they are read."""
