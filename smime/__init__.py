"""Mail: read, signed and verified (RFC 8551, 8550, 5652); knows X.509 only as bytes and views, no network, no SQL."""
