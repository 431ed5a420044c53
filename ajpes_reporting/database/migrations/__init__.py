"""The history of the tables, revision by revision; `upgrade.py` runs them."""
