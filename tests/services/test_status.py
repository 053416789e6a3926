from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from services import status
from services.errors import AuthorityNotFound
from tests.campus import Campus
from tests.services.deeds import current_crl


def test_shows_the_root_first(campus: Campus) -> None:
    with campus.context.database.read() as read:
        found = status.every_authority(read)
        assert status.root(read) == found[0]
    assert [(one.id, one.kind) for one in found] == [("root", "root"), ("g1", "issuing")]
    assert found[0].certificate == campus.context.issuers.root
    assert found[1].certificate == campus.context.issuers.issuing.certificate


@pytest.mark.parametrize("authority_id", ["g2", "", "ROOT", "../root"])
def test_knows_no_other_authority(campus: Campus, authority_id: str) -> None:
    with campus.context.database.read() as read:
        with pytest.raises(AuthorityNotFound):
            status.authority(read, authority_id)
        with pytest.raises(AuthorityNotFound):
            status.crl(read, authority_id, at=campus.clock())


def test_there_is_no_crl_before_the_first_is_published(campus: Campus) -> None:
    with campus.context.database.read() as read, pytest.raises(AuthorityNotFound):
        status.crl(read, "g1", at=campus.clock())
    campus.run_jobs()
    with campus.context.database.read() as read:
        assert status.crl(read, "g1", at=campus.clock()).number == 1


def test_the_root_crls_are_signed_ahead_for_two_years_without_a_gap(campus: Campus) -> None:
    root = campus.context.issuers.root
    numbers = []
    for _ in range(24):
        current = current_crl(campus, "root")
        assert current.is_signature_valid(root.x509.public_key())  # type: ignore[arg-type]  # an RSA key
        assert current.next_update_utc is not None
        assert current.last_update_utc <= campus.clock() < current.next_update_utc
        assert len(current) == 0
        numbers.append(current.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        campus.clock.advance(timedelta(days=30))
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, 7))
