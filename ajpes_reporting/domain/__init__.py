"""What the reports are about: facts, rules and outcomes, without a database or a network."""
