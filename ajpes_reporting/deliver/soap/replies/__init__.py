"""Reading what comes back from a call for the authority's verdict, whatever it is wrapped in."""
