"""The pages for people, made on the server; they load nothing from another origin and need no script."""
