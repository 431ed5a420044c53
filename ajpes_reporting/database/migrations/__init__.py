"""How the tables came to be, revision by revision; `upgrade.py` runs them."""
