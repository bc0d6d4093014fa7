"""What may happen: events, rules and values. Pure: no SQL driver, no web framework."""
