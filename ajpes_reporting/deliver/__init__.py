"""Handing a report to the authority: over SOAP, over SFTP, and which of the two."""
