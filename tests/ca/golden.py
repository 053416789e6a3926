"""The golden campus: names, addresses and times that every test of this room shares."""

from __future__ import annotations

from datetime import UTC, datetime

from ca.issuance import StatusUrls
from ca.subjects import Subject
from formats.mailbox import Mailbox

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ARC = "1.3.6.1.4.1.55555.1"
BASE = "http://pki.campus.example.edu"
DOMAIN = "campus.example.edu"
COUNTRY = "US"
ORGANIZATION = "Campus Example University"
ROOT_URLS = StatusUrls(crl=f"{BASE}/crl/root.crl", ocsp=None, issuer=f"{BASE}/ca/root.crt")
URLS = StatusUrls(crl=f"{BASE}/crl/g1.crl", ocsp=f"{BASE}/ocsp/g1", issuer=f"{BASE}/ca/g1.crt")
ADA = Mailbox.parse(f"ada@{DOMAIN}")

CAMPUS = {"country": COUNTRY, "organization": ORGANIZATION, "organization_id": "NTRUS+CA-1234567"}
SUBJECTS = {
    "mailbox": Subject(),
    "person": Subject(**CAMPUS, given_name="Ada", surname="Lovelace"),
    "role": Subject(**CAMPUS),
}
