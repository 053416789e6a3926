"""Makes X.509: requests read, certificates, CRLs and OCSP answers built, linted and signed."""
