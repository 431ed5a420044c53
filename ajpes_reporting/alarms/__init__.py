"""What a person must be told before it is too late, and who tells it."""
