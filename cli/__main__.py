"""`python -m cli` is `mailseal`, for where the command is not installed."""

from __future__ import annotations

from cli.main import main

if __name__ == "__main__":
    main()
