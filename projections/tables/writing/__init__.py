"""Writing items: rows of the user's tables and their events, in one transaction, mostly in one statement."""
