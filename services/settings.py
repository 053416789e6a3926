"""Settings, what the operator decides: environment variables `MAILSEAL_*`, and a TOML file below them.

SettingsWrong   Unacceptable: one or more settings cannot be used; `errors` holds all of them
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from formats.errors import Unacceptable
from services import setting_values as values

PREFIX: Final = "MAILSEAL_"
MAX_FILE: Final = 64 * 1024
MAX_VALUE: Final = 4096

# Names of ours that are read elsewhere, and so are neither settings of the service nor misspelt.
READ_ELSEWHERE: Final[Mapping[str, str]] = {
    "MAILSEAL_CONFIG": "The TOML file with settings, their names in lower case; the environment wins.",
    "MAILSEAL_URL": "Where the command line finds the service; the default is this machine, at the port of the settings.",
    "MAILSEAL_API_KEY_FILE": "The file with the API key that the command line uses; the default is `admin.key` in the data folder.",
    "MAILSEAL_REQUIRE_ALL": "Makes the test suite fail where it would skip.",
}


class SettingsWrong(Unacceptable):
    """One or more settings cannot be used; `errors` names each as `MAILSEAL_X: what is wrong`, and no secret."""

    code = "settings_wrong"
    hint = "correct the settings that the message names; `docs/settings.md` describes them all"

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(self.errors))


class Settings(BaseModel):
    """The settings as they count; each is `MAILSEAL_` and its name here in capitals.

    `model_fields_set` holds those that the operator has set, not the defaults of the demo.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    data: Path = Field(default=Path("data"), description="The data folder.")
    database_url: Annotated[str, AfterValidator(values.database_url)] | None = Field(
        default=None,
        repr=False,
        description="The database, as sqlite:///file or postgresql+psycopg://...; the default is SQLite in the data folder.",
    )
    host: Annotated[str, AfterValidator(values.host_name)] = Field(
        default="127.0.0.1", description="The address to listen on; the demo listens on loopback only."
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The TCP port to listen on.")
    workers: int = Field(default=1, ge=1, le=256, description="How many processes serve; one per core at most.")
    public_url: Annotated[str, AfterValidator(values.public_url)] = Field(
        default_factory=lambda valid: f"http://localhost:{valid['port']}",
        description="Where people and programs reach the service; https unless it is this machine itself.",
    )
    status_url: Annotated[str, AfterValidator(values.status_url)] | None = Field(
        default=None,
        description="Where CRLs, OCSP and CA certificates are found by plain http; written into every certificate.",
    )
    campus_name: Annotated[str, AfterValidator(values.campus_name)] | None = Field(
        default=None, description="The name of the campus in its CA certificates, at most 30 characters."
    )
    country: Annotated[str, AfterValidator(values.country)] | None = Field(
        default=None, description="The country of the campus, two capital letters of ISO 3166."
    )
    organization_id: Annotated[str, AfterValidator(values.organization_id)] | None = Field(
        default=None, description="The registered identifier of the campus, such as NTRHK-00000000."
    )
    mail_domains: Annotated[tuple[str, ...], BeforeValidator(values.listed), AfterValidator(values.mail_domains)] = (
        Field(
            default=(), description="The mail domains, separated by commas; a sub-domain counts only if it is listed."
        )
    )
    policy_arc: Annotated[str, AfterValidator(values.policy_arc)] | None = Field(
        default=None,
        description="The object identifier under which the certificate policies stand, numbers below 2^32; `init` makes one.",
    )
    name_constraints: Literal["critical", "noncritical", "off"] = Field(
        default="critical", description="Whether the issuing CA is limited to the mail domains in its own certificate."
    )
    kek_file: Path | None = Field(
        default=None, description="The file with the key-encryption key, outside the data folder except in the demo."
    )
    root_passphrase_file: Path = Field(
        default_factory=lambda valid: valid["data"] / "root.passphrase",
        description="The file that gets the passphrase of the root key, to be moved off the machine.",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[values.Network, BeforeValidator(values.network)], ...], BeforeValidator(values.listed)
    ] = Field(default=(), description="The networks of proxies whose X-Forwarded-For is believed.")
    help_email: Annotated[str, AfterValidator(values.help_email)] | None = Field(
        default=None, description="The address where people of the campus find help."
    )
    help_url: Annotated[str, AfterValidator(values.help_url)] | None = Field(
        default=None, description="The page where people of the campus find help."
    )
    smtp_url: Annotated[str, AfterValidator(values.smtp_url)] | None = Field(
        default=None,
        repr=False,
        description="The relay for letters, as smtp://user:password@host:port or smtps://...; without it they lie in the data folder.",
    )
    mail_from: Annotated[str, AfterValidator(values.mail_from)] | None = Field(
        default=None,
        description="The address that letters come from, in a mail domain; the default is mailseal@ and the first domain.",
    )
    message_limit: int = Field(
        default=25 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="The largest message taken, in octets."
    )
    rate_limit: int = Field(
        default=6000,
        ge=0,
        le=1_000_000,
        description="How many requests of one key a process takes in a minute; 0 is no limit, and keys with the scope admin have none.",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(values.lower)] = Field(
        default="info", description="How much is logged: debug, info, warning or error."
    )

    @property
    def resolved_database_url(self) -> str:
        """The database's URL, whether set or by default; it may hold a password."""
        return self.database_url or f"sqlite:///{self.data / 'mailseal.db'}"

    def missing_for_init(self) -> list[str]:
        """The settings without which no CA of a campus can be made, by their full names."""
        needed = ("campus_name", "country", "organization_id", "mail_domains", "status_url", "kek_file")
        return [variable(name) for name in needed if not getattr(self, name)]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What has been read so far: values, what is wrong with one of them by its name, and all other faults."""

    given: dict[str, object] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def load_settings(environ: Mapping[str, str], *, demo: bool) -> Settings:
    """Read all settings; SettingsWrong tells everything that is wrong with them at once.

    An empty value counts as none. (1) read the file that MAILSEAL_CONFIG names, its names with or without
    `mailseal_`, and let the environment win; (2) judge each value; (3) in the demo, fill in what is not set;
    (4) judge what does not fit together, leaving out what was refused already.
    """
    reading = _read(environ)  # (1)
    settings, faults = _judge(reading)  # (2)
    if demo:
        settings = _with_defaults(settings, _demo_defaults(settings))  # (3)
    clashes = [  # (4)
        f"{variable(names[0])}: {text}"
        for names, text in _clashes(settings, demo=demo)
        if faults.keys().isdisjoint(names)
    ]
    errors = [*reading.errors, *(f"{variable(name)}: {fault}" for name, fault in faults.items()), *clashes]
    if errors:
        raise SettingsWrong(errors)
    return settings


def data_folder(environ: Mapping[str, str]) -> Path:
    """The data folder alone, for who must look into it to know whether it is a demo's; judges no other setting."""
    return _judge(_read(environ))[0].data


def local_port(environ: Mapping[str, str]) -> int:
    """The port of this machine's service, for who calls it; SettingsWrong where it cannot be known, and no default."""
    reading = _read(environ)
    settings, faults = _judge(reading)
    wrong = [error for error in reading.errors if error.startswith("MAILSEAL_CONFIG:")]
    if "port" in faults:
        wrong.append(f"{variable('port')}: {faults['port']}")
    if wrong:
        raise SettingsWrong(wrong)
    return settings.port


def _read(environ: Mapping[str, str]) -> _Reading:
    reading = _Reading()
    if name := environ.get("MAILSEAL_CONFIG", ""):
        for key, value in _read_file(name, errors=reading.errors).items():
            setting = key.removeprefix("mailseal_")
            if setting in reading.given:
                reading.faults[setting] = "stands twice in the file"
            _take(reading, setting, value, known_as=f"{key} in the file")
    for key in sorted(environ):
        if not key.upper().startswith(PREFIX) or key in READ_ELSEWHERE or environ[key] == "":
            continue
        setting = key[len(PREFIX) :].lower()
        if key == key.upper():
            _take(reading, setting, environ[key], known_as=key)
        else:
            reading.errors.append(_unknown(key, setting=setting))
    return reading


def _read_file(name: str, *, errors: list[str]) -> dict[str, object]:
    try:
        with Path(name).open("rb") as file:
            text = file.read(MAX_FILE + 1)
        if len(text) <= MAX_FILE:
            return tomllib.loads(text.decode())
        errors.append(f"MAILSEAL_CONFIG: the file has more than {MAX_FILE} octets")
    except OSError as error:
        errors.append(f"MAILSEAL_CONFIG: the file cannot be read: {error.strerror}")
    except (ValueError, RecursionError):  # of TOML, of UTF-8, a NUL in the name; the parser recurses into arrays
        errors.append("MAILSEAL_CONFIG: the file is not TOML")
    return {}


def _take(reading: _Reading, setting: str, value: object, *, known_as: str) -> None:
    """Note the value as text or a list of texts, or what is wrong with its name or form."""
    if setting not in Settings.model_fields:
        reading.errors.append(_unknown(known_as, setting=setting))
        return
    parts = [str(part) for part in value] if isinstance(value, list) else [str(value)]
    if isinstance(value, dict) or not all(part.isprintable() and len(part) <= MAX_VALUE for part in parts):
        reading.faults[setting] = f"must be one line of at most {MAX_VALUE} printable characters"
    elif any(parts):
        reading.given[setting] = parts if isinstance(value, list) else parts[0]


def _unknown(known_as: str, *, setting: str) -> str:
    name = known_as if known_as.isprintable() else ascii(known_as)
    near = difflib.get_close_matches(setting[:64], Settings.model_fields, n=1, cutoff=0.7)
    return f"{name[:100]}: there is no such setting" + (f"; is {variable(near[0])} meant?" if near else "")


def _judge(reading: _Reading) -> tuple[Settings, dict[str, str]]:
    """The settings without the values that cannot be used, and what is wrong with each of those."""
    faults = dict(reading.faults)
    try:
        return Settings.model_validate(reading.given), faults
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            if fault["type"] != "default_factory_not_called":  # only the echo of another fault
                faults.setdefault(str(fault["loc"][0]), _sentence(fault))
    return Settings.model_validate({name: value for name, value in reading.given.items() if name not in faults}), faults


def _sentence(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    match fault["type"]:
        case "setting":
            return fault["msg"]
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "literal_error":
            return f"must be {context['expected']}"
        case kind if kind.startswith("int_"):
            return "must be a whole number"
        case _:
            return "must be one value"


def _demo_defaults(settings: Settings) -> dict[str, object]:
    """What the demo fills in where nothing is set."""
    country = settings.country or "HK"
    defaults: dict[str, object] = {
        "status_url": f"http://localhost:{settings.port}",
        "campus_name": "Example University",
        "country": country,
        "organization_id": f"NTR{country}-00000000",
        "mail_domains": ("campus.example", "cuhk.example"),
        "kek_file": settings.data / "kek",
    }
    return {name: value for name, value in defaults.items() if not getattr(settings, name)}


def _with_defaults(settings: Settings, defaults: Mapping[str, object]) -> Settings:
    # `model_copy(update=...)` would count the defaults into `model_fields_set`, as if the operator had set them.
    return Settings.model_construct(_fields_set=settings.model_fields_set, **{**dict(settings), **defaults})


def _clashes(settings: Settings, *, demo: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    """What does not fit together: the settings concerned, the first to be changed, and what is wrong."""
    registered = values.registered_in(settings.organization_id)
    if settings.country and registered and registered != settings.country:
        yield ("organization_id", "country"), f"names {registered}, and MAILSEAL_COUNTRY says {settings.country}"
    if demo:
        if not values.is_loopback(settings.host):
            yield ("host",), "must be a loopback address in the demo"
        for domain in settings.mail_domains:
            if not values.is_nobodys(domain):
                yield ("mail_domains",), f"must end in .example in the demo, and {domain} does not"
    elif settings.kek_file and _real(settings.kek_file).is_relative_to(_real(settings.data)):
        # A copy of the data folder must not be a copy of the keys.
        yield ("kek_file", "data"), "must lie outside the data folder"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises where symbolic links go in a circle
