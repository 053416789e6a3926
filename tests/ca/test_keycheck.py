from __future__ import annotations

import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from hypothesis import given, settings
from hypothesis import strategies as st

from ca import keycheck
from ca.errors import KeyRefused


def rsa_key(n: int, e: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(e=e, n=n).public_key()


def next_prime(number: int) -> int:
    """By Fermat's test to three bases: good enough for keys that shall be bad."""
    number |= 1
    while not all(pow(base, number - 1, number) == 1 for base in (2, 3, 5)):
        number += 2
    return number


@pytest.mark.parametrize("key", ["rsa2048", "rsa3072", "rsa4096", "p256", "p384"])
def test_accepts_ordinary_keys(key: str, keys: dict[str, Any]) -> None:
    keycheck.check_key(keys[key].public_key())


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP224R1()),
        ed25519.Ed25519PrivateKey.generate,
        ed448.Ed448PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        lambda: dsa.generate_private_key(1024),
    ],
    ids=["P-521", "secp256k1", "P-224", "Ed25519", "Ed448", "X25519", "DSA"],
)
def test_refuses_other_kinds_and_curves(make: Any) -> None:
    public_key: PublicKeyTypes = make().public_key()
    with pytest.raises(KeyRefused):
        keycheck.check_key(public_key)


@pytest.mark.parametrize("bits", [1024, 2040, 2047, 2049, 4104])
def test_refuses_rsa_of_the_wrong_size(bits: int) -> None:
    with pytest.raises(KeyRefused, match=f"{bits} bits"):
        keycheck.check_key(rsa_key((1 << (bits - 1)) + 1))


@pytest.mark.parametrize("exponent", [3, 17, 65535, 65538, (1 << 64) + 1])
def test_refuses_a_wrong_exponent(exponent: int, keys: dict[str, Any]) -> None:
    n = keys["rsa2048"].public_key().public_numbers().n
    if exponent % 2 == 0:  # the library builds no such key; ours must not rely on that
        with pytest.raises(KeyRefused, match="exponent"):
            keycheck._check_rsa(n, exponent)
        return
    with pytest.raises(KeyRefused, match="exponent"):
        keycheck.check_key(rsa_key(n, exponent))


@pytest.mark.parametrize("factor", [2, 3, 751, 757, 65521])
def test_refuses_a_small_factor(factor: int) -> None:
    n = factor * ((1 << 2047) // factor + 1)
    assert n.bit_length() == 2048
    with pytest.raises(KeyRefused, match="factor below"):
        keycheck._check_rsa(n, 65537)


def test_small_factors_are_exactly_the_primes_below_65537(keys: dict[str, Any]) -> None:
    assert not keycheck.has_small_factor(65537)
    assert not keycheck.has_small_factor(keys["rsa2048"].public_key().public_numbers().n)
    assert keycheck.has_small_factor(65521)


def test_refuses_the_fingerprint_of_roca() -> None:
    # As the broken generator made them: p = k * M + 65537^a mod M, with M the product of the first 126 primes.
    primes = [number for number in range(2, 702) if all(number % d for d in range(2, math.isqrt(number) + 1))]
    assert len(primes) == 126
    m = math.prod(primes)

    def prime(at_least: int, a: int) -> int:
        candidate = (at_least // m + 1) * m + pow(65537, a, m)
        while pow(2, candidate - 1, candidate) != 1:
            candidate += m
        return candidate

    n = prime(0b11 << 1022, 1234567) * prime(0b111 << 1021, 7654321)
    assert n.bit_length() == 2048
    with pytest.raises(KeyRefused, match="ROCA"):
        keycheck.check_key(rsa_key(n))


def test_an_ordinary_modulus_has_no_fingerprint_of_roca(keys: dict[str, Any]) -> None:
    assert not any(
        keycheck.is_roca(keys[name].public_key().public_numbers().n) for name in ("rsa2048", "rsa3072", "rsa4096")
    )


@pytest.mark.parametrize("distance", [0, 2, 1 << 500])
def test_refuses_primes_that_are_close_together(distance: int) -> None:
    p = next_prime(0b11 << 1022)
    q = p if distance == 0 else next_prime(p + distance)
    with pytest.raises(KeyRefused, match="Fermat"):
        keycheck.check_key(rsa_key(p * q))


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=10**6, max_value=10**9), st.integers(min_value=0, max_value=300))
def test_fermat_finds_every_pair_within_its_rounds(p: int, gap: int) -> None:
    p, q = p | 1, (p | 1) + 2 * gap
    rounds = (p + q) // 2 - math.isqrt(p * q) + 1
    assert keycheck.has_close_factors(p * q, rounds=rounds)
