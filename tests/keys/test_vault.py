from __future__ import annotations

import base64
import copy
import pickle
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from formats.algorithms import spki_der
from keys.errors import KekMalformed, KekWrong, SealBroken
from keys.software import to_pkcs8
from keys.vault import Label, Sealed, Vault

KEK = bytes(range(32, 64))
SECRET = b"a secret that nobody sees anywhere"
LABEL = Label(key_id="0190", owner="registrar@campus.example", purpose="sign")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Vault:
    return Vault(KEK)


@given(st.binary(max_size=200))
def test_opens_what_it_sealed(secret: bytes) -> None:
    vault = Vault(KEK)
    assert vault.open(vault.seal(secret, label=LABEL), label=LABEL) == secret


def test_every_seal_has_a_data_key_and_a_nonce_of_its_own(vault: Vault) -> None:
    one, other = (vault.seal(SECRET, label=LABEL) for _ in range(2))
    assert one.wrapped_key != other.wrapped_key
    assert one.ciphertext[:12] != other.ciphertext[:12]
    assert len(one.wrapped_key) == 40
    assert len(one.ciphertext) == 12 + len(SECRET) + 16


def test_another_process_with_the_same_file_opens_it(tmp_path: Path) -> None:
    sealed = Vault.create_file(tmp_path / "kek").seal(SECRET, label=LABEL)
    assert Vault.from_file(tmp_path / "kek").open(sealed, label=LABEL) == SECRET


def test_names_the_kek_that_would_be_needed(vault: Vault) -> None:
    other = Vault(bytes(32))
    with pytest.raises(KekWrong) as refused:
        other.open(vault.seal(SECRET, label=LABEL), label=LABEL)
    assert vault.kek_id in refused.value.detail
    assert other.kek_id in refused.value.detail


def test_a_false_kek_id_does_not_help_the_wrong_kek(vault: Vault) -> None:
    other = Vault(bytes(32))
    with pytest.raises(SealBroken):
        other.open(replace(vault.seal(SECRET, label=LABEL), kek_id=other.kek_id), label=LABEL)


@pytest.mark.parametrize(
    "label",
    [
        replace(LABEL, key_id="0191"),
        replace(LABEL, owner="Registrar@campus.example"),
        replace(LABEL, purpose="decrypt"),
        replace(LABEL, version=2),
    ],
)
def test_opens_in_its_own_row_alone(vault: Vault, label: Label) -> None:
    with pytest.raises(SealBroken):
        vault.open(vault.seal(SECRET, label=LABEL), label=label)


def test_refuses_rows_whose_columns_were_exchanged(vault: Vault) -> None:
    one, other = vault.seal(SECRET, label=LABEL), vault.seal(SECRET, label=LABEL)
    with pytest.raises(SealBroken):
        vault.open(replace(one, wrapped_key=other.wrapped_key), label=LABEL)
    with pytest.raises(SealBroken):
        vault.open(replace(one, ciphertext=other.ciphertext), label=LABEL)


@pytest.mark.parametrize("column", ["wrapped_key", "ciphertext"])
def test_refuses_every_flipped_bit(vault: Vault, column: str) -> None:
    sealed = vault.seal(b"k", label=LABEL)
    octets: bytes = getattr(sealed, column)
    for position in range(len(octets) * 8):
        flipped = bytearray(octets)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(SealBroken):
            vault.open(with_column(sealed, column, bytes(flipped)), label=LABEL)


@pytest.mark.parametrize("column", ["wrapped_key", "ciphertext"])
def test_refuses_every_other_length(vault: Vault, column: str) -> None:
    sealed = vault.seal(b"k", label=LABEL)
    octets: bytes = getattr(sealed, column)
    for wrong in [octets[:length] for length in range(len(octets))] + [octets + b"\0"]:
        with pytest.raises(SealBroken):
            vault.open(with_column(sealed, column, wrong), label=LABEL)


def test_gives_private_keys_from_memory(vault: Vault, rsa2048: rsa.RSAPrivateKey) -> None:
    sealed = vault.seal(to_pkcs8(rsa2048), label=LABEL)
    first = vault.private_key(sealed, label=LABEL)
    assert spki_der(first.public_key()) == spki_der(rsa2048.public_key())
    assert vault.private_key(sealed, label=LABEL) is first


def test_opens_a_key_again_after_its_time(p256: ec.EllipticCurvePrivateKey) -> None:
    clock = Clock()
    vault = Vault(KEK, seconds=60, monotonic=clock)
    sealed = vault.seal(to_pkcs8(p256), label=LABEL)
    first = vault.private_key(sealed, label=LABEL)
    clock.now = 60
    assert vault.private_key(sealed, label=LABEL) is not first


def test_keeps_no_more_keys_than_it_may(p256: ec.EllipticCurvePrivateKey) -> None:
    vault = Vault(KEK, size=1)
    other = replace(LABEL, key_id="0191")
    sealed, more = vault.seal(to_pkcs8(p256), label=LABEL), vault.seal(to_pkcs8(p256), label=other)
    first = vault.private_key(sealed, label=LABEL)
    vault.private_key(more, label=other)
    assert vault.private_key(sealed, label=LABEL) is not first


def test_forgets_a_key(vault: Vault, p256: ec.EllipticCurvePrivateKey) -> None:
    sealed = vault.seal(to_pkcs8(p256), label=LABEL)
    first = vault.private_key(sealed, label=LABEL)
    vault.forget(LABEL.key_id)
    assert vault.private_key(sealed, label=LABEL) is not first


def test_a_changed_row_is_refused_though_the_key_is_in_memory(vault: Vault, p256: ec.EllipticCurvePrivateKey) -> None:
    sealed = vault.seal(to_pkcs8(p256), label=LABEL)
    vault.private_key(sealed, label=LABEL)
    with pytest.raises(SealBroken):
        vault.private_key(replace(sealed, ciphertext=sealed.ciphertext[:-1] + b"\0\0"), label=LABEL)
    with pytest.raises(KekWrong):
        vault.private_key(replace(sealed, kek_id="0" * 16), label=LABEL)


def test_says_that_a_secret_is_no_private_key(vault: Vault) -> None:
    with pytest.raises(SealBroken, match="no private key"):
        vault.private_key(vault.seal(SECRET, label=LABEL), label=LABEL)


def test_refuses_a_kek_of_another_size() -> None:
    with pytest.raises(KekMalformed):
        Vault(KEK[:16])


def test_is_neither_shown_nor_copied_nor_pickled(vault: Vault) -> None:
    assert repr(vault) == str(vault) == f"<Vault {vault.kek_id}>"
    assert not hasattr(vault, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(vault)


def test_no_traceback_shows_a_secret_even_with_variables(
    vault: Vault, p256: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    key = to_pkcs8(p256)
    broken = vault.seal(key[:-8], label=LABEL)
    sealed = vault.seal(key, label=LABEL)
    half = tmp_path / "kek"
    half.write_bytes(base64.b64encode(KEK[:31]))
    half.chmod(0o600)
    attempts = [
        lambda: vault.private_key(broken, label=LABEL),
        lambda: vault.open(sealed, label=replace(LABEL, version=2)),
        lambda: vault.open(replace(sealed, ciphertext=sealed.ciphertext[:-1]), label=LABEL),
        lambda: Vault.from_file(half),
        lambda: Vault(KEK[:31]),
    ]
    for attempt in attempts:
        text = _traceback_with_variables(attempt)
        for secret in (key, key[:-8], KEK, KEK[:31], base64.b64encode(KEK[:31])):
            assert repr(secret)[2:40] not in text


def with_column(sealed: Sealed, column: str, octets: bytes) -> Sealed:
    return replace(sealed, wrapped_key=octets) if column == "wrapped_key" else replace(sealed, ciphertext=octets)


def _traceback_with_variables(attempt: object) -> str:
    assert callable(attempt)
    try:
        attempt()
    except (SealBroken, KekMalformed) as error:
        own = traceback.TracebackException.from_exception(error, capture_locals=True)
        chain = [own]
        while chain[-1].__context__ is not None:
            chain.append(chain[-1].__context__)
        frames = [frame for each in chain for frame in each.stack if "/keys/" in frame.filename]
        assert any(not frame.filename.endswith("test_vault.py") for frame in frames)
        return "\n".join(
            f"{frame.name} {frame.locals}" for frame in frames if not frame.filename.endswith("test_vault.py")
        )
    raise AssertionError("nothing was refused")
