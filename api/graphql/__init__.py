"""GraphQL: a schema per set of rights, documents compiled to the plans that REST reads by."""
