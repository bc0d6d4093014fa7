"""What the database knows of objects: contents of files, and tasks that are left to do in storage."""
