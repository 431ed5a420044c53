"""What happened, for ever: submissions, attempts, answers, exact bytes, and the sealed record."""
