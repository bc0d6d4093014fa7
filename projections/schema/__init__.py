"""Changes of the model: the DDL, the metadata rows and the events of one command, in one transaction."""
