"""X.509 values as they stand in JSON: PEM, serial numbers, fingerprints, kinds of keys."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BaseModel, Field

from formats.algorithms import KeyDescription

PEM_EXAMPLE: Final = "-----BEGIN CERTIFICATE-----\nMIIEpzCCAw+gAwIBAg...\n-----END CERTIFICATE-----\n"
SERIAL_EXAMPLE: Final = "5c7a1f0e9b3d4c2a8e6f7d5b4a392817"

PemText = Annotated[str, Field(description="PEM", examples=[PEM_EXAMPLE])]
SerialText = Annotated[
    str, Field(description="The serial number in hexadecimal, of even length", examples=[SERIAL_EXAMPLE])
]
Sha256Text = Annotated[str, Field(description="The SHA-256 of the DER, in hexadecimal", examples=["5e" * 32])]
Chain = Annotated[
    list[str],
    Field(description="PEM, the leaf's issuer first, the root last", examples=[[PEM_EXAMPLE, PEM_EXAMPLE]]),
]


class KeyJson(BaseModel):
    """What a public key is."""

    algorithm: str = Field(description="`RSA` or `EC`", examples=["EC"])
    bits: int | None = Field(description="The size of the key", examples=[256])
    curve: str | None = Field(description="The curve of an EC key", examples=["P-256"])

    @classmethod
    def of(cls, key: KeyDescription) -> Self:
        """The key as JSON."""
        return cls(algorithm=key.algorithm, bits=key.bits, curve=key.curve)
