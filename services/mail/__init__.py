"""Mail: templates to letters, letters to a server. Knows no database; who writes to whom comes from above."""
