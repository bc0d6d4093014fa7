"""What of the model GraphQL shows a caller, and under which names: pure, without a schema library."""
