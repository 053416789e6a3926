"""The door for terminals: speaks commands, and decides nothing."""
