from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from ca.errors import ReasonNotAllowed
from db import enrolments as table
from db import jobs, outbox
from db.errors import LeaseLost
from db.jobs import Lease
from db.tables import TABLES
from formats.errors import Refusal
from formats.mailbox import Mailbox, MailboxError
from formats.serial import Serial
from keys.pkcs12 import read_pkcs12
from keys.software import to_pkcs8
from services import access, api_keys, audit, certificates, enrolments, identities, revocation
from services import outbox as posting
from services.access import Principal
from services.api_keys import Grant
from services.authority import MATRIX
from services.certificates import Filter, Order
from services.enrolments import OpenedSession, Session
from services.errors import (
    AlreadyDelivered,
    AlreadyRevoked,
    CertificateNotFound,
    ChoiceUnknown,
    IdempotencyKeyMalformed,
    IdempotencyMismatch,
    LinkRefused,
    MailboxNotAllowed,
    MailDomainRefused,
    ProofInsufficient,
    ScopeMissing,
    SessionEnded,
    TooManyCertificates,
)
from services.handover import Handover
from services.outbox import Fact
from services.revocation import Cause
from tests.campus import Campus, csr
from tests.services.deeds import ALICE, NOTICES, add_identity, entries, issue, row_of

BOB: Final = "bob@campus.example"
ONCE: Final = "o" * 22
LINK: Final = re.compile(r"http://[^/]+/enrol/([A-Za-z0-9_-]{22})")


def ask(campus: Campus, address: str = ALICE) -> None:
    enrolments.request_link(campus.context, address=address, request_id="asked")


def letters(campus: Campus) -> list[Fact]:
    """What is to be mailed because links were asked for, oldest first."""
    with campus.context.database.read() as read:
        rows = sorted(outbox.due(read, now=campus.clock(), limit=100), key=lambda row: row.id)
    return [posting.read_fact(campus.context.vault, row) for row in rows if row.kind == "enrolment_link"]


def token(campus: Campus, address: str = ALICE) -> str:
    """What the link holds that is mailed to this address."""
    ask(campus, address)
    found = LINK.fullmatch(letters(campus)[-1].details["link"])
    assert found is not None
    return found[1]


def opened(campus: Campus, secret: str, browser: str | None = None) -> OpenedSession:
    return enrolments.open_session(
        campus.context, token=secret, browser=browser or enrolments.new_browser_secret(), request_id="confirmed"
    )


def confirm(campus: Campus, secret: str, browser: str | None = None) -> Session:
    return opened(campus, secret, browser).session


def enrolled(campus: Campus, address: str = ALICE, *, browser: str | None = None) -> Session:
    """Somebody who asked for a link, got it and confirmed it."""
    return confirm(campus, token(campus, address), browser)


def known(campus: Campus, browser: str | None) -> Session:
    return enrolments.session(campus.context, browser=browser, request_id="later")


def make_file(campus: Campus, session: Session, **changed: Any) -> Handover:
    asked = {"key": "p256", "file_format": "modern", "once": ONCE} | changed
    return enrolments.make_file(campus.context, session, **asked)


def certify(campus: Campus, session: Session, request: bytes, once: str = ONCE) -> certificates.CertificateView:
    return enrolments.certify_request(campus.context, session, request=request, once=once)


def end(campus: Campus, session: Session, serial: str, reason: str = "stopped") -> certificates.CertificateView:
    return enrolments.end(campus.context, session, serial=serial, reason=reason)


def serials(campus: Campus, session: Session) -> list[str]:
    return [view.serial for view in enrolments.mine(campus.context, session)]


def in_rows(campus: Campus) -> int:
    """How many enrolments there are."""
    with campus.context.database.read() as read:
        return len(read.values(select(table.ENROLMENTS.c.id)))


# asking for a link


def test_link_is_mailed_to_the_address_that_asked(campus: Campus) -> None:
    ask(campus)
    (letter,) = letters(campus)
    assert str(letter.mailbox) == ALICE
    assert LINK.fullmatch(letter.details["link"])
    assert letter.details["link"].startswith(campus.context.settings.public_url)
    assert letter.details["minutes"] == "60"


def test_each_link_is_another(campus: Campus) -> None:
    assert len({token(campus, f"{name}@campus.example") for name in "abcd"}) == 4
    assert len({enrolments.new_browser_secret() for _ in range(4)}) == 4


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "alice@campus.example\r\nBcc: eve@elsewhere.example",
        "alice@campus.example, bob@campus.example",
        "Alice <alice@campus.example>",
        "<b>alice</b>@campus.example",
        "al\u202eice@campus.example",
        "*@campus.example",
        "al*ce@campus.example",
        "a" * 2000 + "@campus.example",
        "\udc80@campus.example",
    ],
)
def test_address_that_cannot_be_read_is_refused_and_nothing_stored(campus: Campus, address: str) -> None:
    before = entries(campus)
    with pytest.raises(MailboxError):
        ask(campus, address)
    assert (in_rows(campus), entries(campus)) == (0, before)


@pytest.mark.parametrize("address", ["alice@elsewhere.example", "alice@sub.campus.example"])
def test_address_outside_the_campus_gets_nothing_and_nobody_is_told(campus: Campus, address: str) -> None:
    before = entries(campus)
    ask(campus, address)
    assert (in_rows(campus), letters(campus), entries(campus)) == (0, [], before)


def test_known_and_unknown_addresses_are_treated_alike(campus: Campus) -> None:
    issue(campus, ALICE)
    ask(campus, ALICE)
    ask(campus, BOB)
    assert [str(letter.mailbox) for letter in letters(campus)] == [ALICE, BOB]


def test_fourth_letter_within_an_hour_is_not_written(campus: Campus) -> None:
    for spelling in (ALICE, "Alice@campus.example", "ALICE@CAMPUS.EXAMPLE", ALICE):
        ask(campus, spelling)
    ask(campus, BOB)
    assert len(letters(campus)) == in_rows(campus) == 4
    campus.clock.advance(timedelta(minutes=59))
    ask(campus)
    assert in_rows(campus) == 4
    campus.clock.advance(timedelta(minutes=1))
    ask(campus)
    assert in_rows(campus) == 5


def test_details_of_a_mailbox_share_three_letters_and_take_none_of_its_own(campus: Campus) -> None:
    """A link for a detail does not end what was issued for the mailbox."""
    details = ("alice+list", "Alice+", "alice+a+b", "alice+c", '"alice+ "', '"alice+ 2"', '"al\\ice+ 3"')
    for local in details:
        ask(campus, f"{local}@campus.example")
    assert in_rows(campus) == 3
    for _ in range(4):
        ask(campus)
    assert len(letters(campus)) == in_rows(campus) == 6


def test_of_many_at_once_three_letters_are_written(campus: Campus) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(campus), range(8)))
    assert in_rows(campus) == len(letters(campus)) == 3


def test_mailbox_keeps_the_spelling_that_is_certified(campus: Campus) -> None:
    issue(campus, ALICE)
    session = enrolled(campus, "ALICE@campus.example")
    assert str(letters(campus)[0].mailbox) == str(session.mailbox) == ALICE
    assert make_file(campus, session).view.mailboxes == (ALICE,)


# opening it


def test_link_opens_a_session_of_half_an_hour_for_its_mailbox(campus: Campus) -> None:
    it = opened(campus, token(campus))
    session = it.session
    assert session.mailbox == Mailbox.parse(ALICE)
    assert session.expires_at == campus.clock() + timedelta(minutes=30)
    assert (session.principal.kind, session.principal.id) == ("link", session.enrolment_id)
    assert session.principal.request_id == "confirmed"
    later = known(campus, it.secret)
    assert later == replace(session, principal=replace(session.principal, request_id="later"))


def test_other_link_is_refused_and_uses_nothing_up(campus: Campus) -> None:
    secret = token(campus)
    cut, foreign = (secret[:-1], secret[1:], ""), ("A" * 22, secret.swapcase(), "\u00e9" * 22, "\udc80" * 22)
    longer = (secret + "A", secret + "\n", f" {secret}", f"{secret}=", secret * 100_000)
    for other in (*cut, *foreign, *longer):
        with pytest.raises(LinkRefused, match="the link was used, has expired, or is not one of ours"):
            confirm(campus, other)
    assert confirm(campus, secret).mailbox == Mailbox.parse(ALICE)


def test_link_is_refused_after_an_hour(campus: Campus) -> None:
    first, second = token(campus), token(campus)
    campus.clock.advance(timedelta(minutes=59, seconds=59))
    assert confirm(campus, first).mailbox == Mailbox.parse(ALICE)
    campus.clock.advance(timedelta(seconds=1))
    with pytest.raises(LinkRefused, match="the link was used, has expired, or is not one of ours"):
        confirm(campus, second)


def test_link_is_one_browser_s(campus: Campus) -> None:
    secret = token(campus)
    session = opened(campus, secret)
    with pytest.raises(LinkRefused, match="the link was used, has expired, or is not one of ours"):
        confirm(campus, secret)
    assert known(campus, session.secret).mailbox == Mailbox.parse(ALICE)


def test_session_hangs_on_a_secret_that_nobody_had_before(campus: Campus) -> None:
    """Somebody had set a secret in this browser that they know, and waited for the link to be opened in it."""
    planted = enrolments.new_browser_secret()
    secret = token(campus)
    session = opened(campus, secret, planted)
    assert session.secret not in {planted, secret, opened(campus, token(campus, BOB), planted).secret}
    assert session.secret not in repr(session)
    for guess in (planted, secret):
        with pytest.raises(SessionEnded):
            known(campus, guess)
    assert known(campus, session.secret).mailbox == Mailbox.parse(ALICE)


def test_double_click_opens_the_same_session_and_does_not_prolong_it(campus: Campus) -> None:
    secret, browser = token(campus), enrolments.new_browser_secret()
    first = opened(campus, secret, browser)
    campus.clock.advance(timedelta(minutes=10))
    assert opened(campus, secret, browser) == first
    assert opened(campus, secret, first.secret) == first, "in a second tab, whose browser has the new secret"
    assert [entry.action for entry in entries(campus)].count("enrolment.confirmed") == 1


def test_link_of_a_session_that_is_over_opens_nothing_more(campus: Campus) -> None:
    secret, browser = token(campus), enrolments.new_browser_secret()
    enrolments.end_session(campus.context, confirm(campus, secret, browser))
    with pytest.raises(LinkRefused):
        confirm(campus, secret, browser)
    other = token(campus)
    confirm(campus, other, browser)
    campus.clock.advance(timedelta(minutes=30))
    with pytest.raises(LinkRefused):
        confirm(campus, other, browser)


@pytest.mark.parametrize("browser", ["", "short", "B" * 23, "\u00e9" * 22])
def test_link_is_not_used_up_by_a_browser_without_a_secret_of_ours(campus: Campus, browser: str) -> None:
    secret = token(campus)
    with pytest.raises(LinkRefused):
        enrolments.open_session(campus.context, token=secret, browser=browser, request_id="r")
    assert confirm(campus, secret).mailbox == Mailbox.parse(ALICE)


def test_of_two_browsers_at_once_exactly_one_gets_the_session(campus: Campus) -> None:
    secret = token(campus)
    browsers = [enrolments.new_browser_secret() for _ in range(6)]
    together = threading.Barrier(6)

    def attempt(browser: str) -> OpenedSession | None:
        together.wait(30)
        try:
            return opened(campus, secret, browser)
        except LinkRefused:
            return None

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(attempt, browsers))
    assert sum(session is not None for session in got) == 1
    (session,) = (one for one in got if one is not None)
    assert known(campus, session.secret).enrolment_id == session.session.enrolment_id
    assert [entry.action for entry in entries(campus)].count("enrolment.confirmed") == 1


def test_browser_has_one_session_at_a_time(campus: Campus) -> None:
    first = opened(campus, token(campus))
    second = opened(campus, token(campus, BOB), first.secret)
    assert known(campus, second.secret).mailbox == Mailbox.parse(BOB)
    with pytest.raises(SessionEnded):
        known(campus, first.secret)
    with pytest.raises(SessionEnded):
        serials(campus, first.session)


def test_link_is_looked_at_without_using_it_up(campus: Campus) -> None:
    secret, browser = token(campus), enrolments.new_browser_secret()

    def look(one: str, by: str | None) -> bool:
        return enrolments.find_link(campus.context, token=one, browser=by)

    assert not any(look(secret, by) for by in (None, browser))
    it = opened(campus, secret, browser)
    assert look(secret, it.secret)
    expired = token(campus, BOB)
    campus.clock.advance(timedelta(minutes=30))
    for one, by in ((secret, None), (secret, browser), (secret, it.secret), ("A" * 22, None), ("\u00e9" * 22, browser)):
        with pytest.raises(LinkRefused):
            look(one, by)
    assert not look(expired, None)
    campus.clock.advance(timedelta(minutes=30))
    with pytest.raises(LinkRefused):
        look(expired, None)


def test_those_that_can_be_ended_come_first(campus: Campus) -> None:
    session = enrolled(campus)
    made = [make_file(campus, session, once=f"{number:022d}").view.serial for number in range(4)]
    for serial in made[1:3]:
        end(campus, session, serial)
    assert serials(campus, session) == [made[3], made[0], made[2], made[1]]


def test_mailbox_has_at_most_50_certificates_at_a_time_by_links(campus: Campus) -> None:
    issue(campus, ALICE)  # what programs get does not count
    session = enrolled(campus)
    forms = [(csr(ALICE), f"{number:022d}") for number in range(50)]
    first, *_, last = [certify(campus, session, *form).serial for form in forms]
    assert certify(campus, session, *forms[-1]).serial == last, "the same form again"
    assert len(serials(campus, session)) == 51
    for deed in (make_file, lambda campus, session, once: certify(campus, session, csr(), once)):
        with pytest.raises(TooManyCertificates):
            deed(campus, session, once="x" * 22)
    end(campus, session, first)
    assert make_file(campus, session, once="y" * 22).view.status == "active"


def test_certificate_is_for_the_spelling_that_was_certified_meanwhile(campus: Campus) -> None:
    session = enrolled(campus, "Alice@campus.example")
    issue(campus, ALICE)
    assert make_file(campus, session).view.mailboxes == (ALICE,)


# the session's end


DEEDS: Final[tuple[Callable[[Campus, Session], object], ...]] = (
    lambda campus, session: enrolments.mine(campus.context, session),
    make_file,
    lambda campus, session: certify(campus, session, csr()),
    lambda campus, session: end(campus, session, "ab" * 16),
)


@pytest.mark.parametrize("deed", DEEDS, ids=["mine", "make_file", "certify_request", "end"])
@pytest.mark.parametrize("how", ["ended", "expired"])
def test_nothing_is_possible_after_the_session(campus: Campus, deed: Callable[..., object], how: str) -> None:
    it = opened(campus, token(campus))
    session = it.session
    if how == "ended":
        enrolments.end_session(campus.context, session)
    else:
        campus.clock.advance(timedelta(minutes=30))
    before = entries(campus)
    with pytest.raises(SessionEnded):
        deed(campus, session)
    with pytest.raises(SessionEnded):
        known(campus, it.secret)
    assert entries(campus) == before


@pytest.mark.parametrize("browser", [None, "", "B" * 22, "B" * 21, "\u00e9" * 22, "\udc80" * 22, "B" * 1_000_000])
def test_unknown_browser_has_nothing_open(campus: Campus, browser: str | None) -> None:
    enrolled(campus)
    with pytest.raises(SessionEnded):
        known(campus, browser)


def test_ending_twice_is_ending_once(campus: Campus) -> None:
    session = enrolled(campus)
    enrolments.end_session(campus.context, session)
    enrolments.end_session(campus.context, session)
    assert [entry.action for entry in entries(campus)].count("enrolment.ended") == 1


def test_session_that_was_made_up_is_none(campus: Campus) -> None:
    principal = access.link("made-up", mailbox=Mailbox.parse(ALICE), request_id="r")
    made_up = Session(
        enrolment_id="made-up", mailbox=Mailbox.parse(ALICE), principal=principal, expires_at=campus.clock()
    )
    with pytest.raises(SessionEnded):
        serials(campus, made_up)


# what it may


@pytest.mark.parametrize("key", ["rsa3072", "p256"])
def test_file_holds_a_key_and_a_mailbox_certificate_proved_by_the_link(campus: Campus, key: str) -> None:
    session = enrolled(campus)
    made = make_file(campus, session, key=key, file_format="compatible" if key == "p256" else "modern")
    private_key, certificate, chain = read_pkcs12(made.pkcs12, made.passphrase)
    assert certificate.x509.public_key() == private_key.public_key()
    assert chain == made.view.chain
    row = row_of(campus, made.view.serial)
    assert (row.profile, row.use, row.mailboxes) == ("mailbox", "dual", (ALICE,))
    assert (row.proof, row.proof_detail) == ("link", session.enrolment_id)
    assert row.key_id is None
    assert made.view.proof == "link"
    assert serials(campus, session) == [made.view.serial]


def test_file_is_handed_out_once_for_each_form(campus: Campus) -> None:
    session = enrolled(campus)
    first = make_file(campus, session)
    with pytest.raises(AlreadyDelivered):
        make_file(campus, session)
    with pytest.raises(IdempotencyMismatch):
        make_file(campus, session, file_format="compatible")
    with pytest.raises(IdempotencyMismatch):
        certify(campus, session, csr())
    second = make_file(campus, session, once="p" * 22)
    assert serials(campus, session) == [second.view.serial, first.view.serial]


def test_two_clicks_at_once_make_one_file(campus: Campus) -> None:
    session, together = enrolled(campus), threading.Barrier(2)

    def click(_: int) -> str:
        together.wait(30)
        try:
            return make_file(campus, session).view.serial
        except Refusal as refusal:
            return str(refusal.code)

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(click, range(2)))
    (serial,) = serials(campus, session)
    assert serial in answers
    assert set(answers) - {serial} <= {"already_delivered", "in_progress"}
    assert len(set(answers)) == 2


def test_form_of_one_session_is_not_another_s(campus: Campus) -> None:
    make_file(campus, enrolled(campus))
    assert make_file(campus, enrolled(campus, BOB)).view.mailboxes == (BOB,)


@pytest.mark.parametrize("once", ["", "o" * 21, "o" * 23, "o" * 21 + "\n", "o" * 21 + " ", "\u00e9" * 22, "o" * 99999])
def test_form_without_its_random_text_is_refused(campus: Campus, once: str) -> None:
    session = enrolled(campus)
    with pytest.raises(IdempotencyKeyMalformed):
        make_file(campus, session, once=once)
    with pytest.raises(IdempotencyKeyMalformed):
        certify(campus, session, csr(), once)
    assert serials(campus, session) == []


@pytest.mark.parametrize("wrong", [{"key": "p384"}, {"key": "rsa1024"}, {"key": ""}, {"file_format": "old"}])
def test_other_keys_and_files_are_not_made(campus: Campus, wrong: dict[str, str]) -> None:
    session = enrolled(campus)
    with pytest.raises(ChoiceUnknown):
        make_file(campus, session, **wrong)
    assert serials(campus, session) == []


@pytest.mark.parametrize("named", [None, ALICE])
def test_request_is_certified_for_the_session_s_mailbox(campus: Campus, named: str | None) -> None:
    session, request = enrolled(campus), csr(named)
    view = certify(campus, session, request)
    assert view.mailboxes == (ALICE,)
    assert row_of(campus, view.serial).proof_detail == session.enrolment_id
    assert certify(campus, session, request).serial == view.serial
    assert serials(campus, session) == [view.serial]


def csr_of_both() -> bytes:
    names = x509.SubjectAlternativeName([x509.RFC822Name(ALICE), x509.RFC822Name(BOB)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (csr(BOB), "mailboxes_refused"),
        (csr_of_both(), "mailboxes_refused"),
        (b"", "csr_malformed"),
        (b"\x30" * 5000, "csr_malformed"),
        (b"\x00" * 2_000_000, "csr_too_large"),
    ],
)
def test_request_that_does_not_fit_is_refused_and_nothing_stored(campus: Campus, request_: bytes, code: str) -> None:
    session = enrolled(campus)
    before = entries(campus)
    with pytest.raises(Refusal) as caught:
        certify(campus, session, request_)
    assert caught.value.code == code
    assert entries(campus) == before
    assert certify(campus, session, csr(), "p" * 22).mailboxes == (ALICE,)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stolen", "keyCompromise"), ("replaced", "superseded"), ("stopped", "cessationOfOperation")],
)
def test_certificate_ends_for_a_reason_in_plain_words(campus: Campus, word: str, reason: str) -> None:
    session = enrolled(campus)
    view = end(campus, session, make_file(campus, session).view.serial, word)
    assert (view.status, view.revocation.reason if view.revocation else None) == ("revoked", reason)
    assert serials(campus, session) == [view.serial]
    with pytest.raises(AlreadyRevoked):
        end(campus, session, view.serial, word)


@pytest.mark.parametrize("word", ["left", "withdrawn", "keyCompromise", "superseded", "certificateHold", "", "\udc80"])
def test_other_reasons_are_not_the_mailbox_reader_s(campus: Campus, word: str) -> None:
    session = enrolled(campus)
    serial = make_file(campus, session).view.serial
    with pytest.raises(ReasonNotAllowed, match=r"stolen, replaced, stopped$"):
        end(campus, session, serial, word)
    assert row_of(campus, serial).revoked_at is None


def test_certificates_of_the_mailbox_are_shown_and_ended_whoever_asked_for_them(campus: Campus) -> None:
    names = {"given_name": "Alice", "surname": "Able"}
    person = Order(request=csr(ALICE), profile="person", person="p-1", subject=names)
    mailbox, named = issue(campus, ALICE).serial, issue(campus, order=person).serial
    session = enrolled(campus)
    assert serials(campus, session) == [named, mailbox]
    assert end(campus, session, named).status == end(campus, session, mailbox).status == "revoked"


# what it may not


ALLOWED: Final = {"certificates.issue", "certificates.list", "certificates.show", "certificates.revoke"}


@pytest.mark.parametrize("operation", MATRIX)
def test_link_may_four_things_and_for_its_mailbox_alone(operation: str) -> None:
    principal = access.link("e1", mailbox=Mailbox.parse(ALICE), request_id="r")
    if operation in ALLOWED:
        access.allow(principal, operation, mailboxes=[Mailbox.parse(ALICE)])
        for other in (BOB, "alice@cuhk.example", "alice@sub.campus.example"):
            with pytest.raises(MailboxNotAllowed):
                access.allow(principal, operation, mailboxes=[Mailbox.parse(ALICE), Mailbox.parse(other)])
    else:
        with pytest.raises(ScopeMissing):
            access.allow(principal, operation, mailboxes=[Mailbox.parse(ALICE)])


def test_link_reads_no_record_and_reaches_no_other_noun(campus: Campus) -> None:
    who, context = enrolled(campus).principal, campus.context
    with pytest.raises(ScopeMissing):
        audit.page(context, who, narrowed=audit.Filter(), before_id=None, limit=50)
    with pytest.raises(ScopeMissing):
        identities.add(context, who, mailbox=Mailbox.parse(ALICE), key="p256", encryption_key="p256")
    with pytest.raises(ScopeMissing):
        api_keys.add(context, who, grant=Grant(name="mine", scopes=("certificates:read",), mailboxes=(ALICE,)))


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (Order(profile="role"), ProofInsufficient),
        (Order(profile="person", person="p-1", subject={"given_name": "A", "surname": "B"}), ProofInsufficient),
        (Order(person="p-1"), ProofInsufficient),
        (Order(subject={"common_name": "The President"}), ProofInsufficient),
        (Order(subject={}), ProofInsufficient),
        (Order(mailboxes=(BOB,)), MailboxNotAllowed),
        (Order(mailboxes=(ALICE, BOB)), MailboxNotAllowed),
    ],
)
def test_link_gets_no_name_no_role_and_no_other_mailbox(campus: Campus, order: Order, refusal: type[Refusal]) -> None:
    who = enrolled(campus).principal
    before = entries(campus)
    request = csr(None if order.mailboxes else ALICE)
    with pytest.raises(refusal):
        issue(campus, by=who, order=replace(order, request=request))
    assert entries(campus) == before


def test_role_certificates_of_its_mailbox_are_neither_shown_nor_ended(campus: Campus) -> None:
    identity = add_identity(campus)
    session = enrolled(campus, str(NOTICES))
    assert serials(campus, session) == []
    for serial in (identity.serial, identity.encryption_serial):
        with pytest.raises(CertificateNotFound):
            end(campus, session, serial, "stolen")
        with pytest.raises(CertificateNotFound):
            certificates.show(campus.context, session.principal, serial=Serial.parse(serial))
        with pytest.raises(CertificateNotFound):
            revocation.revoke(
                campus.context, session.principal, serial=Serial.parse(serial), cause=Cause(reason="superseded")
            )
        assert row_of(campus, serial).revoked_at is None
    for narrowed in (Filter(), Filter(profiles=("role",)), Filter(serial=Serial.parse(identity.serial))):
        listed = certificates.page(campus.context, session.principal, narrowed=narrowed, before_id=None, limit=9)
        assert listed == []


def test_certificates_of_others_are_neither_shown_nor_ended(campus: Campus) -> None:
    bob = issue(campus, BOB).serial
    both = issue(campus, order=Order(request=csr_of_both())).serial
    session = enrolled(campus)
    assert serials(campus, session) == []
    for serial in (bob, both, "ab" * 16):
        with pytest.raises(CertificateNotFound):
            end(campus, session, serial)


def test_list_of_a_key_is_narrowed_to_profiles(campus: Campus) -> None:
    add_identity(campus)
    mailbox = issue(campus).serial

    def listed(*profiles: str) -> list[str]:
        narrowed = Filter(profiles=profiles)
        page = certificates.page(campus.context, campus.admin, narrowed=narrowed, before_id=None, limit=9)
        return [view.serial for view in page]

    assert listed("mailbox", "person") == [mailbox]
    assert len(listed("role")) == 2
    assert listed() == []


def test_campus_that_lost_a_domain_certifies_nothing_there(campus: Campus) -> None:
    session = enrolled(campus)
    issuers = campus.context.issuers
    fewer = replace(issuers, campus=replace(issuers.campus, mail_domains=("cuhk.example",)))
    elsewhere = replace(campus, context=replace(campus.context, issuers=fewer))
    with pytest.raises(MailDomainRefused):
        make_file(elsewhere, session)


# what is kept


def test_record_tells_who_asked_confirmed_and_did_what(campus: Campus) -> None:
    start = len(entries(campus))
    session = enrolled(campus)
    serial = make_file(campus, session).view.serial
    end(campus, session, serial)
    enrolments.end_session(campus.context, session)
    found = entries(campus)[start:]
    assert [(entry.action, entry.object_id) for entry in found] == [
        ("enrolment.requested", session.enrolment_id),
        ("enrolment.confirmed", session.enrolment_id),
        ("certificate.intended", serial),
        ("certificate.issued", serial),
        ("certificate.revoked", serial),
        ("enrolment.ended", session.enrolment_id),
    ]
    assert {(entry.actor_kind, entry.actor_id, entry.actor_name, entry.mailbox) for entry in found} == {
        ("link", session.enrolment_id, ALICE, ALICE)
    }
    assert [entry.request_id for entry in found[:2]] == ["asked", "confirmed"]
    assert found[3].details["proof"] == "link"
    assert found[3].details["proof_detail"] == session.enrolment_id


def test_no_secret_is_kept_anywhere(campus: Campus) -> None:
    browser = enrolments.new_browser_secret()
    unused, secret = token(campus), token(campus)
    it = opened(campus, secret, browser)
    session = it.session
    made = make_file(campus, session)
    key, _, _ = read_pkcs12(made.pkcs12, made.passphrase)
    texts = [one.encode() for one in (unused, secret, browser, it.secret, made.passphrase)]
    hidden = [*texts, made.pkcs12, to_pkcs8(key)]
    kept = stored(campus)
    assert session.enrolment_id.encode() in kept
    assert [one for one in hidden if one in kept or one.hex().encode() in kept] == []
    assert not any(one.decode() in repr((session, made)) for one in hidden[:5])


def stored(campus: Campus) -> bytes:
    """Every value of every table, and on SQLite the files as they lie there."""
    with campus.context.database.read() as read:
        values = [value for one in TABLES for row in read.execute(select(one)) for value in row]
    octets = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    if campus.context.database.is_sqlite:
        octets += [file.read_bytes() for file in campus.context.settings.data.glob("mailseal.db*")]
        assert len(octets) > len(values)
    return b"\n".join(octets)


def lease_on(campus: Campus) -> Lease:
    with campus.context.database.write() as write:
        jobs.ensure(write, enrolments.JOB, due_at=campus.clock())
        lease = jobs.claim(write, holder="test", now=campus.clock(), lease_seconds=30, names=(enrolments.JOB,))
    assert lease is not None
    return lease


def job() -> Principal:
    return access.job(enrolments.JOB, request_id="job")


def test_links_are_forgotten_after_ninety_days_and_certificates_stay(campus: Campus) -> None:
    serial = make_file(campus, enrolled(campus)).view.serial
    ask(campus, BOB)
    campus.clock.advance(timedelta(days=90, hours=1))
    assert enrolments.forget_old(campus.context, job(), lease=lease_on(campus)) == 0
    ask(campus)
    campus.clock.advance(timedelta(seconds=1))
    assert enrolments.forget_old(campus.context, job(), lease=lease_on_again(campus)) == 2
    assert in_rows(campus) == 1
    assert row_of(campus, serial).proof == "link"


def lease_on_again(campus: Campus) -> Lease:
    campus.clock.advance(timedelta(seconds=30))
    return lease_on(campus)


def test_more_than_one_batch_is_forgotten(campus: Campus) -> None:
    for name in "abcde":
        ask(campus, f"{name}@campus.example")
    campus.clock.advance(timedelta(days=91))
    assert enrolments.forget_old(campus.context, job(), lease=lease_on(campus), at_a_time=2) == 5


def test_job_that_lost_its_lease_forgets_nothing(campus: Campus) -> None:
    ask(campus)
    campus.clock.advance(timedelta(days=91))
    lease = lease_on(campus)
    campus.clock.advance(timedelta(minutes=1))
    with pytest.raises(LeaseLost):
        enrolments.forget_old(campus.context, job(), lease=lease)
    assert in_rows(campus) == 1
