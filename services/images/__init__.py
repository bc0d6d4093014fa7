"""Images: libvips in processes of its own, which may be killed at any moment without harm."""
