"""The user's own tables: what they look like (the model), and every statement that changes them."""
