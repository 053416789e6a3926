import ast
import tomllib

from tests.house.source import ROOMS, ROOT, functions, room_files, tracked

BANNED = {"util", "utils", "helper", "helpers", "manager", "handler", "handlers", "core", "common", "misc", "base"}

# Numbered procedures that are one story; each longer than this needs its name and reason here.
LONG_PROCEDURES: dict[str, str] = {
    "ca/hierarchy.py:make_issuing_ca": "says in one place all that an issuing CA's certificate holds",
}


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): lines for path in room_files() if (lines := _lines(path.read_text())) > 400}
    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": length
        for path in room_files()
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > 60
        and f"{path.relative_to(ROOT)}:{function.name}" not in LONG_PROCEDURES
    }
    assert long == {}


def test_no_file_has_an_empty_name() -> None:
    assert [path for path in room_files() if BANNED & set(path.stem.split("_"))] == []


def test_every_module_says_in_its_docstring_what_it_is() -> None:
    assert [path for path in room_files() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_only_the_start_reads_the_system_clock() -> None:
    allowed = {ROOT / "services/start.py", ROOT / "cli/files.py"}
    reading = [path for path in room_files() if "datetime.now(" in path.read_text() or "utcnow(" in path.read_text()]
    assert set(reading) <= allowed


def test_input_is_never_checked_by_assert() -> None:
    asserts = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in room_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


def test_every_room_is_in_the_wheel_and_under_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted([*ROOMS, "migrations"])
    assert sorted(project["tool"]["importlinter"]["root_packages"]) == sorted([*ROOMS, "migrations"])
    assert sorted(path.parent.name for path in ROOT.glob("*/__init__.py")) == sorted(
        [*ROOMS, "bench", "migrations", "tests"]
    )


def test_lock_files_hold_hashes_and_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_every_test_module_asserts_something() -> None:
    silent = [
        path
        for path in tracked("tests/*.py")
        if path.name.startswith("test_") and not any(mark in path.read_text() for mark in ("assert", "pytest.raises"))
    ]
    assert silent == []


def _lines(text: str) -> int:
    return text.count("\n")
