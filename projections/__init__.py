"""Everything derived from the log, and the only code that talks to PostgreSQL."""
