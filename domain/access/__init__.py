"""Who asks, and what that caller may do, as plain values that a plan can be made from."""
