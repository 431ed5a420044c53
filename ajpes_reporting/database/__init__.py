"""The one database: its tables, its connections, its migrations."""
