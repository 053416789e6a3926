from tests.smime.campus import Person


def test_the_key_stays_out_of_repr(alice: Person) -> None:
    assert "key" not in repr(alice.signer)
    assert "PrivateKey" not in repr(alice.signer)
