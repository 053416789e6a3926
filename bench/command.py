"""The openssl command: what the service is held against, and the judge of what it made."""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Failed
from bench.figures import Turn

SECONDS = 60
# A shell forks faster than Python, and is how a program without the service would do it.
_LOOP = 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" >/dev/null || exit 1; n=$((n-1)); done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The files of somebody who signs the mail by `openssl cms -sign`."""

    mail: Path
    key: Path
    certificate: Path
    chain: Path

    @property
    def command(self) -> list[str]:
        names = ("-in", self.mail, "-inkey", self.key, "-signer", self.certificate, "-certfile", self.chain)
        return ["openssl", "cms", "-sign", "-md", "sha256", *map(str, names)]

    def sign(self, *, each: int, at_a_time: int) -> Turn:
        """Sign so often in each of so many loops at a time, one process a signature."""
        before, began = _children(), time.perf_counter()
        loops = [_loop(each, self.command) for _ in range(at_a_time)]
        try:
            failed = [said for loop in loops if (said := loop.communicate(timeout=SECONDS)[1]) or loop.returncode]
        finally:
            for loop in loops:
                loop.kill()  # of one that has ended nothing is left to kill
                loop.wait()
        if failed:
            raise Failed(f"openssl cms -sign: {failed[0].decode(errors='replace')[:500]}")
        seconds = time.perf_counter() - began
        return Turn(times=each * at_a_time, seconds=seconds, answering=_children() - before)


def version() -> str:
    """The version; Failed where there is none."""
    if shutil.which("openssl") is None:
        raise Failed(
            "the command openssl is missing, and the bench measures against it",
            hint="install it (Debian and Ubuntu: apt-get install openssl) and run make bench again",
        )
    return _run("version").stdout.decode().split(" (")[0]


def require_signed(mail: Path, *, root: Path) -> None:
    """Failed unless the signature of this mail is good and its chain ends at the root."""
    ran = _run("cms", "-verify", "-in", mail, "-CAfile", root, "-purpose", "smimesign", "-out", "/dev/null")
    if ran.returncode:
        raise Failed(f"openssl cms -verify refuses what the service signed: {ran.stderr.decode()[:500]}")


def require_answered(answer: Path, *, certificate: Path, issuer: Path, root: Path) -> None:
    """Failed unless this OCSP answer says by a good signature that the certificate is."""
    ran = _run(
        "ocsp", "-respin", answer, "-issuer", issuer, "-cert", certificate, "-CAfile", root, "-verify_other", issuer,
    )  # fmt: skip
    said = (ran.stdout + ran.stderr).decode(errors="replace")
    if ran.returncode or "Response verify OK" not in said or ": good" not in said:
        raise Failed(f"openssl ocsp refuses the service's answer: {said[:500]}")


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=SECONDS, check=False)


def _loop(times: int, command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _LOOP, "sh", str(times), *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _children() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
