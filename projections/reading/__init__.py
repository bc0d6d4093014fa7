"""Reading: a plan becomes one statement, the statement's answer becomes bytes that nobody parses again."""
