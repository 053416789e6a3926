"""The application for uvicorn, by the import string `api.main:create` with factory=True; one Context per worker."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Final

from api import log
from api.app import create_app
from api.envelope import Envelope
from services import founding, start
from services.settings import data_folder, load_settings
from services.words.problems import TITLES

_PR_SET_PDEATHSIG: Final = 1


def create() -> Envelope:
    """Open the context from the environment, and build the application around it."""
    _end_with_the_parent()
    demo = founding.is_demo(data_folder(os.environ))
    settings = load_settings(os.environ, demo=demo)
    log.configure(settings.log_level)
    return create_app(start.open_context(settings, demo=demo), titles=TITLES)


def _end_with_the_parent() -> None:
    # When the parent is killed, its workers would go on and keep the port.
    if sys.platform == "linux" and multiprocessing.parent_process() is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
