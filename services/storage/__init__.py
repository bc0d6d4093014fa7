"""Objects in directories and buckets, all through the interface of `services.storage.base`."""
