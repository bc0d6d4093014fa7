"""The log as other systems get it: events as CloudEvents, where they go, and what describes them."""
