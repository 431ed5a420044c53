"""NODURS in a call of the web service wsBlokIzmenjava, and its reply (instruction, section 4.1)."""
