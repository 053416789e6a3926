"""Writes the API's description down: `python -m api.openapi > openapi.yaml`."""

from __future__ import annotations

import sys

from api.assembly import bare
from api.description import describe, to_yaml
from api.routers import ROUTERS


def main() -> None:
    """Write the description to the standard output; it needs no context, as nothing is called."""
    sys.stdout.write(to_yaml(describe(bare(ROUTERS))))


if __name__ == "__main__":
    main()
