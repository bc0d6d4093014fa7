"""WebSockets: the sealed log as frames, each read again with its receiver's rights, and items by message."""
