"""Samples that the description shows in requests: each is real, so that it can be sent as it stands."""

from __future__ import annotations

from typing import Final

MESSAGE: Final = (
    "From: notices@campus.example\r\nTo: all@campus.example\r\nSubject: Library\r\n\r\nClosed on Friday.\r\n"
)
# To the one mailbox that every other sample names, so that its identity is all that has to be made before.
TO_ONE: Final = MESSAGE.replace("all@campus.example", "notices@campus.example")
# Sealed to a key that nobody has: it is read to its recipient, and no further.
SEALED: Final = (
    "From: notices@campus.example\r\nTo: notices@campus.example\r\nSubject: Library\r\nMIME-Version: 1.0\r\n"
    'Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\r\n name="smime.p7m"\r\n'
    "Content-Transfer-Encoding: base64\r\n\r\n"
    "MIIBKAYJKoZIhvcNAQcDoIIBGTCCARUCAQIxgcGhgb4CAQOgUaFPMAkGByqGSM49AgEDQgAExyer\r\n"
    "dNcLkYEHZpIZ50b8Cjy+vC0S1Ibl7Sz7SVk7R0Tc3CyoMhUg92DbgWHQD3JXv2KH38Bbo5VHrthv\r\n"
    "idn/NTAVBgYrgQQBCwEwCwYJYIZIAWUDBAEtME8wTTAhMBUxEzARBgNVBAMMCkV4YW1wbGUgQ0EC\r\n"
    "CFx6Hw6bPUwqBCiMFHCFM+1ZR3tPenR0WSbQ8nBXVTYdp0tL/PkHyU5yOn+hjuYszT5YMEwGCSqG\r\n"
    "SIb3DQEHATAdBglghkgBZQMEASoEEMGhfHM9Osvjyd4rwC9WfS+AIAdEsYqDO9pMjcivIhz9nbAg\r\n"
    "eLk4XagFeFVZjvmvNPWc\r\n"
)
# Of a P-256 key, for alice@campus.example.
CSR: Final = """\
-----BEGIN CERTIFICATE REQUEST-----
MIHtMIGUAgEAMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARIjyOaXBPSwek0
HA8LAM3JHm1ksmMc7PPgUNuq1rTeYSdv1IU+h/BPrmrJgz7oxpy0pOHNJIOTfEvu
LOYOay4VoDIwMAYJKoZIhvcNAQkOMSMwITAfBgNVHREEGDAWgRRhbGljZUBjYW1w
dXMuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiEAxMHub4lIA6f96/Gml10Uccu9
caz7PPNicpdcBs4Au2UCIDj29zE+O0qYme0qUNZ/rbDN6o/O/9erk5lBDoVnVfFL
-----END CERTIFICATE REQUEST-----
"""
