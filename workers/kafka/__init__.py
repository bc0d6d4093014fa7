"""Kafka: a follower that publishes the log, and the one module that knows the client library."""
