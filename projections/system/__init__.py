"""The system collections: their tables, the rows a new project starts with, and what they govern."""
