from __future__ import annotations

import pytest

from formats import der, oids, pss
from formats.ber import BerError, read_der


def test_defaults_are_those_of_rfc_4055() -> None:
    assert pss.read(read_der(der.sequence())) == pss.PssParameters(
        digest=oids.SHA1, mask=oids.MGF1, mask_digest=oids.SHA1, salt=20, trailer=1
    )


def test_what_is_written_reads_back() -> None:
    parameters = read_der(pss.write(oids.SHA384, salt=48)).children[1]
    assert pss.read(parameters) == pss.PssParameters(
        digest=oids.SHA384, mask=oids.MGF1, mask_digest=oids.SHA384, salt=48, trailer=1
    )


@pytest.mark.parametrize(
    "encoded",
    [
        der.null(),
        der.sequence(der.null()),
        der.sequence(der.explicit(0, b"")),
        der.sequence(der.explicit(0, der.null())),
        der.sequence(der.explicit(1, der.sequence(der.oid(oids.MGF1)))),
        der.sequence(der.explicit(2, der.octets(b"a"))),
        der.sequence(der.explicit(2, der.integer(32) + der.integer(32))),
        der.sequence(der.explicit(3, der.integer(1)), der.explicit(2, der.integer(32))),
    ],
)
def test_refuses_malformed_parameters(encoded: bytes) -> None:
    with pytest.raises(BerError):
        pss.read(read_der(encoded))
