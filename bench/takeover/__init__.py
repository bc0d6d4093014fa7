"""A database as the reference leaves it, to be taken over in the tests."""
