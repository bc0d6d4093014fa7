"""Webhooks: which events one wants, what it is sent, how that is signed, and when it is tried again."""
