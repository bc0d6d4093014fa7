"""The processes of a running Acta: API processes that share a port, followers, and their supervisor."""
