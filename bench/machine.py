"""The machine and the versions that the figures belong to."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from cryptography.hazmat.backends.openssl.backend import backend

# More than one light client can keep busy.
CORES = 4
_SYNCS = 40
_PAGE = bytes(4096)
_IN_MEMORY = {"tmpfs", "ramfs"}


def take_cores() -> int:
    """Keep this process and those that it starts to a few cores; how many."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        return len(os.sched_getaffinity(0))
    return min(os.cpu_count() or 1, CORES)


def disk() -> Path:
    """A folder on a real disk for what must be durable: /tmp lies in memory on many systems."""
    places = (Path(os.environ.get("TMPDIR", "/tmp")), Path("/var/tmp"), Path.cwd())
    return next((place for place in places if place.is_dir() and filesystem(place) not in _IN_MEMORY), Path.cwd())


def filesystem(place: Path) -> str:
    """The kind of file system that a folder lies on; `?` where the system does not tell."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "?"
    whole = place.resolve()
    below = [(len(at), kind) for _, at, kind, *_ in mounts if whole.is_relative_to(at)]
    return max(below)[1] if below else "?"


def sync_seconds(folder: Path) -> float:
    """The median time of one 4 KiB write that is made durable: no commit can be faster."""
    took = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(_PAGE)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took)


def describe(folder: Path, *, cores: int, openssl: str, load: float) -> str:
    """Two lines of Markdown: the machine, and the versions."""
    sync = sync_seconds(folder) * 1000
    inside = backend.openssl_version_text().rsplit(" ", 3)[0]
    machine = (
        f"Machine: {_processor()}, {cores} of {os.cpu_count()} cores used, {_system()}, {filesystem(folder)} with "
        f"{sync:.2f} ms for a durable write of 4 KiB; load before the run {load:.1f}."
    )
    versions = (
        f"Versions: Python {platform.python_version()}, cryptography {version('cryptography')} ({inside}), command "
        f"{openssl}, uvicorn {version('uvicorn')}, FastAPI {version('fastapi')}, SQLite {sqlite3.sqlite_version}."
    )
    return f"{machine}\n{versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    model = found.get("model name", platform.processor() or platform.machine()).strip()
    parts = [found[name].strip() for name in ("cpu family", "model") if name in found]
    return f"{model} (family {parts[0]}, model {parts[1]})" if len(parts) == 2 else model


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name} ({platform.release()}, {platform.machine()})"
