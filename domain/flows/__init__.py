"""Flows: chains of operations that a trigger sets off. What they mean, without a database or a network."""
