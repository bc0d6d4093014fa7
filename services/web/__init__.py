"""Requests to addresses that a user names."""
