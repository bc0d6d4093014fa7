"""Flows with what they need of the world outside the database."""
