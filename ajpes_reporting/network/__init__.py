"""Parts of every call over the network: time limits, and descriptions of failures."""
