"""Flows at work: loading them, what their operations do to items, their place in the log."""
