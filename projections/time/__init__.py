"""Time: earlier states of items, collections and the whole project, and the ways back to them."""
