"""The bench: Mailseal within one process, and where the time of a call goes."""
