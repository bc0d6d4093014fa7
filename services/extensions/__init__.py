"""Code of the operator inside Acta: hooks, endpoints, operations of packages (docs/extensions.md)."""
