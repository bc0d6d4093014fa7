"""What API and workers need beyond PostgreSQL: object storage, images, fetching, the file library."""
