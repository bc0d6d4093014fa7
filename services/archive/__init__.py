"""Closed partitions of the log as files of a storage."""
