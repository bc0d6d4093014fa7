"""Rules about addresses of other machines. Pure."""
