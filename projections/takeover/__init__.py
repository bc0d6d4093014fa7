"""Taking over the database of the reference, in place."""
