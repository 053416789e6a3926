"""Reach out: every outgoing connection, bounded in size and time, to the address that was checked."""
