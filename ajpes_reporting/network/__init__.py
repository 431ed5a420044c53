"""What every call over the network needs: an end, and words for what went wrong."""
