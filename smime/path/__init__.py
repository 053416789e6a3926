"""Certification paths (RFC 5280 6): found, judged and held against evidence; knows nothing of mail."""
