"""What runs beside the API: the sealer and the followers of the log."""
