"""Files over HTTP: uploads, imports, resumable uploads, assets."""
