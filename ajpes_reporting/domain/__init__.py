"""Facts, rules and outcomes of the reports, without a database or a network."""
