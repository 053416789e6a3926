"""openssl cms as a mail program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.openssl import Answer, openssl
from tests.programs import Person, laid

_END = "-----END CERTIFICATE-----\n"


@dataclass
class OpenSsl:
    """openssl cms with a folder for its files; once it has heard of CRLs, it checks them."""

    folder: Path
    root: str
    crls: str = ""

    @cached_property
    def version(self) -> str:
        return openssl("version").text.split()[1]

    def verify(self, cms: bytes, content: bytes | None) -> Answer:
        """Whether the signature is good, its chain ends at the campus root, and the signer may sign mail."""
        trusted = laid(self.folder, (self.root + self.crls).encode())
        given: list[str | Path] = [] if content is None else ["-content", laid(self.folder, content)]
        checks = ["-crl_check_all"] if self.crls else []
        return openssl(
            "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", trusted, "-purpose", "smimesign", *given, *checks,
            given=cms,
        )  # fmt: skip

    def sign(self, content: bytes, *, by: Person, detached: bool) -> bytes:
        """A signature in DER."""
        form = [] if detached else ["-nodetach"]
        signed = openssl(
            "cms", "-sign", "-binary", "-outform", "DER", "-signer", self._keys(by),
            "-certfile", self._taken(by, "-cacerts", "-nokeys"), *form,
            given=content,
        )  # fmt: skip
        assert signed.ok, signed.text
        return signed.out

    def open(self, sealed: bytes, *, by: Person) -> Answer:
        """What was sealed to somebody; not ok if it cannot be opened."""
        return openssl("cms", "-decrypt", "-inform", "DER", "-recip", self._keys(by), given=sealed)

    def seal(self, content: bytes, *, to: str) -> bytes:
        """Content sealed to one certificate or several of them, as this program does by itself."""
        return self.seal_so(content, "-aes256", to=to)

    def seal_so(self, content: bytes, *options: str, to: str, keyopts: tuple[str, ...] = ()) -> bytes:
        """Content sealed to certificates with options of cms -encrypt, and with options of the recipient."""
        recipients: list[str | Path] = []
        for certificate in to.split(_END)[:-1]:
            recipients += ["-recip", laid(self.folder, (certificate + _END).encode())]
            recipients += [part for option in keyopts for part in ("-keyopt", option)]
        sealed = openssl("cms", "-encrypt", "-binary", "-outform", "DER", *options, *recipients, given=content)
        assert sealed.ok, sealed.text
        return sealed.out

    def hear_of_revocations(self, crls: list[bytes]) -> None:
        """Check revocation by these CRLs."""
        self.crls = "".join(openssl("crl", "-inform", "DER", given=der).out.decode() for der in crls)

    def _keys(self, person: Person) -> Path:
        """Somebody's key and certificate in one file."""
        return self._taken(person, "-clcerts", "-nodes")

    def _taken(self, person: Person, *what: str) -> Path:
        file = laid(self.folder, person.pkcs12)
        taken = openssl("pkcs12", "-in", file, "-passin", f"pass:{person.passphrase}", *what)
        assert taken.ok, taken.text
        return laid(self.folder, taken.out)
