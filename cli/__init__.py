"""The command line: settings, the embedded PostgreSQL and the processes of a running Acta."""
