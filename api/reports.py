"""Report, what a verification answers in JSON: the fixed fields, described for the API's readers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.times import Timestamp
from api.x509 import PEM_EXAMPLE, SERIAL_EXAMPLE, Chain, KeyJson
from smime.cms.signatures import Outcome
from smime.report import AddressBinding, Coverage, Verdict


class SignerRevocationJson(BaseModel):
    """What is known of the signer's certificate."""

    status: str = Field(description="`good`, `revoked`, `on_hold`, `unknown` or `not_checked`", examples=["good"])
    reason: str | None = Field(examples=[None])
    revoked_at: Timestamp | None = Field(examples=[None])


class SignerTimeJson(BaseModel):
    """The moment at which the signer was judged."""

    basis: str = Field(
        description="`service_record` where our own record proves that the signature existed then, else `at`",
        examples=["service_record"],
    )
    judged_at: Timestamp | None
    claimed: Timestamp | None = Field(description="What the signature says, which proves nothing")
    proved: Timestamp | None


class SignerAlgorithmJson(BaseModel):
    """How it was signed; null where that is not known."""

    signature: str | None = Field(examples=["rsa-sha256"])
    digest: str | None = Field(examples=["sha256"])
    key: KeyJson | None


class SignerJson(BaseModel):
    """One signer: signature, chain, usage and revocation; who the message is from is the message's affair."""

    verdict: Verdict
    integrity: Outcome = Field(description="Whether the content is what was signed")
    signature: Outcome = Field(description="Whether the certificate's key made the signature")
    address_binding: AddressBinding = Field(description="Whether the certificate names the sender")
    certificate: str | None = Field(description="PEM", examples=[PEM_EXAMPLE])
    subject: str | None = Field(examples=["CN=notices@campus.example,O=Example University,C=HK"])
    serial: str | None = Field(examples=[SERIAL_EXAMPLE])
    sha256: str | None = Field(description="The SHA-256 of the certificate's DER", examples=["5e" * 32])
    mailboxes: list[str] = Field(examples=[["notices@campus.example"]])
    chain: Chain
    revocation: SignerRevocationJson
    time: SignerTimeJson
    algorithm: SignerAlgorithmJson
    findings: list[str] = Field(description="What was seen and decides nothing", examples=[[]])


class NestedJson(BaseModel):
    """A signature further in, for information: it lifts and lowers nothing."""

    model_config = ConfigDict(populate_by_name=True)

    part: str = Field(examples=["1.2"])
    verdict: Verdict
    reasons: list[str]
    from_: list[str] = Field(alias="from")
    signers: list[SignerJson]


class MessageJson(BaseModel):
    """What the message is."""

    model_config = ConfigDict(populate_by_name=True)

    from_: list[str] = Field(alias="from", description="The From mailboxes", examples=[["notices@campus.example"]])
    coverage: Coverage = Field(description="How much of the message is signed")
    signed_part: str | None = Field(description='The part that is signed, "" for the whole message', examples=[""])
    nested: list[NestedJson] = Field(description="Signatures further in", examples=[[]])
    findings: list[str] = Field(description="What was seen in the message and decides nothing", examples=[[]])


class ReportJson(BaseModel):
    """What was found out about a message."""

    verdict: Verdict
    reasons: list[str] = Field(description="Slugs, the worst first", examples=[[]])
    summary: list[str] = Field(
        description="The same in sentences",
        examples=[
            [
                "valid: the body is signed by its sender and was not altered; subject, date and recipients are not protected."
            ]
        ],
    )
    message: MessageJson
    signers: list[SignerJson] = Field(description="The signers of the outermost signature")
    checked_at: Timestamp
    policy: dict[str, Any] = Field(description="The rules by which it was judged", examples=[{"revocation": "hard"}])
