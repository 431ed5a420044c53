"""`python -m ajpes_reporting`."""

from ajpes_reporting.cli.main import main

main()
