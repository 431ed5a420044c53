"""The history: submissions, attempts, answers, exact bytes, and the sealed record."""
