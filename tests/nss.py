"""NSS, the library under Thunderbird and Firefox, as a mail program: by its own command-line tools."""

from __future__ import annotations

import ctypes
import re
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.openssl import SECONDS, Answer, openssl
from tests.programs import Person, laid, require

_STATUS = re.compile(r"\bsigner\d+\.status=(\w+)")
_EMAIL_SIGNER = "4"


def nss(command: str, *arguments: str | Path) -> Answer:
    """Run one tool of NSS."""
    ran = subprocess.run([command, *map(str, arguments)], capture_output=True, timeout=SECONDS, check=False)
    return Answer(ok=ran.returncode == 0, out=ran.stdout, text=(ran.stdout + ran.stderr).decode(errors="replace"))


@dataclass
class Nss:
    """A database of NSS that trusts the campus root for mail, and for nothing else."""

    folder: Path
    issuing: str
    people: set[str] = field(default_factory=set)
    crls: set[bytes] = field(default_factory=set)

    @classmethod
    def trusting(cls, root: str, *, issuing: str, folder: Path) -> Nss:
        """A new database that trusts this root; the issuing CA stays unknown to it until it is needed for a CRL."""
        require("certutil", "cmsutil", "crlutil", "pk12util", "vfychain", package="libnss3-tools")
        made = cls(folder, issuing)
        made.must("certutil", "-N", "--empty-password")
        made.must("certutil", "-A", "-n", "root", "-t", ",C,", "-a", "-i", laid(folder, root.encode()))
        return made

    @cached_property
    def version(self) -> str:
        """The library's own; its tools do not say."""
        library = ctypes.CDLL("libnss3.so")
        library.NSS_GetVersion.restype = ctypes.c_char_p
        found: bytes = library.NSS_GetVersion()
        return found.decode()

    def run(self, command: str, *arguments: str | Path) -> Answer:
        """Run a tool on the database."""
        return nss(command, "-d", f"sql:{self.folder}", *arguments)

    def must(self, command: str, *arguments: str | Path) -> Answer:
        """Run a tool that has to succeed."""
        answer = self.run(command, *arguments)
        assert answer.ok, answer.text
        return answer

    def verify(self, cms: bytes, content: bytes | None) -> Answer:
        """Whether the one signature is good and its signer trusted for mail; cmsutil's exit code alone does not say."""
        given: list[str | Path] = [] if content is None else ["-c", laid(self.folder, content)]
        answer = self.run(
            "cmsutil", "-D", "-u", _EMAIL_SIGNER, "-h", "0", "-n", "-i", laid(self.folder, cms), *given
        )  # fmt: skip
        good = answer.ok and _STATUS.findall(answer.text) == ["GoodSignature"]
        return Answer(ok=good, out=answer.out, text=answer.text)

    def sign(self, content: bytes, *, by: Person, detached: bool) -> bytes:
        """A signature in BER of indefinite length, with signing time and capabilities."""
        self.take(by)
        out = laid(self.folder, b"")
        form = ["-T"] if detached else []
        self.must(
            "cmsutil", "-S", "-N", by.mailbox, "-G", "-P", "-H", "SHA256", *form, "-i", laid(self.folder, content), "-o", out
        )  # fmt: skip
        return out.read_bytes()

    def open(self, sealed: bytes, *, by: Person) -> Answer:
        """What was sealed to somebody; not ok if it cannot be opened."""
        self.take(by)
        return self.run("cmsutil", "-D", "-i", laid(self.folder, sealed))

    def seal(self, content: bytes, *, to: str) -> bytes:
        """Content sealed to a certificate, in BER, by the cipher that NSS chooses."""
        answer, sealed = self.try_to_seal(content, to=to)
        assert answer.ok, answer.text
        return sealed

    def try_to_seal(self, content: bytes, *, to: str) -> tuple[Answer, bytes]:
        """What `seal` answers, and what it made."""
        certificate, out = laid(self.folder, to.encode()), laid(self.folder, b"")
        self.must("certutil", "-A", "-n", certificate.name, "-t", ",,", "-a", "-i", certificate)
        # By the address, because NSS has one nickname for all certificates of a subject.
        mailbox = openssl("x509", "-noout", "-email", given=to.encode()).text.strip()
        answer = self.run("cmsutil", "-E", "-r", mailbox, "-i", laid(self.folder, content), "-o", out)
        return answer, out.read_bytes()

    def hear_of_revocations(self, crls: list[bytes]) -> None:
        """Import these CRLs; NSS then goes by them for everything of their issuers."""
        self.must("certutil", "-A", "-n", "issuing", "-t", ",,", "-a", "-i", laid(self.folder, self.issuing.encode()))
        for der in crls:
            if der not in self.crls:  # NSS refuses one that it has
                self.must("crlutil", "-I", "-i", laid(self.folder, der), "-t", "1")
                self.crls.add(der)

    def check_chain(self, certificate: str, *, issuer: str, method: str) -> Answer:
        """Whether a chain is good for signing mail now, by status that NSS itself fetches: `ocsp` or `crl`."""
        leaf, above = laid(self.folder, certificate.encode()), laid(self.folder, issuer.encode())
        return self.run(
            "vfychain", "-pp", "-u", _EMAIL_SIGNER, "-g", "leaf", "-m", method, "-s", "failIfNoInfo",
            "-a", leaf, "-a", above,
        )  # fmt: skip

    def take(self, person: Person) -> None:
        """Import somebody's PKCS#12 file, once."""
        if person.serial not in self.people:
            file = laid(self.folder, person.pkcs12)
            self.must("pk12util", "-i", file, "-W", person.passphrase, "-K", "")
            self.people.add(person.serial)
