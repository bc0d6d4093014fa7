"""What leaves the house because something happened: requests to other servers."""
