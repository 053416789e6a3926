from pathlib import Path

from bench import machine


def test_describes_machine_and_versions_in_a_line_each(tmp_path: Path) -> None:
    text = machine.describe(tmp_path, cores=2, openssl="OpenSSL 3.0.0", load=0.5)
    first, second = text.splitlines()
    assert first.startswith("Machine: ")
    assert "2 of " in first
    assert "load before the run 0.5" in first
    for name in ("Python", "cryptography", "command OpenSSL 3.0.0", "uvicorn", "SQLite"):
        assert name in second


def test_knows_what_lies_in_memory() -> None:
    if Path("/proc/self/mounts").exists():
        assert machine.filesystem(Path("/proc")) == "proc"


def test_durable_write_takes_time(tmp_path: Path) -> None:
    assert machine.sync_seconds(tmp_path) > 0
