"""Reports and answers as files on the exchange server (instruction, section 4.2)."""
