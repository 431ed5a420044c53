"""The reports: one folder each, with what is selected, how it is written, its rules and its answer."""
