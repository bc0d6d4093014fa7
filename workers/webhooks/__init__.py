"""Webhooks: a follower opens deliveries, jobs send them."""
