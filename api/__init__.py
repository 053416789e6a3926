"""The HTTP door: speaks HTTP, decides nothing."""
