"""Flows that events and clocks set off."""
