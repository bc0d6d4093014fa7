"""What a payload may say, and what it comes to: specials, presets, validation, values, nested changes.
Pure."""
