"""Hooks: what code of the operator is told of, and asked about, by the names of the contract's events."""
