from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from pkilint.cabf.smime import smime_constants, smime_name

from ca import profiles
from ca.errors import ProfilesWrong, ProfileUnknown, UseNotPossible
from ca.profiles import PROFILES, Profile, Use
from ca.subjects import _ORDER


def test_the_tables_agree_with_the_standard() -> None:
    profiles.validate()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"smime_type": "MAILBOX-MULTIPURPOSE"},
        {"max_days": 825},
        {"default_days": 0},
        {"default_days": 824},
        {"policy_suffix": "1.x"},
        {"allowed": PROFILES["role"].allowed},
        {"required": frozenset({"common_name"})},
        {"one_of": PROFILES["person"].one_of},
    ],
)
def test_start_is_refused_where_a_table_says_otherwise(change: dict[str, Any]) -> None:
    wrong = dict(PROFILES) | {"mailbox": replace(PROFILES["mailbox"], **change)}
    with pytest.raises(ProfilesWrong):
        profiles.validate(wrong)


def test_start_is_refused_where_a_profile_is_missing() -> None:
    with pytest.raises(ProfilesWrong):
        profiles.validate({"mailbox": PROFILES["mailbox"]})


def test_start_is_refused_where_two_profiles_share_a_policy() -> None:
    wrong = dict(PROFILES) | {"role": replace(PROFILES["role"], policy_suffix="1")}
    with pytest.raises(ProfilesWrong):
        profiles.validate(wrong)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_attributes_are_those_that_pkilint_allows_and_requires(profile: Profile) -> None:
    level = smime_constants.ValidationLevel[profile.smime_type.split("-", maxsplit=1)[0]]
    table = smime_name._VALIDATION_LEVEL_TO_TABLE[level]
    strict = smime_name._GENERATION_INDEXES[smime_constants.Generation.STRICT]
    words = {str(oid): row[strict] for oid, row in table.items()}
    oid_of = {attribute: oid.dotted_string for attribute, oid, _ in _ORDER}
    assert {attribute for attribute in profile.allowed if words[oid_of[attribute]] == smime_name.SHALL_NOT} == set()
    required = {attribute for attribute, oid in oid_of.items() if words[oid] == smime_name.SHALL}
    assert required <= profile.required


def test_refuses_an_unknown_profile() -> None:
    with pytest.raises(ProfileUnknown, match="mailbox, person, role"):
        profiles.profile("server")


@pytest.mark.parametrize(
    ("key", "use", "bits"),
    [
        ("rsa3072", Use.SIGN, {"digitalSignature"}),
        ("rsa3072", Use.ENCRYPT, {"keyEncipherment"}),
        ("rsa3072", Use.DUAL, {"digitalSignature", "keyEncipherment"}),
        ("p256", Use.SIGN, {"digitalSignature"}),
        ("p256", Use.ENCRYPT, {"keyAgreement"}),
        ("p384", Use.DUAL, {"digitalSignature", "keyAgreement"}),
    ],
)
def test_key_usage_fits_the_kind_of_key(key: str, use: Use, bits: set[str], keys: dict[str, Any]) -> None:
    assert profiles.key_usage(use, keys[key].public_key()) == bits


@pytest.mark.parametrize("use", list(Use))
def test_a_key_of_another_kind_has_no_use(use: Use) -> None:
    with pytest.raises(UseNotPossible):
        profiles.key_usage(use, ed25519.Ed25519PrivateKey.generate().public_key())
