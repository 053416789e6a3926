"""What the service does with mail: a verb a file, as in smime."""
