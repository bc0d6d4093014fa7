"""The log in PostgreSQL: its tables, appending to it, sealing it, reading it by position, verifying it."""
