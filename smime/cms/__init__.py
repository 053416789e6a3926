"""The Cryptographic Message Syntax (RFC 5652): BER in, definite DER out."""
