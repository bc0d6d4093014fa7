"""Deliveries of webhooks: opened by the log, tried until they arrive, listed, sent again."""
