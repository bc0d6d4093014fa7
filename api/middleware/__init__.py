"""What happens to every request, one concern per module; `api.app` puts them in order."""
