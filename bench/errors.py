"""What ends the bench before its table."""

from __future__ import annotations


class Failed(Exception):
    """The figures would be worth nothing; the text says why in one line, `hint` what to do."""

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint
