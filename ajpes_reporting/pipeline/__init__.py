"""The run: from the ledger to an accepted report, one file for each thing a person asks for."""
