"""The ground: forms that every room speaks, and nothing that knows a room."""
