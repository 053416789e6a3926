from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from formats import der, oids
from smime.cms.signatures import Outcome
from smime.cms.signed import read_signed_data
from smime.message import read_message
from smime.path.evidence import StatusRecord
from smime.report import AddressBinding, Coverage, Report, Verdict
from smime.sign import Form
from smime.trust import Trust
from smime.verify import Kind, judge, read, signed_bytes
from tests.smime.campus import ALICE, NOW, Authority, OpenSsl, Person, good, revoked, trust_in, verdict
from tests.smime.cms.forging import signed_data, signer_info, usual_attributes
from tests.smime.mails import ENTITY, HEAD, cms, detached, inner, mixed, opaque, signed_mail

BODIES = {
    "plain": ENTITY,
    "8-bit": "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus 香港\r\n".encode(),
    "trailing blanks": b"Content-Type: text/plain\r\n\r\nfees  \r\n\t\r\n.\r\nFrom here\r\n",
    "empty": b"Content-Type: text/plain\r\n\r\n",
    "nested": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n"
    ),
}


def certificates(*people: Person) -> list[bytes]:
    return [one.der for person in people for one in (person.certificate, *person.chain)]


# --- valid ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_what_we_sign_is_valid(alice: Person, trust: Trust, form: Form, body: bytes) -> None:
    report = verdict(signed_mail(alice, form=form, body=body), trust)
    assert (report.verdict, report.reasons) == (Verdict.VALID, ())
    assert (report.coverage, report.signed_part) == (Coverage.FULL, "")
    assert [str(sender) for sender in report.senders] == [ALICE]
    (signer,) = report.signers
    assert signer.address_binding is AddressBinding.MATCH


@pytest.mark.parametrize(
    "options", ["", "-stream", "-nodetach", "-nodetach -stream", "-nosmimecap", "-keyid", "-md sha512", "-cades"]
)
def test_what_openssl_signs_is_valid(
    openssl: OpenSsl, alice_rsa: Person, issuing: Authority, trust: Trust, options: str
) -> None:
    data = openssl.sign(ENTITY, [alice_rsa], f"{options} -from {ALICE} -to all@campus.example -subject Fees")
    records = (*trust.evidence.records, good(issuing, alice_rsa.certificate))
    known = replace(trust, evidence=replace(trust.evidence, records=records))
    assert verdict(data, known).reasons == ()
    if "-nodetach" not in options:
        assert verdict(data.replace(b"Friday", b"Monday"), known).reasons == ("message_altered",)


def test_openssl_and_we_agree_on_our_own(openssl: OpenSsl, alice: Person, root: Authority, trust: Trust) -> None:
    data = signed_mail(alice)
    altered = data.replace(b"Friday", b"Monday")
    assert openssl.verifies(data, anchor=root.certificate)
    assert not openssl.verifies(altered, anchor=root.certificate)
    assert verdict(altered, trust).verdict is Verdict.INVALID


def test_line_feeds_make_no_difference(alice: Person, trust: Trust) -> None:
    assert verdict(signed_mail(alice).replace(b"\r\n", b"\n"), trust).verdict is Verdict.VALID


@pytest.mark.parametrize("kind", ["application/x-pkcs7-mime", "application/octet-stream; name=smime.p7m"])
def test_old_names_are_valid_with_a_finding(alice: Person, trust: Trust, kind: str) -> None:
    report = verdict(opaque(cms(alice, detached=False), kind=kind), trust)
    assert report.verdict is Verdict.VALID
    assert report.signers[0].findings


def test_preamble_and_epilogue_lower_nothing(alice: Person, trust: Trust) -> None:
    report = verdict(detached(cms(alice), preamble=b"S/MIME\r\n", epilogue=b"--\r\nlist footer\r\n"), trust)
    assert (report.verdict, report.coverage) == (Verdict.VALID, Coverage.FULL)
    assert set(report.findings) >= {"preamble", "epilogue"}
    assert set(report.signers[0].findings) >= {"preamble", "epilogue"}


# --- altered and forged -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", list(Form))
def test_an_altered_body(alice: Person, trust: Trust, form: Form) -> None:
    signed = cms(alice, detached=form is Form.DETACHED)
    content = ENTITY.replace(b"Friday", b"Monday")
    data = detached(signed, content=content) if form is Form.DETACHED else opaque(signed.replace(ENTITY, content))
    report = verdict(data, trust)
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("message_altered",))
    assert (report.signers[0].integrity, report.signers[0].signature) == (Outcome.FAILED, Outcome.OK)


@pytest.mark.parametrize("change", [lambda b: b + b"\r\n", lambda b: b.replace(b"Fees ", b"Fees  "), lambda b: b[:-2]])
def test_the_least_change_is_one(alice: Person, trust: Trust, change: Callable[[bytes], bytes]) -> None:
    assert verdict(detached(cms(alice), content=change(ENTITY)), trust).reasons == ("message_altered",)


def test_an_altered_attribute(alice: Person, trust: Trust) -> None:
    other = b"\xa0" + der.set_of(*usual_attributes(ENTITY, time=NOW.replace(year=2020)))[1:]
    info = signer_info(alice, usual_attributes(ENTITY), embedded=other)
    report = verdict(detached(signed_data([info], certificates=certificates(alice))), trust)
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("signature_wrong",))


def test_the_signature_of_another_message(alice: Person, trust: Trust) -> None:
    assert verdict(detached(cms(alice, b"Content-Type: text/plain\r\n\r\nLunch?\r\n")), trust).reasons == (
        "message_altered",
    )


def test_attributes_out_of_order_are_no_fault_and_duplicates_are(alice: Person, trust: Trust) -> None:
    usual = usual_attributes(ENTITY)
    unsorted = b"\xa0" + der.length(sum(map(len, usual))) + b"".join(sorted(usual, reverse=True))
    info = signer_info(alice, usual, embedded=unsorted)
    data = detached(signed_data([info], certificates=certificates(alice)))
    assert verdict(data, trust).verdict is Verdict.VALID
    twice = signer_info(alice, [*usual, usual[0]])
    report = verdict(detached(signed_data([twice], certificates=certificates(alice))), trust)
    assert report.reasons == ("signed_attributes_wrong",)


def test_no_signed_attributes(openssl: OpenSsl, alice: Person, root: Authority, trust: Trust) -> None:
    data = openssl.sign(ENTITY, [alice], f"-noattr -from {ALICE} -to all@campus.example")
    assert openssl.verifies(data, anchor=root.certificate)
    assert verdict(data, trust).reasons == ("signed_attributes_wrong",)


def test_the_signed_attributes_confusion(openssl: OpenSsl, alice: Person, root: Authority, trust: Trust) -> None:
    """A message that Alice never wrote, out of one that she signed (draft-ietf-lamps-cms-euf-cma-signeddata)."""
    (info,) = read_signed_data(cms(alice)).signers
    assert info.signed_attributes is not None
    content = info.signed_attributes.encoded
    forged = signed_data(
        [signer_info(alice, None, signature=info.signature)], content=content, certificates=certificates(alice)
    )
    assert openssl.verifies(opaque(forged), anchor=root.certificate, options="-binary"), "others are taken in by it"
    report = verdict(opaque(forged), trust)
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("signed_attributes_wrong",))
    assert "signed_attributes_confusion" in report.signers[0].findings


def test_content_inside_a_detached_signature(alice: Person, trust: Trust) -> None:
    """CVE-2018-18509: the part that is shown is not the one that is signed; and not even if they are the same."""
    for content in (ENTITY, b"Content-Type: text/plain\r\n\r\nPay Mallory.\r\n"):
        report = verdict(detached(cms(alice, detached=False), content=content), trust)
        assert report.verdict is Verdict.INVALID
        assert "signature_malformed" in report.reasons


def test_a_third_part(alice: Person, trust: Trust) -> None:
    report = verdict(detached(cms(alice), further=b"\r\n--outer\r\n\r\nPay Mallory."), trust)
    assert (report.verdict, report.reasons, report.signers) == (Verdict.INVALID, ("signature_malformed",), ())


def test_sha1(openssl: OpenSsl, alice_rsa: Person, trust: Trust, issuing: Authority) -> None:
    data = openssl.sign(ENTITY, [alice_rsa], f"-md sha1 -from {ALICE} -to all@campus.example")
    records = (*trust.evidence.records, good(issuing, alice_rsa.certificate))
    report = verdict(data, replace(trust, evidence=replace(trust.evidence, records=records)))
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("algorithm_refused",))


def test_an_unknown_algorithm_is_not_decided(alice: Person, trust: Trust) -> None:
    info = signer_info(alice, usual_attributes(ENTITY), identifier=der.sequence(der.oid("1.2.3.4")))
    report = verdict(detached(signed_data([info], certificates=certificates(alice))), trust)
    assert (report.verdict, report.reasons) == (Verdict.INDETERMINATE, ("unsupported_algorithm",))


# --- signers ----------------------------------------------------------------------------------------------------------
def both(*people: Person, altered: Person | None = None) -> bytes:
    infos = [signer_info(one, usual_attributes(b"other" if one is altered else ENTITY)) for one in people]
    return detached(signed_data(infos, certificates=certificates(*people)))


def test_a_further_signer_must_be_valid_too(alice: Person, mallory: Person, trust: Trust) -> None:
    """Johnny c2: one good signature lifts no other."""
    for people in ((alice, mallory), (mallory, alice)):
        report = verdict(both(*people), trust)
        assert report.verdict is Verdict.VALID
        assert {one.address_binding for one in report.signers} == {AddressBinding.MATCH, AddressBinding.MISMATCH}
        broken = verdict(both(*people, altered=mallory), trust)
        assert (broken.verdict, broken.reasons) == (Verdict.INVALID, ("message_altered",))
        assert [one.verdict for one in broken.signers].count(Verdict.VALID) == 1


def test_without_certificates_nothing_is_decided(alice: Person, trust: Trust) -> None:
    data = detached(signed_data([signer_info(alice, usual_attributes(ENTITY))]))
    report = verdict(data, trust)
    assert (report.verdict, report.reasons) == (Verdict.INDETERMINATE, ("no_trusted_path",))
    assert report.signers[0].integrity is Outcome.OK


def test_without_certificates_an_altered_body_is_invalid_all_the_same(alice: Person, trust: Trust) -> None:
    data = detached(signed_data([signer_info(alice, usual_attributes(ENTITY))]), content=ENTITY + b"more\r\n")
    assert verdict(data, trust).reasons == ("message_altered", "no_trusted_path")


def test_another_root_is_not_trusted(alice: Person, issuing: Authority) -> None:
    from_elsewhere = trust_in(issuing, records=[])
    assert verdict(signed_mail(alice), from_elsewhere).reasons == ("revocation_unknown",)
    assert verdict(signed_mail(alice), trust_in()).reasons == ("no_trusted_path",)


def test_a_compromised_key(alice: Person, root: Authority, issuing: Authority) -> None:
    records = [
        good(root, issuing.certificate),
        revoked(issuing, alice.certificate, reason="keyCompromise", at=NOW),
    ]
    report = verdict(signed_mail(alice), trust_in(root, records=records))
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("signer_revoked",))
    assert report.signers[0].revocation.status == "revoked"


def test_crls_and_odd_certificates_in_the_message_are_told_and_not_used(alice: Person, trust: Trust) -> None:
    data = signed_data(
        [signer_info(alice, usual_attributes(ENTITY))],
        certificates=[*certificates(alice), der.sequence(der.null())],
        crls=[der.sequence()],
    )
    report = verdict(detached(data), trust)
    assert report.verdict is Verdict.VALID
    assert set(report.signers[0].findings) == {"certificate_unreadable", "crls_not_used"}


def test_what_would_help_is_named(alice: Person, issuing: Authority) -> None:
    opened = read(read_message(signed_mail(alice)))
    assert opened.certificates == opened.wanted_status
    assert set(opened.wanted_status) == {alice.certificate, issuing.certificate}
    assert opened.kind is Kind.SIGNED


def test_a_signing_time_far_from_date_is_told(alice: Person, trust: Trust) -> None:
    data = detached(cms(alice), head=HEAD.replace(b"12:00:00", b"10:59:59"))
    report = verdict(data, trust)
    assert report.verdict is Verdict.VALID
    assert report.signers[0].findings == ("signing_time_off_date",)
    assert verdict(detached(cms(alice), head=HEAD.replace(b"24 Nov", b"99 Nov")), trust).verdict is Verdict.VALID


# --- not signed, or sealed --------------------------------------------------------------------------------------------
def not_signed(report: Report) -> bool:
    return (report.verdict, report.coverage, report.signed_part, report.reasons) == (
        Verdict.NOT_SIGNED,
        Coverage.NONE,
        None,
        (),
    )


def test_a_plain_message_is_not_signed(trust: Trust) -> None:
    assert not_signed(verdict(HEAD + b"\r\nhello\r\n", trust))
    assert not_signed(verdict(b"Subject: no sender\r\n\r\nhello\r\n", trust))


def test_no_signers_are_no_signature(alice: Person, trust: Trust) -> None:
    bag = signed_data([], certificates=certificates(alice))
    for data, finding in ((detached(bag), "no_signers"), (opaque(bag), "certificates_only")):
        report = verdict(data, trust)
        assert not_signed(report)
        assert finding in report.findings


def test_openpgp_is_not_judged(trust: Trust) -> None:
    kind = "application/pgp-signature"
    report = verdict(detached(b"-----BEGIN PGP SIGNATURE-----", kind=kind, protocol=kind), trust)
    assert not_signed(report)
    assert report.findings == ("signature_of_another_kind",)


@pytest.mark.parametrize("oid", [oids.ENVELOPED_DATA, oids.AUTH_ENVELOPED_DATA])
def test_a_sealed_message_is_not_decided(trust: Trust, oid: str) -> None:
    sealed = der.sequence(der.oid(oid), der.explicit(0, der.sequence(der.integer(0))))
    report = verdict(opaque(sealed), trust)
    assert (report.verdict, report.reasons) == (Verdict.INDETERMINATE, ("message_encrypted",))
    assert report.coverage is Coverage.NONE
    part = verdict(mixed(opaque(sealed, head=b"")), trust)
    assert not_signed(part)
    assert part.findings == ("encrypted_part",)


def test_what_openssl_seals_is_not_decided(openssl: OpenSsl, alice_rsa: Person, trust: Trust) -> None:
    openssl.write("content", ENTITY)
    openssl.write("alice.pem", alice_rsa.certificate.pem)
    done = openssl.run(f"cms -encrypt -aes256 -in content -from {ALICE} -to {ALICE} alice.pem")
    assert verdict(done.stdout, trust).reasons == ("message_encrypted",)


def test_a_signature_around_a_sealed_part_is_judged(alice: Person, trust: Trust) -> None:
    sealed = der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, der.sequence(der.integer(0))))
    body = opaque(sealed, head=b"")
    report = verdict(detached(cms(alice, body), content=body), trust)
    assert report.verdict is Verdict.VALID
    assert report.findings == ("encrypted_part",)


# --- the bytes that were signed ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", list(Form))
def test_the_signed_bytes_come_with_the_fields_of_the_message(alice: Person, form: Form) -> None:
    data = detached(cms(alice)) if form is Form.DETACHED else opaque(cms(alice, detached=False))
    data = data.replace(b"Subject: Fees\r\n", b"Subject: Fees\r\nX-Odd: yes\r\n")
    result = signed_bytes(read(read_message(data)))
    assert result == HEAD + b"MIME-Version: 1.0\r\n" + ENTITY
    message = read_message(result)
    assert [str(sender) for sender in message.senders()] == [ALICE]


def test_the_signed_bytes_leave_out_what_surrounds_a_signed_part(alice: Person) -> None:
    result = signed_bytes(read(read_message(mixed(b"\r\nPay Mallory.", inner(alice)))))
    assert b"Mallory" not in result
    assert result.endswith(ENTITY)


def test_a_sender_inside_the_signed_part_does_not_take_the_place_of_the_judged_one(mallory: Person) -> None:
    content = b"From: rector@campus.example\r\nContent-Type: text/plain\r\nSubject: Fees\r\n\r\nPay Mallory.\r\n"
    data = detached(cms(mallory, content), content=content, head=HEAD.replace(b"alice", b"mallory"))
    result = signed_bytes(read(read_message(data)))
    assert [str(sender) for sender in read_message(result).senders()] == ["mallory@campus.example"]
    assert result.endswith(b"Content-Type: text/plain\r\n\r\nPay Mallory.\r\n")


def test_signed_bytes_that_are_no_mime_entity_become_the_body(alice: Person) -> None:
    content = b"no header here"
    result = signed_bytes(read(read_message(opaque(cms(alice, content, detached=False)))))
    assert result == HEAD + b"MIME-Version: 1.0\r\n\r\n" + content


def test_nothing_signed_gives_no_bytes() -> None:
    assert signed_bytes(read(read_message(HEAD + b"\r\nhello\r\n"))) == b""


# --- cost -------------------------------------------------------------------------------------------------------------
def test_many_signers_share_the_effort(alice: Person, trust: Trust, issuing: Authority) -> None:
    info = signer_info(alice, usual_attributes(ENTITY))
    report = verdict(detached(signed_data([info] * 64, certificates=certificates(alice))), trust)
    assert report.verdict is Verdict.VALID
    assert len(report.signers) == 64


def test_the_same_message_gives_the_same_report(alice: Person, trust: Trust) -> None:
    opened = read(read_message(signed_mail(alice)))
    assert judge(opened, trust=trust) == judge(opened, trust=trust)


def test_records_of_other_issuers_tell_nothing(alice: Person, root: Authority, issuing: Authority) -> None:
    stranger = StatusRecord(issuer_sha256=root.certificate.sha256, serial=alice.certificate.serial, status="good")
    report = verdict(signed_mail(alice), trust_in(root, records=[stranger, good(root, issuing.certificate)]))
    assert report.reasons == ("revocation_unknown",)
