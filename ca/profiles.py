"""Profiles, what certificates for people and departments hold: data, checked at start against the standard.

They are the strict generation of the S/MIME Baseline Requirements 7.1.4.2: mailbox-validated, sponsor-validated
(person) and organization-validated (role).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ca.errors import ProfilesWrong, ProfileUnknown, UseNotPossible

LONGEST_DAYS: Final = 824  # SBR 6.3.2: at most 825, and never the maximum itself


class Use(StrEnum):
    """What a key is certified for."""

    DUAL = "dual"
    SIGN = "sign"
    ENCRYPT = "encrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of certificate; the names of attributes are those of ca.subjects.Subject.

    `smime_type` is validation level and generation as pkilint names them. `policy_suffix` is the last arc of the
    certificate policy below the campus's own. Of the sets in `one_of`, a subject fills at least one and never two.
    """

    name: str
    smime_type: str
    policy_suffix: str
    default_days: int
    max_days: int
    allowed: frozenset[str]
    required: frozenset[str]
    one_of: tuple[frozenset[str], ...] = ()

    def policy(self, arc: str) -> str:
        """The identifier of its certificate policy below the campus's arc."""
        return f"{arc}.{self.policy_suffix}"


_ORGANIZATION: Final = frozenset({"country", "organization", "organization_id"})
_PERSONAL_NAME: Final = frozenset({"given_name", "surname"})
_PSEUDONYM: Final = frozenset({"pseudonym"})
_ANYBODY: Final = frozenset({"common_name", "serial_number"})

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "mailbox": Profile(
            name="mailbox",
            smime_type="MAILBOX-STRICT",
            policy_suffix="1",
            default_days=397,
            max_days=LONGEST_DAYS,
            allowed=_ANYBODY,
            required=frozenset(),
        ),
        "person": Profile(
            name="person",
            smime_type="SPONSORED-STRICT",
            policy_suffix="2",
            default_days=397,
            max_days=LONGEST_DAYS,
            allowed=_ANYBODY | _ORGANIZATION | _PERSONAL_NAME | _PSEUDONYM | {"title"},
            required=_ORGANIZATION,
            one_of=(_PERSONAL_NAME, _PSEUDONYM),
        ),
        "role": Profile(
            name="role",
            smime_type="ORGANIZATION-STRICT",
            policy_suffix="3",
            default_days=397,
            max_days=LONGEST_DAYS,
            allowed=_ANYBODY | _ORGANIZATION,
            required=_ORGANIZATION,
        ),
    }
)

# SBR 7.1.2.3 (e), strict; nonRepudiation is allowed with digitalSignature and not set.
_SIGN: Final = frozenset({"digitalSignature"})
_ENCRYPT: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {
        rsa.RSAPublicKey: frozenset({"keyEncipherment"}),
        ec.EllipticCurvePublicKey: frozenset({"keyAgreement"}),
    }
)


def profile(name: str) -> Profile:
    """The profile of this name."""
    found = PROFILES.get(name)
    if found is None:
        raise ProfileUnknown(f"the profile is not one of {', '.join(PROFILES)}")
    return found


def key_usage(use: Use, public_key: PublicKeyTypes) -> frozenset[str]:
    """The keyUsage bits of this use, by the names of RFC 5280 4.2.1.3."""
    encrypt = next((bits for kind, bits in _ENCRYPT.items() if isinstance(public_key, kind)), None)
    if encrypt is None:
        raise UseNotPossible(f"this kind of key cannot be certified for the use {use.value}")
    return {Use.SIGN: _SIGN, Use.ENCRYPT: encrypt, Use.DUAL: _SIGN | encrypt}[use]


def validate(tables: Mapping[str, Profile] = PROFILES) -> None:
    """Refuse to start where the tables say other than SBR 7.1.4.2.3 to 7.1.4.2.5 and 6.3.2 (strict generation)."""
    for name, entry in tables.items():
        fault = _fault(name, entry)
        if fault:
            raise ProfilesWrong(f"the profile {name} {fault}")
    if tables.keys() != _TYPES.keys():
        raise ProfilesWrong(f"the profiles are not exactly {', '.join(_TYPES)}")
    if len({entry.policy_suffix for entry in tables.values()}) < len(tables):
        raise ProfilesWrong("two profiles share a policy")


# Written out once more, attribute by attribute, so that a slip in the table above cannot pass.
_ATTRIBUTES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {  # profile: the attributes it may have, those it must have
        "mailbox": ("common_name serial_number", ""),
        "person": (
            "common_name country given_name organization organization_id pseudonym serial_number surname title",
            "country organization organization_id",
        ),
        "role": (
            "common_name country organization organization_id serial_number",
            "country organization organization_id",
        ),
    }
)
_TYPES: Final = {"mailbox": "MAILBOX-STRICT", "person": "SPONSORED-STRICT", "role": "ORGANIZATION-STRICT"}


def _fault(name: str, entry: Profile) -> str | None:
    allowed, required = _ATTRIBUTES.get(name, ("", ""))
    if name != entry.name or entry.smime_type != _TYPES.get(name):
        return "has another name or type than the standard gives it"
    if entry.allowed != frozenset(allowed.split()) or entry.required != frozenset(required.split()):
        return "allows or requires other attributes than the standard"
    if entry.one_of != ((_PERSONAL_NAME, _PSEUDONYM) if name == "person" else ()):
        return "does not tell names from pseudonyms as the standard does"
    if not 0 < entry.default_days < entry.max_days <= LONGEST_DAYS:
        return "has a validity beyond the standard's"
    if not entry.policy_suffix.isdecimal():
        return "has no policy"
    return None
