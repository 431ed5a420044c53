"""The pure rules: money, identifiers, calendar, periods and single records."""
