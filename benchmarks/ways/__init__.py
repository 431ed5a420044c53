"""Other ways to the same file, as they are usually written; each is a program of its own."""
