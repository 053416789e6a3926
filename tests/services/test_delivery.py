from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from db import jobs as job_table
from db.errors import DatabaseBusy, LeaseLost
from formats.errors import Refusal
from net.connection import Times
from net.errors import LetterRefused, OutboxFolderClosed, RelayDefers, RelayUnreachable, RelayUnwilling, Stopped
from net.letter import Letter
from net.smtp import Relay, Route
from services import delivery, identities, jobs, outbox
from services.jobs import Timetable
from tests.campus import Campus
from tests.net.relays import HANG, TIMES, real_relay, scripted_relay
from tests.openssl import openssl
from tests.services.deeds import ALICE, entries, issue, row_of
from tests.services.letters import (
    SECRET,
    Died,
    DyingDatabase,
    FakeWay,
    claim,
    deliver,
    every_row,
    parsed,
    post,
    run,
    text_of,
    the_row,
    wait_out,
    with_database,
    with_sender,
    with_way,
)
from tests.services.test_jobs import wait_for

BOB = "bob@campus.example"
SECOND = timedelta(seconds=1)


def files(campus: Campus) -> list[Path]:
    return sorted((campus.context.settings.data / "outbox").glob("*.eml"))


def raising(refusal: Refusal, *, to: str | None = None) -> Callable[[Letter], None]:
    def refuse(letter: Letter) -> None:
        if to in (None, str(letter.recipient)):
            raise refusal

    return refuse


def quiet(_letter: Letter) -> None:
    """Nothing goes wrong."""


def test_a_letter_lies_in_the_folder_signed_by_our_own_identity(campus: Campus, tmp_path: Path) -> None:
    (row_id,) = post(with_sender(campus))
    run(campus)
    (file,) = files(campus)
    assert file.name == f"{row_id}.eml"
    root = tmp_path / "root.pem"
    root.write_bytes(campus.context.issuers.root.x509.public_bytes(Encoding.PEM))
    judged = openssl("cms", "-verify", "-in", file, "-CAfile", root, "-purpose", "smimesign")
    assert judged.ok, judged.text
    assert SECRET in judged.out.decode()


def test_a_letter_has_the_header_that_a_machine_s_letter_should_have(campus: Campus) -> None:
    (row_id,) = post(with_sender(campus))
    run(campus)
    letter = parsed(files(campus)[0].read_bytes())
    assert letter["From"] == "Example University <mailseal@campus.example>"
    assert letter["To"] == ALICE
    assert letter["Message-ID"] == f"<{row_id}@campus.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(letter["Date"]) == campus.clock().replace(microsecond=0)
    assert letter.get_content_type() == "multipart/signed"


def test_what_was_sent_is_blank_and_its_signature_is_on_record(campus: Campus) -> None:
    post(with_sender(campus))
    run(campus)
    row = the_row(campus)
    assert (row.state, row.attempts, row.sent_at) == ("sent", 1, campus.clock())
    assert (row.kek_id, row.wrapped_key, row.ciphertext) == (None, None, None)
    (entry,) = entries(campus, action="message.signed")
    assert (entry.actor_kind, entry.actor_name, entry.mailbox) == ("job", "delivery", "mailseal@campus.example")
    run(campus)
    assert len(files(campus)) == 1


def test_the_identity_of_our_letters_makes_itself_with_the_proof_own(campus: Campus) -> None:
    post(campus)
    run(campus)
    assert the_row(campus).state == "sent"
    mailbox = outbox.our_mailbox(campus.context)
    view = identities.show(campus.context, campus.admin, mailbox=mailbox)
    assert row_of(campus, view.serial).proof == "own"
    (added,) = entries(campus, action="identity.added")
    assert added.actor_kind == "job"


def test_a_certificate_is_told_to_whose_mailbox_it_is(campus: Campus) -> None:
    with_sender(campus)
    view = issue(campus)
    run(campus)
    text = text_of(files(campus)[0].read_bytes())
    assert view.serial in text
    assert 'the key named "admin"' in " ".join(text.split())


def test_letters_wait_while_our_identity_is_paused_and_go_out_after(campus: Campus) -> None:
    mailbox = outbox.our_mailbox(with_sender(campus).context)
    identities.set_paused(campus.context, campus.admin, mailbox=mailbox, paused=True)
    post(campus)
    run(campus)
    assert (the_row(campus).state, the_row(campus).error) == ("waiting", "identity_paused")
    identities.set_paused(campus.context, campus.admin, mailbox=mailbox, paused=False)
    wait_out(campus)
    run(campus)
    assert the_row(campus).state == "sent"


def test_a_letter_is_composed_and_signed_once_however_often_it_is_sent(campus: Campus) -> None:
    heard: list[bytes] = []
    way = FakeWay(before=lambda letter: heard.append(letter.data))
    way.after = raising(RelayDefers("the relay answered 451"))
    post(with_way(with_sender(campus), way))
    for _ in range(3):
        run(with_way(campus, way))
        wait_out(campus)
    assert len(heard) == 3
    assert len(set(heard)) == 1
    assert len(entries(campus, action="message.signed")) == 1


def test_pauses_grow_to_an_hour_and_the_delivery_comes_again_by_itself(campus: Campus) -> None:
    way = FakeWay(before=raising(RelayUnreachable("the relay is away")))
    held = with_way(with_sender(campus), way)
    issue(held)
    pauses = []
    for _ in range(10):
        began = campus.clock()
        run(held)
        row = the_row(held)
        pauses.append(row.due_at - began)
        campus.clock.advance(pauses[-1] - SECOND)
        run(held)
        assert the_row(held) == row
        campus.clock.advance(SECOND)
    assert pauses == [*delivery.PAUSES, timedelta(hours=1), timedelta(hours=1)]
    assert pauses[0] == 5 * SECOND
    assert (row.state, row.error, row.attempts) == ("composed", "relay_unreachable", 10)


def test_a_refused_letter_is_given_up_at_once_and_the_log_says_no_address(campus: Campus) -> None:
    way = FakeWay(before=raising(LetterRefused("the relay answered 550")))
    (row_id,) = post(with_way(with_sender(campus), way))
    with capture_logs() as logged:
        run(with_way(campus, way))
    row = the_row(campus)
    assert (row.state, row.error, row.ciphertext) == ("given_up", "letter_refused", None)
    (line,) = [line for line in logged if line["event"] == "letter given up"]
    assert (line["outbox"], line["kind"], line["code"]) == (row_id, "enrolment_link", "letter_refused")
    assert "550" in line["detail"]
    assert "alice" not in str(logged)
    assert SECRET not in str(logged)


def test_a_link_whose_hour_is_over_is_given_up_not_sent_late(campus: Campus) -> None:
    post(with_sender(campus))
    campus.clock.advance(timedelta(minutes=60))
    run(campus)
    assert (the_row(campus).state, the_row(campus).error) == ("given_up", "letter_expired")
    assert files(campus) == []


def test_a_link_is_given_up_when_its_hour_ends_however_long_the_pause_is(campus: Campus) -> None:
    held = with_way(with_sender(campus), FakeWay(before=raising(RelayDefers("the relay answered 451"))))
    post(held, minutes="1")
    for _ in range(2):
        run(held)
        wait_out(campus, 30 * SECOND)
    assert the_row(campus).due_at == the_row(campus).expires_at
    run(held)
    assert the_row(campus).state == "given_up"


def test_a_notice_is_given_up_after_three_days(campus: Campus) -> None:
    issue(with_sender(campus))
    campus.clock.advance(timedelta(days=3))
    run(campus)
    assert (the_row(campus).state, the_row(campus).error) == ("given_up", "letter_expired")


def test_a_letter_that_fails_keeps_no_other_waiting(campus: Campus) -> None:
    way = FakeWay(before=raising(RelayDefers("the relay answered 451"), to=ALICE))
    post(with_way(with_sender(campus), way), ALICE, BOB)
    run(with_way(campus, way))
    assert way.recipients == [BOB]
    assert [row.state for row in every_row(campus)] == ["composed", "sent"]


def test_a_bug_in_one_letter_keeps_no_other_waiting_and_its_text_out_of_the_log(campus: Campus) -> None:
    def stumble(letter: Letter) -> None:
        if str(letter.recipient) == ALICE:
            raise ValueError(f"{letter.recipient} {SECRET}")

    way = FakeWay(before=stumble)
    post(with_way(with_sender(campus), way), ALICE, BOB)
    with capture_logs() as logged:
        run(with_way(campus, way))
    assert way.recipients == [BOB]
    assert every_row(campus)[0].error == "internal_error"
    assert SECRET not in str(logged)


@pytest.mark.parametrize("failure", [RelayUnreachable("away"), RelayUnwilling("no"), OutboxFolderClosed("full")])
def test_a_way_that_is_closed_is_tried_with_one_letter_a_run(campus: Campus, failure: Refusal) -> None:
    held = with_way(with_sender(campus), FakeWay(before=raising(failure)))
    post(held, ALICE, BOB)
    deliver(held)
    assert [(row.attempts, row.error) for row in every_row(campus)] == [(1, failure.code), (0, None)]


@pytest.mark.parametrize("point", [f"{when} {number}" for number in (1, 2, 3, 4) for when in ("before", "after")])
def test_a_process_that_dies_between_two_steps_loses_and_doubles_nothing(campus: Campus, point: str) -> None:
    post(with_sender(campus))
    lease = claim(campus)
    with pytest.raises(Died):
        deliver(with_database(campus, DyingDatabase(campus.context.database, point=point)), lease)
    wait_out(campus)
    run(campus)
    assert the_row(campus).state == "sent"
    assert len(files(campus)) == 1
    assert len(entries(campus, action="message.signed")) == 1


def test_a_process_that_dies_while_it_writes_into_the_folder_doubles_nothing(campus: Campus) -> None:
    (row_id,) = post(with_sender(campus))
    folder = campus.context.settings.data / "outbox"
    folder.mkdir(mode=0o700)
    (folder / f".{row_id}.0123.draft").write_bytes(b"half a letter")
    run(campus)
    assert [file.name for file in folder.iterdir()] == [f"{row_id}.eml"]


@pytest.mark.parametrize(("point", "times"), [("before", 1), ("after", 2)])
def test_only_between_the_relay_s_last_word_and_our_commit_a_letter_doubles_and_then_alike(
    campus: Campus, point: str, times: int
) -> None:
    def die(_letter: Letter) -> None:
        raise Died

    way = FakeWay(before=die if point == "before" else quiet, after=die if point == "after" else quiet)
    held = with_way(with_sender(campus), way)
    post(held)
    with pytest.raises(Died):
        deliver(held)
    way.before = way.after = quiet
    run(held)
    assert the_row(campus).state == "composed"  # held, as if it were still being sent
    wait_out(campus)
    run(held)
    assert len(way.taken) == times
    assert len({parsed(letter.data)["Message-ID"] for letter in way.taken}) == 1
    assert the_row(campus).state == "sent"


def test_a_database_that_is_away_for_a_moment_doubles_nothing(campus: Campus) -> None:
    way = FakeWay()
    held = with_way(with_sender(campus), way)
    post(held)
    busy = DyingDatabase(campus.context.database, point="before 3", failure=lambda: DatabaseBusy("busy"))
    assert deliver(with_database(held, busy), claim(campus)) == 1
    assert the_row(campus).state == "sent"
    wait_out(campus)
    run(held)
    assert len(way.taken) == 1


def test_a_holder_past_its_lease_sends_nothing(campus: Campus) -> None:
    way = FakeWay()
    held = with_way(with_sender(campus), way)
    post(held)
    lease = claim(held)
    campus.clock.advance(jobs.LEASE_SECONDS * SECOND)
    with pytest.raises(LeaseLost):
        deliver(held, lease)
    assert way.taken == []


def test_what_is_being_sent_is_nobody_else_s_even_after_the_lease(campus: Campus) -> None:
    second = FakeWay()

    def meanwhile(_letter: Letter) -> None:
        campus.clock.advance(jobs.LEASE_SECONDS * SECOND)
        run(with_way(campus, second))

    first = FakeWay(before=meanwhile)
    held = with_way(with_sender(campus), first)
    post(held)
    assert deliver(held) == 1
    assert (len(first.taken), len(second.taken)) == (1, 0)
    assert the_row(campus).state == "sent"


def test_a_frozen_holder_does_not_touch_what_another_has_taken_up(campus: Campus) -> None:
    second = FakeWay(before=raising(RelayDefers("the relay answered 451")))

    def frozen(_letter: Letter) -> None:
        wait_out(campus)
        run(with_way(campus, second))
        raise RelayUnreachable("away")

    held = with_way(with_sender(campus), FakeWay(before=frozen))
    post(held)
    deliver(held)
    assert (the_row(campus).attempts, the_row(campus).error) == (2, "relay_defers")


def test_who_composes_too_slowly_leaves_the_letter_to_who_has_taken_it_up(campus: Campus) -> None:
    second = FakeWay()

    def overtaken() -> None:
        wait_out(campus)
        run(with_way(campus, second))

    first = FakeWay()
    held = with_way(with_sender(campus), first)
    post(held)
    slow = DyingDatabase(campus.context.database, point="before 2", failure=overtaken)
    with pytest.raises(LeaseLost):
        deliver(with_database(held, slow), claim(campus))
    assert (len(first.taken), len(second.taken)) == (0, 1)
    assert len(entries(campus, action="message.signed")) == 1


def test_who_has_looked_too_early_leaves_what_another_has_begun(campus: Campus) -> None:
    second = FakeWay()
    first = FakeWay()
    held = with_way(with_sender(campus), first)
    post(held)
    lease = claim(campus)

    def overtaken() -> None:
        # As if the lease had been somebody else's for a moment: rows are fenced by themselves.
        deliver(with_way(campus, second), lease)

    assert (
        deliver(with_database(held, DyingDatabase(campus.context.database, point="before 1", failure=overtaken)), lease)
        == 0
    )
    assert (len(first.taken), len(second.taken)) == (0, 1)


def test_two_nodes_never_send_the_same_letter(campus: Campus) -> None:
    ways = FakeWay(), FakeWay()
    people = [f"person{number}@campus.example" for number in range(12)]
    post(with_sender(campus), *people)
    start = threading.Barrier(2)

    def node(number: int) -> None:
        start.wait()
        for _ in range(3):
            jobs.run_due(with_way(campus, ways[number]).context, holder=f"node {number}", lane=jobs.OUTSIDE)

    threads = [threading.Thread(target=node, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ways[0].recipients + ways[1].recipients) == sorted(people)


def test_a_real_relay_gets_each_letter_once_over_one_connection(campus: Campus) -> None:
    post(with_sender(campus), ALICE, BOB)
    with real_relay() as real:
        held = with_way(campus, Relay(Route.from_url(real.url), hello="localhost", times=TIMES))
        run(held)
        run(held)
    assert [taken.recipients for taken in real.taken] == [[ALICE], [BOB]]
    assert {taken.sender for taken in real.taken} == {"mailseal@campus.example"}
    assert len({taken.session for taken in real.taken}) == 1
    assert SECRET in text_of(real.taken[0].data)
    assert {row.state for row in every_row(campus)} == {"sent"}


def test_a_relay_that_hangs_keeps_neither_other_jobs_nor_an_end_waiting(campus: Campus) -> None:
    post(with_sender(campus))
    patient = Times(command=600, prelude=600, answer=600, grace=0.1)
    with scripted_relay(ehlo=HANG) as relay:
        held = with_way(campus, Relay(Route.from_url(relay.url), hello="localhost", times=patient))
        timetable = Timetable(held.context)
        timetable.start()
        assert relay.reached.wait(30)
        with campus.context.database.write() as write:
            job_table.hasten(write, "crl:g1", due_at=campus.clock())
        ran = wait_for(lambda: _finished(campus, "crl:g1"))
        timetable.stop()
    assert ran
    assert not [thread for thread in threading.enumerate() if thread.name in jobs.LANES]
    assert (the_row(campus).state, the_row(campus).due_at) == ("composed", campus.clock())
    run(campus)
    assert len(files(campus)) == 1


def _finished(campus: Campus, name: str) -> bool:
    with campus.context.database.read() as read:
        return {row.name: row.finished_at for row in job_table.all_(read)}[name] is not None


def test_an_end_leaves_what_was_not_begun_for_the_next_process(campus: Campus) -> None:
    def stop(_letter: Letter) -> None:
        raise Stopped

    held = with_way(with_sender(campus), FakeWay(before=stop))
    post(held, ALICE, BOB)
    deliver(held)
    assert [row.attempts for row in every_row(campus)] == [1, 0]
    campus.clock.advance(jobs.LEASE_SECONDS * SECOND)
    run(campus)
    assert len(files(campus)) == 2
