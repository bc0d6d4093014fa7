"""Rules about files: names, types, ranges, transformations. Pure."""
