from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.errors import Malformed
from formats.serial import Serial, SerialError


def test_random_serials_are_sixteen_positive_octets() -> None:
    drawn = [Serial.random() for _ in range(1000)]
    assert len(set(drawn)) == 1000
    for serial in drawn:
        assert len(serial.octets) == 16
        assert serial.octets[0] >> 6 == 0b01
        assert len(str(serial)) == 32


def test_every_bit_below_the_top_two_varies() -> None:
    drawn = [Serial.random().value for _ in range(200)]
    for bit in range(126):
        assert len({value >> bit & 1 for value in drawn}) == 2


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("f", 15), ("0F", 15), ("aBc", 0xABC), ("f" * 40, 2**160 - 1)])
def test_reads_hexadecimal_of_either_case(text: str, value: int) -> None:
    assert Serial.parse(text) == Serial(value)


@pytest.mark.parametrize("text", ["", "g", "0x12", "-1", "+1", "1_0", " 1", "1\n", "a:b", "f" * 41, "\u0661", "\uff11"])
def test_refuses_other_text(text: str) -> None:
    with pytest.raises(SerialError):
        Serial.parse(text)
    assert issubclass(SerialError, Malformed)


@pytest.mark.parametrize(("value", "text"), [(0, "00"), (15, "0f"), (256, "0100"), (0xABC, "0abc"), (-15, "-0f")])
def test_is_written_in_pairs_of_digits(value: int, text: str) -> None:
    assert str(Serial(value)) == text


def test_octets_are_the_magnitude() -> None:
    assert Serial(0).octets == b"\0"
    assert Serial(0x80).octets == b"\x80"
    assert Serial(-0x1234).octets == b"\x12\x34"


def test_serials_are_in_numeric_order() -> None:
    assert Serial(9) < Serial(10) < Serial(0x100)


@given(st.integers(min_value=0, max_value=2**160 - 1))
@settings(max_examples=100, deadline=None)
def test_what_is_written_reads_back(value: int) -> None:
    serial = Serial(value)
    assert Serial.parse(str(serial)) == serial
    assert bytes.fromhex(str(serial)) == serial.octets
