"""The bench: the service held against yardsticks in one run, and where the time of a call goes."""
