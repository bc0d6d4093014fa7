"""What keeps callers in bounds beyond their rights: counted attempts."""
