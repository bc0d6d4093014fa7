"""Who is calling: tokens, sessions, passwords."""
