"""The craft of remembering: tables, their SQL and their rows, on SQLite and PostgreSQL."""
