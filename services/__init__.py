"""The services: they decide who may, in which order, in which transaction, and put it on the record."""
