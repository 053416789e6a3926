"""The bench: what Mailseal does in a second beside what others do on the same cores, as ratios of one run."""
