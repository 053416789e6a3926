from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import db.certificates
from db import certificates, private_keys
from db.certificates import CertificateRow, KeyUse, StatusRow, Visible
from db.engine import Database, Read, Write
from db.errors import AlreadyThere, DatabaseBusy, StatementRefused
from tests.database import opened
from tests.db.rows import DAY, DEADLINE, HOUR, NOW, found, intent, issue, private_key, revoke

LATER = NOW + DAY


@pytest.fixture
def write(database: Database) -> Iterator[Write]:
    """A Write in which root and issuing CA are there."""
    with database.write() as one:
        found(one)
        yield one


def serials(rows: list[CertificateRow]) -> list[str]:
    return [row.serial for row in rows]


def page(read: Read, *, visible: Visible | None = None, limit: int = 50, **filters: object) -> list[str]:
    """The serials on a page."""
    rows = certificates.page(read, visible=visible, now=NOW, before_id=None, limit=limit, **filters)  # type: ignore[arg-type]  # filters by name
    return serials(rows)


def complete(write: Write, row: CertificateRow, **changes: object) -> bool:
    done = {"owner": "me", "certificate": b"der", "sha256": "ab" * 32, "subject_key_id": None, "now": NOW} | changes
    return certificates.complete(write, row.serial, **done)  # type: ignore[arg-type]  # changes by name


def settle(write: Write, row: CertificateRow, **changes: object) -> bool:
    done = {"owner": "me", "now": DEADLINE, "reason": "cessationOfOperation", "crl_entry": b"entry"} | changes
    return certificates.settle(write, row.serial, **done)  # type: ignore[arg-type]  # changes by name


# --- intent, completion, settlement ---


def test_intent_comes_back_as_it_was_stored(write: Write) -> None:
    row = intent("Alice@campus.example", "a@cuhk.example", person="idp|1", note=None, profile="person")
    certificates.insert_intended(write, row)
    assert certificates.find(write, row.serial) == row
    assert certificates.find(write, "00" * 16) is None


def test_serial_is_unique_over_all_issuers(database: Database) -> None:
    row = intent()
    with database.write() as write:
        found(write)
        certificates.insert_intended(write, row)
    with pytest.raises(AlreadyThere), database.write() as write:
        certificates.insert_intended(write, intent(serial=row.serial, issuer_id="root"))


def test_completion_stores_the_certificate_and_nothing_else(write: Write) -> None:
    row = intent("alice@campus.example")
    certificates.insert_intended(write, row)
    assert complete(write, row)
    completed = certificates.find(write, row.serial)
    assert completed is not None
    assert (completed.state, completed.certificate, completed.sha256) == ("issued", b"der", "ab" * 32)
    assert (completed.revoked_at, completed.mailboxes, completed.lookalike) == (None, row.mailboxes, row.lookalike)


def test_only_the_owner_completes_and_only_once(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    assert not complete(write, row, owner="somebody else")
    assert complete(write, row)
    assert not complete(write, row)


def test_at_the_deadline_settling_wins(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    just_before = DEADLINE - timedelta(microseconds=1)
    assert certificates.overdue(write, just_before, limit=10) == []
    assert not settle(write, row, now=just_before)
    assert serials(certificates.overdue(write, DEADLINE, limit=10)) == [row.serial]
    assert not complete(write, row, now=DEADLINE)
    assert settle(write, row)


def test_settled_serial_is_revoked_for_good_and_never_completed(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    assert not settle(write, row, owner="somebody else")
    assert settle(write, row)
    assert not settle(write, row)
    assert not complete(write, row)
    settled = certificates.find(write, row.serial)
    assert settled is not None
    assert (settled.state, settled.certificate, settled.revoked_at) == ("settled", None, DEADLINE)
    assert (settled.reason, settled.crl_entry) == ("cessationOfOperation", b"entry")
    assert certificates.overdue(write, LATER, limit=10) == []


def test_completed_certificate_is_not_settled(write: Write) -> None:
    row = issue(write)
    assert certificates.overdue(write, LATER, limit=10) == []
    assert not settle(write, row)


def test_overdue_intents_come_oldest_first_and_not_all_at_once(write: Write) -> None:
    rows = [intent(deadline=NOW + number * HOUR) for number in (3, 1, 2)]
    for row in rows:
        certificates.insert_intended(write, row)
    assert serials(certificates.overdue(write, LATER, limit=2)) == [rows[1].serial, rows[2].serial]


def test_of_completion_and_settlement_at_once_exactly_one_happens(database: Database) -> None:
    with database.write() as write:
        found(write)
        rows = [intent() for _ in range(12)]
        for row in rows:
            certificates.insert_intended(write, row)

    def run(number: int) -> bool:
        row = rows[number // 2]
        with database.write() as write:
            # A clock that is slow and one that is fast: what decides is the state, whatever the clocks say.
            return complete(write, row, sha256=f"{number:064x}") if number % 2 else settle(write, row)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(run, range(24)))
    with database.read() as read:
        states = [certificates.status_of(read, "g1", row.serial) for row in rows]
    for number, status in enumerate(states):
        settled, issued = done[2 * number], done[2 * number + 1]
        assert settled != issued
        assert status is not None
        assert status.state == ("issued" if issued else "settled")


def test_key_and_certificate_may_be_stored_in_either_order(database: Database) -> None:
    key = private_key()
    with database.write() as write:
        found(write)
        certificates.insert_intended(write, intent(key_id=key.id))
        private_keys.insert(write, key)
    with pytest.raises(StatementRefused), database.write() as write:
        certificates.insert_intended(write, intent(key_id="nowhere"))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "lost"},
        {"use": "everything"},
        {"proof": "rumour"},
        {"serial": "ab"},
        {"state": "issued"},
        {"state": "issued", "certificate": b"der"},
        {"certificate": b"der", "sha256": "ab"},
        {"state": "settled"},
        {"revoked_at": NOW},
        {"reason": "superseded"},
        {"revoked_at": NOW, "reason": "certificateHold", "crl_entry": b"entry"},
        {"not_after": NOW - HOUR},
        {"issuer_id": "nowhere"},
    ],
    ids=str,
)
def test_row_that_cannot_be_is_refused(database: Database, changes: dict[str, object]) -> None:
    with database.write() as write:
        found(write)
    with pytest.raises(StatementRefused), database.write() as write:
        certificates.insert_intended(write, intent(**changes))


def test_there_is_no_way_to_delete() -> None:
    assert [name for name in dir(db.certificates) if "delete" in name or "remove" in name] == []


# --- revocation ---


def test_revocation_keeps_why_and_since_when(write: Write) -> None:
    row = issue(write)
    assert revoke(write, row.serial, invalidity_date=NOW - HOUR, note="lost laptop")
    revoked = certificates.find(write, row.serial)
    assert revoked is not None
    assert (revoked.state, revoked.revoked_at, revoked.reason) == ("issued", NOW, "superseded")
    assert (revoked.invalidity_date, revoked.note) == (NOW - HOUR, "lost laptop")
    assert revoked.crl_entry == b"entry " + row.serial.encode()


def test_intent_and_unknown_serial_are_not_revoked(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    assert not revoke(write, row.serial)
    assert not revoke(write, "00" * 16)


def test_revocation_is_a_one_way_door(write: Write) -> None:
    row = issue(write)
    assert revoke(write, row.serial)
    assert not revoke(write, row.serial)
    assert not revoke(write, row.serial, reason="affiliationChanged", only_if_reason_is="superseded")
    assert not revoke(write, row.serial, reason="superseded", only_if_reason_is="superseded")
    assert not revoke(write, row.serial, reason="keyCompromise", only_if_reason_is="affiliationChanged")
    assert revoke(write, row.serial, reason="keyCompromise", only_if_reason_is="superseded")
    assert not revoke(write, row.serial, reason="keyCompromise", only_if_reason_is="keyCompromise")
    assert not revoke(write, row.serial, reason="superseded", only_if_reason_is="keyCompromise")


def test_settled_serial_may_be_upgraded_to_key_compromise(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    assert settle(write, row)
    assert not revoke(write, row.serial)
    assert revoke(write, row.serial, reason="keyCompromise", only_if_reason_is="cessationOfOperation")


def test_of_many_revocations_at_once_one_counts(database: Database) -> None:
    with database.write() as write:
        found(write)
        row = issue(write)

    def run(number: int) -> bool:
        with database.write() as write:
            before = certificates.find(write, row.serial)
            assert before is not None
            return revoke(write, row.serial, note=str(number))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(run, range(16))) == [False] * 15 + [True]


@pytest.mark.parametrize("many", [False, True], ids=["find", "find_many"])
def test_row_that_a_write_found_is_changed_by_nobody_else_before_it_ends(database_url: str, many: bool) -> None:
    with opened(database_url) as first, opened(database_url, busy_seconds=0.05) as second:
        with first.write() as write:
            found(write)
            row = issue(write)
        with first.write() as write:
            assert certificates.find_many(write, [row.serial]) if many else certificates.find(write, row.serial)
            with pytest.raises(DatabaseBusy), second.write() as other:
                revoke(other, row.serial)
        with second.write() as other:
            assert revoke(other, row.serial)


def test_two_writes_that_lock_the_same_rows_in_any_order_do_not_block_each_other_for_ever(database: Database) -> None:
    with database.write() as write:
        found(write)
        pair = [issue(write).serial, issue(write).serial]

    def run(number: int) -> int:
        with database.write() as write:
            rows = certificates.find_many(write, pair if number % 2 else reversed(pair))
            return sum(revoke(write, row.serial) for row in rows if row.reason is None)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(16))) == 2


# --- what status and CRLs read ---


def test_status_is_of_this_issuer_s_serials_only(write: Write) -> None:
    row = issue(write)
    assert certificates.status_of(write, "g1", row.serial) == StatusRow(
        state="issued", revoked_at=None, reason=None, not_after=row.not_after
    )
    assert certificates.status_of(write, "root", row.serial) is None
    assert certificates.status_of(write, "g1", "00" * 16) is None
    revoke(write, row.serial, reason="keyCompromise")
    status = certificates.status_of(write, "g1", row.serial)
    assert status is not None
    assert (status.revoked_at, status.reason) == (NOW, "keyCompromise")


def test_crl_holds_what_is_revoked_until_after_it_has_expired(write: Write) -> None:
    kept = [issue(write, not_after=NOW + number * DAY) for number in (1, 2, 3)]
    issue(write)
    certificates.insert_intended(write, intent())
    for age, row in enumerate(kept):
        revoke(write, row.serial, revoked_at=NOW - age * HOUR)
    entries = [b"entry " + row.serial.encode() for row in kept]
    assert certificates.crl_entries(write, "g1", not_expired_since=NOW) == [entries[2], entries[1], entries[0]]
    assert certificates.crl_entries(write, "g1", not_expired_since=kept[1].not_after) == [entries[2], entries[1]]
    assert certificates.crl_entries(write, "root", not_expired_since=NOW) == []


def test_crl_holds_settled_serials(write: Write) -> None:
    row = intent()
    certificates.insert_intended(write, row)
    settle(write, row)
    assert certificates.crl_entries(write, "g1", not_expired_since=NOW) == [b"entry"]


def test_current_delegate_is_the_valid_one_that_lasts_longest(write: Write) -> None:
    assert certificates.current_delegate(write, "g1", NOW) is None
    issue(write, "alice@campus.example")
    short = issue(write, profile="ocsp", use="sign", not_after=NOW + DAY)
    long = issue(write, profile="ocsp", use="sign", not_after=NOW + 2 * DAY)
    issue(write, profile="ocsp", use="sign", not_before=NOW + HOUR, not_after=NOW + 9 * DAY)
    certificates.insert_intended(write, intent(profile="ocsp", use="sign", not_after=NOW + 9 * DAY))
    revoked = issue(write, profile="ocsp", use="sign", not_after=NOW + 9 * DAY)
    revoke(write, revoked.serial)
    assert certificates.current_delegate(write, "g1", NOW) == long
    assert certificates.current_delegate(write, "root", NOW) is None
    revoke(write, long.serial)
    assert certificates.current_delegate(write, "g1", NOW) == short
    assert certificates.current_delegate(write, "g1", short.not_after + HOUR) is not None


# --- finding ---


def test_many_are_found_by_serial_however_many_are_asked_for(write: Write) -> None:
    rows = [issue(write) for _ in range(3)]
    asked = [row.serial for row in rows] + [f"{number:032x}" for number in range(2500)] + [rows[0].serial, "-01"]
    assert serials(certificates.find_many(write, asked)) == sorted(row.serial for row in rows)
    assert certificates.find_many(write, []) == []


def test_valid_certificates_of_a_mailbox_come_newest_first(write: Write) -> None:
    first = issue(write, "Alice@campus.example")
    second = issue(write, "bob@campus.example", "alice@campus.example")
    revoke(write, issue(write, "alice@campus.example").serial)
    issue(write, "alice@campus.example", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    issue(write, "alice@campus.example", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    certificates.insert_intended(write, intent("alice@campus.example"))
    assert serials(certificates.valid_for_encryption(write, ["alice@campus.example"], now=NOW)) == [
        second.serial,
        first.serial,
    ]
    assert certificates.valid_for_encryption(write, ["carol@campus.example"], now=NOW) == []


def test_certificates_for_encryption_of_many_mailboxes_come_newest_first(write: Write) -> None:
    first = issue(write, "alice@campus.example", use="encrypt")
    second = issue(write, "bob@campus.example", "alice@campus.example", use="dual")
    issue(write, "alice@campus.example", use="sign")
    issue(write, "carol@campus.example", use="dual")
    revoke(write, issue(write, "alice@campus.example", use="dual").serial)
    issue(write, "alice@campus.example", use="dual", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    many = [f"n{number}@campus.example" for number in range(2500)]
    asked = ["alice@campus.example", "alice@campus.example", *many]
    assert serials(certificates.valid_for_encryption(write, asked, now=NOW)) == [second.serial, first.serial]
    assert certificates.valid_for_encryption(write, [], now=NOW) == []


def test_certificates_whose_keys_are_kept_come_newest_first_and_bounded(write: Write) -> None:
    kept: list[CertificateRow] = []
    named: dict[str, Any] = {"subject_key_id": "ab" * 20}
    for changes in ({}, {"not_before": NOW - 2 * DAY, "not_after": NOW - DAY}, {}):
        key = private_key(purpose="decrypt")
        private_keys.insert(write, key)
        kept.append(issue(write, "alice@campus.example", use="encrypt", key_id=key.id, **named, **changes))
    revoke(write, kept[0].serial)
    signing = private_key(purpose="sign")
    private_keys.insert(write, signing)
    issue(write, "alice@campus.example", use="sign", key_id=signing.id, **named)
    issue(write, "alice@campus.example", use="encrypt", **named)
    issue(write, "alice@campus.example", use="encrypt", key_id=key.id)
    asked = [*(f"{number:040x}" for number in range(999)), "ab" * 20]
    assert serials(certificates.with_kept_keys(write, asked, limit=9)) == [row.serial for row in kept[::-1]]
    assert serials(certificates.with_kept_keys(write, asked, limit=1)) == [kept[-1].serial]
    assert certificates.with_kept_keys(write, [], limit=9) == []


def test_uses_of_a_key_are_all_but_those_that_nobody_got(write: Write) -> None:
    key = "12" * 32
    issued = issue(write, "alice@campus.example", person="idp|1", spki_sha256=key)
    open_ = intent("bob@campus.example", spki_sha256=key)
    lost = intent("carol@campus.example", spki_sha256=key)
    for row in (open_, lost, intent("dora@campus.example")):
        certificates.insert_intended(write, row)
    settle(write, lost)
    revoke(write, issued.serial)
    assert certificates.uses_of_key(write, key) == [
        KeyUse(serial=issued.serial, person="idp|1", mailboxes=("alice@campus.example",), reason="superseded"),
        KeyUse(serial=open_.serial, person=None, mailboxes=("bob@campus.example",), reason=None),
    ]


def test_compromised_key_is_known_even_from_a_settled_serial(write: Write) -> None:
    lost = intent(spki_sha256="12" * 32)
    certificates.insert_intended(write, lost)
    settle(write, lost)
    revoke(write, lost.serial, reason="keyCompromise", only_if_reason_is="cessationOfOperation")
    assert [use.reason for use in certificates.uses_of_key(write, "12" * 32)] == ["keyCompromise"]


def test_spellings_in_use_are_those_of_certificates_that_are_not_revoked(write: Write) -> None:
    issue(write, "Alice@campus.example")
    certificates.insert_intended(write, intent("ALICE@campus.example"))
    revoke(write, issue(write, "aLICE@campus.example").serial)
    lost = intent("alice@campus.example")
    certificates.insert_intended(write, lost)
    settle(write, lost)
    assert certificates.mailbox_spellings(write, "alice@campus.example") == {
        "Alice@campus.example",
        "ALICE@campus.example",
    }
    assert certificates.mailbox_spellings(write, "bob@campus.example") == set()


# --- pages ---


def test_pages_come_newest_first_without_gap_or_repetition(write: Write) -> None:
    rows = [issue(write, "alice@campus.example") for _ in range(7)]
    seen: list[CertificateRow] = []
    before = None
    while piece := certificates.page(write, visible=None, now=NOW, before_id=before, limit=3):
        assert len(piece) <= 3
        seen.extend(piece)
        before = piece[-1].id
        issue(write, "alice@campus.example")  # what is newer does not push what is older around
    assert seen == sorted(rows, key=lambda row: row.id, reverse=True)


def test_page_shows_neither_intents_nor_delegates_but_what_was_settled(write: Write) -> None:
    certificates.insert_intended(write, intent("alice@campus.example"))
    issue(write, profile="ocsp", use="sign")
    lost = intent("alice@campus.example")
    certificates.insert_intended(write, lost)
    settle(write, lost)
    row = issue(write, "alice@campus.example")
    assert page(write) == [row.serial, lost.serial]


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, {"alice", "bob", "both", "mixed", "sub", "none"}),
        ((), set()),
        (((None, "campus.example"),), {"alice", "bob", "both"}),
        (((None, "sub.campus.example"),), {"sub"}),
        ((("alice", "campus.example"),), {"alice"}),
        ((("ALICE", "campus.example"),), {"alice"}),
        ((("alice", "campus.example"), ("bob", "campus.example")), {"alice", "bob", "both"}),
        ((("alice", "campus.example"), (None, "cuhk.example")), {"alice", "mixed"}),
        (((None, "campus.example"), (None, "cuhk.example")), {"alice", "bob", "both", "mixed"}),
        ((("%", "campus.example"), (None, "%")), set()),
        ((("alice", "cuhk.example"),), set()),
    ],
)
def test_certificate_is_visible_only_if_all_its_mailboxes_are(
    write: Write, visible: Visible | None, names: set[str]
) -> None:
    made = {
        "alice": issue(write, "Alice@campus.example"),
        "bob": issue(write, "bob@campus.example"),
        "both": issue(write, "alice@campus.example", "bob@campus.example"),
        "mixed": issue(write, "alice@campus.example", "a@cuhk.example"),
        "sub": issue(write, "alice@sub.campus.example"),
        "none": issue(write),
    }
    assert set(page(write, visible=visible)) == {made[name].serial for name in names}


def test_page_is_narrowed_by_every_filter_and_by_several_at_once(write: Write) -> None:
    alice = issue(write, "alice@campus.example", "second@campus.example", person="idp|1", subject="CN=Alice Chan")
    bob = issue(write, "bob@campus.example", person="idp|2", subject="CN=Bob")
    assert page(write, mailbox_key="second@campus.example") == [alice.serial]
    assert page(write, serial=bob.serial) == [bob.serial]
    assert page(write, sha256=alice.sha256) == [alice.serial]
    assert page(write, person="idp|2") == [bob.serial]
    assert page(write, person="idp|2", serial=alice.serial) == []
    assert page(write, mailbox_key="bob@campus.example", visible=(("alice", "campus.example"),)) == []


def test_status_filter_is_a_partition(write: Write) -> None:
    active = issue(write, "alice@campus.example", not_after=NOW)
    expired = issue(write, "alice@campus.example", not_before=NOW - DAY, not_after=NOW - timedelta(seconds=1))
    both = issue(write, "alice@campus.example", not_before=NOW - DAY, not_after=NOW - HOUR)
    revoke(write, both.serial)
    assert page(write, status="active") == [active.serial]
    assert page(write, status="expired") == [expired.serial]
    assert page(write, status="revoked") == [both.serial]


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("CHAN", {"alice"}),
        ("chan", {"alice"}),
        ("@campus", {"alice", "bob"}),
        ("IDP|2", {"bob"}),
        ("%", set()),
        ("_", {"bob"}),
        ("\\", set()),
        ("大學", {"bob"}),
        ("", {"alice", "bob"}),
    ],
)
def test_search_is_for_a_part_of_subject_person_or_mailbox_and_knows_no_wildcards(
    write: Write, q: str, names: set[str]
) -> None:
    made = {
        "alice": issue(write, "alice@campus.example", person="idp|1", subject="CN=Alice Chan"),
        "bob": issue(write, "bob_b@campus.example", person="idp|2", subject="CN=Bob, O=大學"),
    }
    assert set(page(write, q=q)) == {made[name].serial for name in names}
