"""The craft of holding private keys: made, sealed under the key-encryption key, kept in memory, handed over."""
