"""Quality of keys that ask to be certified (SBR 6.1.1.3, 6.1.5, 6.1.6)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ca.errors import KeyRefused

MIN_BITS: Final = 2048
MAX_BITS: Final = 4096
MIN_EXPONENT: Final = 65537
MAX_EXPONENT_BITS: Final = 64  # SBR 6.1.6 would allow 256; beyond 64 OpenSSL's and our own verifiers refuse
FERMAT_ROUNDS: Final = 100  # SBR 6.1.1.3 (5)
SMALL_FACTOR_BELOW: Final = 65537

# The markers of CVE-2017-15361: an affected modulus is a power of 65537 modulo every one of these primes.
_ROCA_PRIMES: Final = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip
_CURVES: Final = frozenset({"secp256r1", "secp384r1"})

CertifiableKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def check_key(public_key: PublicKeyTypes) -> None:
    """KeyRefused, naming why, unless the key is RSA of 2048 to 4096 bits without known weakness, or on P-256 or P-384.

    Takes less than a millisecond, and nothing when the same key is asked about again soon.
    """
    certifiable(public_key)


def certifiable(public_key: PublicKeyTypes) -> CertifiableKey:
    """The same key, checked as by `check_key`."""
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        _check_rsa(numbers.n, numbers.e)
        return public_key
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if public_key.curve.name not in _CURVES:  # the point itself was checked when the key was loaded
            raise KeyRefused(f"a key on the curve {public_key.curve.name}")
        return public_key
    raise KeyRefused("a key that is neither RSA nor on P-256 or P-384")


@lru_cache(maxsize=256)
def _check_rsa(n: int, e: int) -> None:
    bits = n.bit_length()
    if not MIN_BITS <= bits <= MAX_BITS or bits % 8:
        raise KeyRefused(f"an RSA key of {bits} bits, where 2048 to 4096 in whole octets are wanted")
    if e < MIN_EXPONENT or e % 2 == 0 or e.bit_length() > MAX_EXPONENT_BITS:
        raise KeyRefused("an RSA key whose public exponent is not an odd number from 65537 to 2^64")
    if has_small_factor(n):
        raise KeyRefused(f"an RSA key whose modulus has a factor below {SMALL_FACTOR_BELOW}")
    if is_roca(n):
        raise KeyRefused("an RSA key of the broken generator ROCA (CVE-2017-15361)")
    if has_close_factors(n):
        raise KeyRefused("an RSA key whose two primes are too close together (Fermat)")


def has_small_factor(n: int) -> bool:
    """Whether a prime below 65537 divides the number."""
    product = _product_of_small_primes()
    return math.gcd(n, product % n) != 1


def is_roca(n: int) -> bool:
    """Whether the modulus has the fingerprint of ROCA; one in about 2^27 innocent ones has it too."""
    return all(n % prime in residues for prime, residues in _roca_residues())


def has_close_factors(n: int, *, rounds: int = FERMAT_ROUNDS) -> bool:
    """Whether Fermat's method factors the number within so many rounds."""
    a = math.isqrt(n)
    if a * a < n:
        a += 1
    rest = a * a - n
    for _ in range(rounds):
        # A square is 0, 1, 4 or 9 modulo 16: three of four candidates need no root.
        if rest & 15 in {0, 1, 4, 9} and math.isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * a + 1
        a += 1
    return False


@lru_cache(maxsize=1)
def _product_of_small_primes() -> int:
    sieve = bytearray([1]) * SMALL_FACTOR_BELOW
    sieve[:2] = b"\0\0"
    for number in range(2, math.isqrt(SMALL_FACTOR_BELOW) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, SMALL_FACTOR_BELOW, number)))
    factors = [number for number, is_prime in enumerate(sieve) if is_prime]
    while len(factors) > 1:  # pairwise, so that the numbers multiplied are of one size
        factors = [math.prod(factors[at : at + 2]) for at in range(0, len(factors), 2)]
    return factors[0]


@lru_cache(maxsize=1)
def _roca_residues() -> tuple[tuple[int, frozenset[int]], ...]:
    """For each marker prime, the powers of 65537; primes where those are all residues tell nothing."""
    found = ((prime, frozenset(pow(65537, power, prime) for power in range(prime - 1))) for prime in _ROCA_PRIMES)
    return tuple((prime, residues) for prime, residues in found if len(residues) < prime - 1)
