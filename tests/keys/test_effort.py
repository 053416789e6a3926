from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import der, oids
from keys.effort import MAX_ROUNDS, check_key_effort, check_pkcs12_effort, is_encrypted
from keys.errors import KeyFileMalformed, KeyFileTooLarge

PBES2 = "1.2.840.113549.1.5.13"
PBMAC1 = "1.2.840.113549.1.5.14"
PBKDF2 = "1.2.840.113549.1.5.12"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
TRIPLE_DES = "1.2.840.113549.1.12.1.3"
PBES1 = "1.2.840.113549.1.5.10"
BAG = "1.2.840.113549.1.12.10.1."

SALT = der.octets(b"saltsalt")
CIPHER = der.sequence(der.oid(oids.AES256_CBC), der.octets(bytes(16)))


def pbkdf2(rounds: int) -> bytes:
    return der.sequence(der.oid(PBKDF2), der.sequence(SALT, der.integer(rounds)))


def scrypt(n: int, r: int, p: int) -> bytes:
    return der.sequence(der.oid(SCRYPT), der.sequence(SALT, der.integer(n), der.integer(r), der.integer(p)))


def pbes2(derivation: bytes) -> bytes:
    return der.sequence(der.oid(PBES2), der.sequence(derivation, CIPHER))


def simple(scheme: str, rounds: int) -> bytes:
    return der.sequence(der.oid(scheme), der.sequence(SALT, der.integer(rounds)))


def key(algorithm: bytes, *, size: int = 64) -> bytes:
    return der.sequence(algorithm, der.octets(bytes(size)))


def bag(kind: int, value: bytes) -> bytes:
    return der.sequence(der.oid(f"{BAG}{kind}"), der.explicit(0, value))


def clear(*bags: bytes) -> bytes:
    return der.sequence(der.oid(oids.DATA), der.explicit(0, der.octets(der.sequence(*bags))))


def encrypted(algorithm: bytes) -> bytes:
    content = der.sequence(der.oid(oids.DATA), algorithm, der.implicit(0, bytes(64), constructed=False))
    return der.sequence(der.oid(oids.ENCRYPTED_DATA), der.explicit(0, der.sequence(der.integer(0), content)))


def mac(rounds: int | None) -> bytes:
    digest = der.sequence(der.sequence(der.oid(oids.SHA256), der.null()), der.octets(bytes(32)))
    return der.sequence(digest, SALT, *(() if rounds is None else (der.integer(rounds),)))


def pbmac1(rounds: int) -> bytes:
    hmac = der.sequence(der.oid(oids.HMAC_WITH_SHA256), der.null())
    algorithm = der.sequence(der.oid(PBMAC1), der.sequence(pbkdf2(rounds), hmac))
    return der.sequence(der.sequence(algorithm, der.octets(bytes(32))), SALT, der.integer(1))


def pfx(*infos: bytes, mac: bytes) -> bytes:
    return der.sequence(der.integer(3), clear_infos(*infos), mac)


def clear_infos(*infos: bytes) -> bytes:
    return der.sequence(der.oid(oids.DATA), der.explicit(0, der.octets(der.sequence(*infos))))


@pytest.mark.parametrize(
    "algorithm",
    [
        pbes2(pbkdf2(MAX_ROUNDS)),
        pbes2(scrypt(1 << 14, 8, 1)),
        simple(TRIPLE_DES, MAX_ROUNDS),
        simple(PBES1, 2048),
    ],
)
def test_lets_through_what_programs_write(algorithm: bytes) -> None:
    check_key_effort(key(algorithm))


@pytest.mark.parametrize(
    "algorithm",
    [
        pbes2(pbkdf2(MAX_ROUNDS + 1)),
        pbes2(pbkdf2(1 << 200)),
        pbes2(scrypt(1 << 20, 8, 1)),
        pbes2(scrypt(2, 1 << 60, 1)),
        pbes2(scrypt(2, 8, 1 << 60)),
        simple(TRIPLE_DES, 1 << 31),
        simple(PBES1, 1 << 31),
    ],
)
def test_refuses_a_key_that_asks_for_hours(algorithm: bytes) -> None:
    with pytest.raises(KeyFileTooLarge):
        check_key_effort(key(algorithm))


@pytest.mark.parametrize(
    "algorithm",
    [
        pbes2(pbkdf2(0)),
        pbes2(pbkdf2(-1)),
        pbes2(simple("1.2.3.4", 1)),
        simple("1.2.3.4", 1),
        der.sequence(der.oid(PBES2)),
        der.sequence(der.oid(TRIPLE_DES), der.null()),
    ],
)
def test_refuses_what_cannot_be_counted(algorithm: bytes) -> None:
    with pytest.raises(KeyFileMalformed):
        check_key_effort(key(algorithm))


def test_refuses_a_key_so_large_that_checking_it_takes_minutes() -> None:
    with pytest.raises(KeyFileTooLarge):
        check_key_effort(key(pbes2(pbkdf2(1)), size=9000))


def test_tells_encrypted_keys_from_others() -> None:
    assert is_encrypted(key(pbes2(pbkdf2(1))))
    assert not is_encrypted(der.sequence(der.integer(0), pbes2(pbkdf2(1)), der.octets(b"")))
    for other in (b"", b"\x30", b"\x30\x00", der.integer(1), b"\x30\x80" * 10_000):
        assert not is_encrypted(other)


ORDINARY = (encrypted(pbes2(pbkdf2(600_000))), clear(bag(2, key(pbes2(pbkdf2(600_000))))))


@pytest.mark.parametrize("seal", [mac(None), mac(2048), pbmac1(600_000)])
def test_lets_through_ordinary_files(seal: bytes) -> None:
    check_pkcs12_effort(pfx(*ORDINARY, mac=seal))


@pytest.mark.parametrize(
    "data",
    [
        pfx(*ORDINARY, mac=mac(MAX_ROUNDS)),
        pfx(*ORDINARY, mac=pbmac1(MAX_ROUNDS)),
        pfx(encrypted(pbes2(pbkdf2(MAX_ROUNDS))), mac=mac(2048)),
        pfx(encrypted(simple(TRIPLE_DES, MAX_ROUNDS)), mac=mac(2048)),
        pfx(clear(bag(2, key(simple(TRIPLE_DES, MAX_ROUNDS)))), mac=mac(2048)),
        pfx(*ORDINARY * 10, mac=mac(2048)),
        pfx(*(clear() for _ in range(101)), mac=mac(1)),
        pfx(clear(*(bag(3, der.sequence()) for _ in range(101))), mac=mac(1)),
        pfx(clear(bag(2, key(pbes2(pbkdf2(1)), size=9000))), mac=mac(1)),
        pfx(clear(bag(1, der.sequence(der.octets(bytes(9000))))), mac=mac(1)),
    ],
)
def test_refuses_a_file_that_asks_for_too_much_anywhere(data: bytes) -> None:
    with pytest.raises(KeyFileTooLarge):
        check_pkcs12_effort(data)


@pytest.mark.parametrize(
    "data",
    [
        der.sequence(der.integer(3), clear_infos(*ORDINARY)),
        pfx(clear(bag(6, der.sequence(bag(2, key(pbes2(pbkdf2(1 << 40))))))), mac=mac(1)),
        pfx(der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, der.sequence())), mac=mac(1)),
        der.sequence(
            der.integer(3),
            der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, der.sequence())),
            mac(1),
        ),
        pfx(*ORDINARY, mac=mac(0)),
        b"",
        b"\x30\x80",
    ],
)
def test_refuses_a_file_whose_shape_hides_what_it_asks_for(data: bytes) -> None:
    with pytest.raises(KeyFileMalformed):
        check_pkcs12_effort(data)


@given(st.binary(max_size=100), st.integers(0, 400), st.integers(0, 255))
def test_nothing_but_a_refusal_comes_out(noise: bytes, at: int, octet: int) -> None:
    damaged = bytearray(pfx(*ORDINARY, mac=mac(2048)))
    damaged[at % len(damaged)] = octet
    for data in (noise, bytes(damaged)):
        for check in (check_pkcs12_effort, check_key_effort):
            with suppress(KeyFileMalformed, KeyFileTooLarge):
                check(data)
