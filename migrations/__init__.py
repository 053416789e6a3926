"""The history of the schema, one for both databases; db/migration runs it."""
