from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services import setting_values
from services.settings import PREFIX, READ_ELSEWHERE, Settings, SettingsWrong, data_folder, load_settings, variable

CAMPUS = {
    "MAILSEAL_CAMPUS_NAME": "Example University",
    "MAILSEAL_COUNTRY": "HK",
    "MAILSEAL_ORGANIZATION_ID": "NTRHK-00000000",
    "MAILSEAL_MAIL_DOMAINS": "campus.example.edu",
    "MAILSEAL_STATUS_URL": "http://pki.campus.example.edu",
    "MAILSEAL_KEK_FILE": "/etc/mailseal/kek",
}


def load(*, demo: bool = False, **given: str) -> Settings:
    return load_settings({variable(name): value for name, value in given.items()}, demo=demo)


def errors_of(environ: dict[str, str], *, demo: bool = False) -> tuple[str, ...]:
    with pytest.raises(SettingsWrong) as refused:
        load_settings(environ, demo=demo)
    return refused.value.errors


def error_of(name: str, value: str, *, demo: bool = False) -> str:
    errors = errors_of({variable(name): value}, demo=demo)
    assert len(errors) == 1
    assert errors[0].startswith(f"{variable(name)}: ")
    return errors[0].partition(": ")[2]


def toml(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "mailseal.toml").write_text(text)
    return {"MAILSEAL_CONFIG": str(tmp_path / "mailseal.toml")}


# --- defaults ---------------------------------------------------------------------------------------------------------


def test_without_any_setting_the_contract_s_defaults_count() -> None:
    settings = load()
    assert settings.data == Path("data")
    assert settings.resolved_database_url == "sqlite:///data/mailseal.db"
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.public_url == "http://localhost:8000"
    assert settings.name_constraints == "critical"
    assert settings.message_limit == 25 * 1024 * 1024
    assert settings.root_passphrase_file == Path("data/root.passphrase")


def test_production_invents_nothing_about_the_campus() -> None:
    assert load().missing_for_init() == [
        "MAILSEAL_CAMPUS_NAME",
        "MAILSEAL_COUNTRY",
        "MAILSEAL_ORGANIZATION_ID",
        "MAILSEAL_MAIL_DOMAINS",
        "MAILSEAL_STATUS_URL",
        "MAILSEAL_KEK_FILE",
    ]
    assert load().policy_arc is None


def test_nothing_is_missing_once_the_campus_is_described() -> None:
    assert load_settings(CAMPUS, demo=False).missing_for_init() == []


def test_the_demo_needs_no_setting() -> None:
    settings = load(demo=True)
    assert settings.missing_for_init() == []
    assert (settings.campus_name, settings.country) == ("Example University", "HK")
    assert settings.organization_id == "NTRHK-00000000"
    assert settings.mail_domains == ("campus.example", "cuhk.example")
    assert settings.status_url == "http://localhost:8000"
    assert settings.kek_file == Path("data/kek")
    assert settings.policy_arc is None  # `init` makes one


def test_the_demo_s_defaults_are_settings_that_would_be_accepted() -> None:
    settings = load(demo=True, trusted_proxies="192.0.2.0/24")
    assert Settings.model_validate(dict(settings)).model_dump() == settings.model_dump()


def test_the_demo_s_defaults_follow_what_is_set() -> None:
    settings = load(demo=True, data="/srv/demo", port="8123", country="DE")
    assert settings.kek_file == Path("/srv/demo/kek")
    assert settings.root_passphrase_file == Path("/srv/demo/root.passphrase")
    assert settings.resolved_database_url == "sqlite:////srv/demo/mailseal.db"
    assert settings.public_url == settings.status_url == "http://localhost:8123"
    assert settings.organization_id == "NTRDE-00000000"


def test_the_demo_lets_what_is_set_win() -> None:
    settings = load(demo=True, campus_name="Other", mail_domains="a.example", kek_file="/k", policy_arc="2.25.7")
    assert settings.campus_name == "Other"
    assert settings.mail_domains == ("a.example",)
    assert settings.kek_file == Path("/k")
    assert settings.policy_arc == "2.25.7"


def test_tells_what_was_set_from_what_was_filled_in() -> None:
    assert load().model_fields_set == load(demo=True).model_fields_set == set()
    assert load(demo=True, port="8001", mail_domains="a.example").model_fields_set == {"port", "mail_domains"}


# --- where they come from ---------------------------------------------------------------------------------------------


def test_reads_a_file_and_lets_the_environment_win(tmp_path: Path) -> None:
    environ = toml(tmp_path, 'port = 8001\nworkers = 2\nmailseal_campus_name = "From the File"\n')
    settings = load_settings(environ | {"MAILSEAL_PORT": "8002"}, demo=False)
    assert (settings.port, settings.workers, settings.campus_name) == (8002, 2, "From the File")


def test_lists_are_lists_in_the_file_and_commas_in_the_environment(tmp_path: Path) -> None:
    environ = toml(tmp_path, 'mail_domains = ["a.example", "B.example"]\ntrusted_proxies = "192.0.2.1"\n')
    settings = load_settings(environ, demo=False)
    assert settings.mail_domains == ("a.example", "b.example")
    assert settings.trusted_proxies == (ipaddress.ip_network("192.0.2.1/32"),)
    assert load(mail_domains=" a.example , b.example,").mail_domains == ("a.example", "b.example")
    assert load(trusted_proxies="10.0.0.0/8,2001:db8::/32").trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("2001:db8::/32"),
    )


def test_an_empty_value_is_none_at_all(tmp_path: Path) -> None:
    environ = toml(tmp_path, 'port = 8001\nhelp_url = ""\nmail_domains = []\n')
    settings = load_settings(environ | {"MAILSEAL_PORT": "", "MAILSEAL_STATUS_URL": ""}, demo=False)
    assert (settings.port, settings.status_url, settings.help_url) == (8001, None, None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port = ", "MAILSEAL_CONFIG: the file is not TOML"),
        ("a = " + "[" * 5000, "MAILSEAL_CONFIG: the file is not TOML"),
        ("#" * 70_000, "MAILSEAL_CONFIG: the file has more than 65536 octets"),
        ("prot = 1", "prot in the file: there is no such setting; is MAILSEAL_PORT meant?"),
        ("PORT = 1", "PORT in the file: there is no such setting"),
        ("port = true", "MAILSEAL_PORT: must be a whole number"),
        ("port = 80.5", "MAILSEAL_PORT: must be a whole number"),
        ("port = [1]", "MAILSEAL_PORT: must be a whole number"),
        ("[port]\na = 1", "MAILSEAL_PORT: must be one line of at most 4096 printable characters"),
        ('host = ["a", "b"]', "MAILSEAL_HOST: must be one value"),
        ('data = "a\\u0000b"', "MAILSEAL_DATA: must be one line of at most 4096 printable characters"),
        ("port = 1\nmailseal_port = 1", "MAILSEAL_PORT: stands twice in the file"),
    ],
)
def test_says_what_is_wrong_with_the_file(tmp_path: Path, text: str, error: str) -> None:
    assert error in "\n".join(errors_of(toml(tmp_path, text)))


def test_says_that_the_file_is_missing_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    errors = errors_of({"MAILSEAL_CONFIG": str(tmp_path / "none"), "MAILSEAL_PORT": "x"})
    assert errors == (
        "MAILSEAL_CONFIG: the file cannot be read: No such file or directory",
        "MAILSEAL_PORT: must be a whole number",
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAILSEAL_PUBLIC_URI", "MAILSEAL_PUBLIC_URL"),
        ("MAILSEAL_MAIL_DOMAIN", "MAILSEAL_MAIL_DOMAINS"),
        ("MAILSEAL_KEKFILE", "MAILSEAL_KEK_FILE"),
        ("mailseal_port", "MAILSEAL_PORT"),
        ("Mailseal_Port", "MAILSEAL_PORT"),
    ],
)
def test_finds_misspelt_names_and_says_which_was_meant(name: str, meant: str) -> None:
    assert errors_of({name: "1"}) == (f"{name}: there is no such setting; is {meant} meant?",)


def test_leaves_other_programs_names_alone() -> None:
    others = dict.fromkeys(READ_ELSEWHERE, "x") | {"PORT": "x", "XMAILSEAL_PORT": "x", "MAILSEALED": "x"}
    del others["MAILSEAL_CONFIG"]
    assert load_settings(others, demo=False) == load()


# --- all at once ------------------------------------------------------------------------------------------------------


def test_tells_everything_that_is_wrong_at_once() -> None:
    wrong = {
        "MAILSEAL_PORT": "0",
        "MAILSEAL_WORKERS": "many",
        "MAILSEAL_PUBLIC_URI": "http://localhost",
        "MAILSEAL_COUNTRY": "DE",
        "MAILSEAL_ORGANIZATION_ID": "NTRHK-1",
        "MAILSEAL_DATA": "/srv/mailseal",
        "MAILSEAL_KEK_FILE": "/srv/mailseal/kek",
        "MAILSEAL_MAIL_DOMAINS": "campus.example,localhost",
    }
    errors = errors_of(wrong)
    assert {error.partition(":")[0] for error in errors} == wrong.keys() - {"MAILSEAL_COUNTRY", "MAILSEAL_DATA"}
    assert len(errors) == 6


def test_what_was_refused_is_not_blamed_a_second_time() -> None:
    assert len(errors_of({"MAILSEAL_COUNTRY": "XX", "MAILSEAL_ORGANIZATION_ID": "NTRHK-1"})) == 1


def test_the_kek_is_not_blamed_for_a_data_folder_that_was_refused() -> None:
    assert len(errors_of({"MAILSEAL_DATA": "a\nb", "MAILSEAL_KEK_FILE": "data/kek"})) == 1


def test_the_data_folder_is_told_though_other_settings_fit_only_a_demo(tmp_path: Path) -> None:
    environ = {"MAILSEAL_DATA": "/srv/demo", "MAILSEAL_KEK_FILE": "/srv/demo/kek", "MAILSEAL_PORT": "x"}
    assert data_folder(environ) == Path("/srv/demo")
    assert data_folder(toml(tmp_path, 'data = "/srv/other"')) == Path("/srv/other")
    assert data_folder({}) == Path("data")


def test_the_error_is_one_sentence_per_setting_for_a_person_to_read() -> None:
    with pytest.raises(SettingsWrong) as refused:
        load(port="x", workers="0")
    assert refused.value.detail == ("MAILSEAL_PORT: must be a whole number; MAILSEAL_WORKERS: must be at least 1")
    assert refused.value.code == "settings_wrong"


# --- each value -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "8000.5"),
        ("workers", "257"),
        ("message_limit", "25 MiB"),
        ("message_limit", "1"),
        ("host", "127.0.0.1:8000"),
        ("host", "http://localhost"),
        ("host", "a b"),
        ("host", "256.0.0.1"),
        ("host", "-x"),
        ("log_level", "loud"),
        ("name_constraints", "maybe"),
        ("public_url", "http://mailseal.campus.example"),
        ("public_url", "https://mailseal.campus.example/ca"),
        ("public_url", "https://"),
        ("public_url", "https://a:b"),
        ("public_url", "https://[::1"),
        ("public_url", "https://user:secret@mailseal.campus.example"),
        ("public_url", "https://mailseal.campus.example?x"),
        ("public_url", "ftp://localhost"),
        ("public_url", "http://localhost.campus.example"),
        ("public_url", "http://127.0.0.1.campus.example"),
        ("public_url", "mailseal.campus.example"),
        ("status_url", "https://pki.campus.example"),
        ("status_url", "http://pki.campus.example/#x"),
        ("status_url", "http://pki.campüs.example"),
        ("help_url", "javascript:alert(1)"),
        ("help_email", "help"),
        ("help_email", "Help <help@campus.example>"),
        ("campus_name", "x" * 31),
        ("campus_name", " University"),
        ("country", "hk"),
        ("country", "UK"),
        ("country", "HKG"),
        ("country", "HK MO"),
        ("organization_id", "HK-1"),
        ("organization_id", "NTRHK"),
        ("organization_id", "NTRHK-1 2"),
        ("organization_id", "LEIXG-123"),
        ("organization_id", "GOVHK-1"),
        ("organization_id", "INTXG-1"),
        ("mail_domains", "localhost"),
        ("mail_domains", "a.example,A.example"),
        ("mail_domains", "*.campus.example"),
        ("mail_domains", "a@campus.example"),
        ("mail_domains", "192.0.2.1"),
        ("mail_domains", ",".join(f"d{n}.example" for n in range(101))),
        ("policy_arc", "2"),
        ("policy_arc", "2.25.01"),
        ("policy_arc", "3.1.2"),
        ("policy_arc", "1.40.2"),
        ("policy_arc", "2.25.x"),
        ("policy_arc", "2.25.4294967296"),
        ("policy_arc", "2.25.1."),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "proxy"),
        ("database_url", "mysql://user:secret@host/db"),
        ("database_url", "postgresql://user:secret@host/db"),
        ("database_url", "postgresql+psycopg://user:secret@host"),
        ("database_url", "postgresql+psycopg://[secret"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("database_url", "sqlite://secret/db"),
        ("smtp_url", "relay.campus.example:25"),
        ("smtp_url", "http://user:secret@relay.campus.example"),
        ("smtp_url", "smtp://"),
        ("smtp_url", "smtp://[secret"),
        ("smtp_url", "smtp://relay.campus.example:secret"),
        ("smtp_url", "smtp://relay.campus.example:0"),
        ("smtp_url", "smtp://relay.campus.example/secret"),
        ("smtp_url", "smtp://relay.campus.example?starttls=no&secret"),
        ("smtp_url", "smtp://relay.campus.example#secret"),
        ("smtp_url", "smtps://relay.campus.example?starttls=required"),
        ("smtp_url", "smtps://secret@relay.campus.example"),
        ("smtp_url", "smtps://user:secret%0d%0aRSET@relay.campus.example"),
        ("smtp_url", "smtps://user:secret%ff@relay.campus.example"),
        ("smtp_url", "smtp://user:secret@relay.campus.example"),
        ("smtp_url", "smtp://a b"),
        ("mail_from", "Mailseal <mailseal@campus.example>"),
        ("mail_from", "大學@campus.example"),
        ("data", "a\nb"),
        ("data", "x" * 5000),
    ],
)
def test_refuses_this_value_and_repeats_no_secret(name: str, value: str) -> None:
    assert "secret" not in error_of(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "0.0.0.0"),
        ("host", "::"),
        ("host", "mailseal"),
        ("public_url", "https://mailseal.campus.example"),
        ("public_url", "https://mailseal.campus.example:8443"),
        ("public_url", "http://localhost:1"),
        ("public_url", "http://127.0.0.2"),
        ("public_url", "http://[::1]:8000"),
        ("public_url", "http://ca.localhost"),
        ("status_url", "http://pki.campus.example/ca"),
        ("help_url", "https://help.campus.example/mail"),
        ("campus_name", "香港中文大學"),
        ("campus_name", "x" * 30),
        ("organization_id", "VATDE-123456789"),
        ("organization_id", "VATEL-123456789"),
        ("organization_id", "NTRUS+CA-123"),
        ("organization_id", "PSDBE-NBB-1234.567.890"),
        ("organization_id", "LEIXG-529900T8BM49AURSDO55"),
        ("organization_id", "GOVUS+CA"),
        ("organization_id", "INTXG"),
        ("policy_arc", "1.3.6.1.4.1.99999.1"),
        ("policy_arc", "2.25.4294967295"),
        ("log_level", "debug"),
        ("database_url", "postgresql+psycopg://user:secret@host/db"),
        ("database_url", "postgresql+psycopg:///db?host=/run/postgresql"),
        ("database_url", "sqlite:////srv/mailseal.db"),
        ("smtp_url", "smtp://relay"),
        ("smtp_url", "smtp://[::1]:25/"),
        ("smtp_url", "smtp://user:secret@localhost:1025"),
        ("smtp_url", "smtp://user:secret@relay.campus.example:587?starttls=required"),
        ("smtp_url", "smtps://user:p%40ss%2Fword@relay.campus.example"),
        ("mail_from", "no-reply@campus.example"),
    ],
)
def test_takes_this_value_as_it_is(name: str, value: str) -> None:
    assert getattr(load_settings({variable(name): value}, demo=False), name) == value


def test_brings_values_into_the_form_that_counts() -> None:
    assert load(mail_domains="Campus.EXAMPLE,bücher.example").mail_domains == (
        "campus.example",
        "xn--bcher-kva.example",
    )
    assert load(public_url="https://mailseal.campus.example/").public_url == "https://mailseal.campus.example"
    assert load(status_url="http://pki.campus.example/ca/").status_url == "http://pki.campus.example/ca"
    assert load(help_email="Help@Campus.Example").help_email == "Help@campus.example"
    assert load(log_level="WARNING").log_level == "warning"


@given(st.sampled_from(sorted(Settings.model_fields)), st.text(max_size=40), st.booleans())
def test_any_text_is_taken_or_refused_and_never_breaks(name: str, text: str, demo: bool) -> None:
    try:
        settings = load_settings({variable(name): text}, demo=demo)
    except SettingsWrong as refusal:
        errors = refusal.errors
    else:
        errors = ()
        assert Settings.model_validate(dict(settings)).model_dump() == settings.model_dump()
    assert all(error.isprintable() for error in errors)


@given(st.dictionaries(st.text(max_size=20).map(lambda name: PREFIX + name), st.text(max_size=10), max_size=3))
def test_any_name_is_known_or_refused_and_never_breaks(environ: dict[str, str]) -> None:
    environ.pop("MAILSEAL_CONFIG", None)
    try:
        load_settings(environ, demo=True)
    except SettingsWrong as refusal:
        wrong = refusal.errors
    else:
        wrong = ()
    unknown = {
        key for key, value in environ.items() if value and key[len(PREFIX) :].lower() not in Settings.model_fields
    }
    assert len(wrong) >= len(unknown - READ_ELSEWHERE.keys())


# --- what does not fit together ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kek", ["/srv/mailseal/kek", "/srv/mailseal/a/../kek", "/srv/x/../mailseal/kek", "/srv/mailseal"]
)
def test_the_kek_lies_outside_the_data_folder(kek: str) -> None:
    environ = {"MAILSEAL_DATA": "/srv/mailseal", "MAILSEAL_KEK_FILE": kek}
    assert errors_of(environ) == ("MAILSEAL_KEK_FILE: must lie outside the data folder",)
    assert load_settings(environ, demo=True).kek_file == Path(kek)


def test_a_symbolic_link_does_not_hide_that_the_kek_lies_inside(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    environ = {"MAILSEAL_DATA": str(tmp_path / "data"), "MAILSEAL_KEK_FILE": str(tmp_path / "link" / "kek")}
    assert errors_of(environ) == ("MAILSEAL_KEK_FILE: must lie outside the data folder",)


def test_a_folder_beside_the_data_folder_is_outside_even_if_their_names_begin_alike() -> None:
    assert load(data="/srv/mailseal", kek_file="/srv/mailseal-kek/kek").kek_file == Path("/srv/mailseal-kek/kek")


@pytest.mark.parametrize(
    ("identifier", "country"),
    [("NTRHK-1", "DE"), ("VATDE-1", "HK"), ("GOVUS+CA", "CA"), ("PSDBE-NBB-1", "NL"), ("VATEL-1", "EG")],
)
def test_the_identifier_is_of_the_same_country(identifier: str, country: str) -> None:
    errors = errors_of({"MAILSEAL_ORGANIZATION_ID": identifier, "MAILSEAL_COUNTRY": country})
    assert len(errors) == 1
    assert errors[0].startswith("MAILSEAL_ORGANIZATION_ID: names ")


@pytest.mark.parametrize(
    ("identifier", "country"),
    [("NTRHK-1", "HK"), ("VATEL-1", "GR"), ("LEIXG-529900T8BM49AURSDO55", "HK"), ("INTXG", "CH")],
)
def test_an_identifier_of_that_country_or_of_none_fits(identifier: str, country: str) -> None:
    assert load(organization_id=identifier, country=country).organization_id == identifier


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mailseal"])
def test_the_demo_listens_on_loopback_only(host: str) -> None:
    assert error_of("host", host, demo=True) == "must be a loopback address in the demo"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_demo_listens_on_any_loopback_address(host: str) -> None:
    assert load(demo=True, host=host).host == host


@pytest.mark.parametrize("domain", ["campus.edu", "notexample.com", "example.com.hk"])
def test_the_demo_certifies_nobody_s_real_mail(domain: str) -> None:
    assert "in the demo" in error_of("mail_domains", f"campus.example,{domain}", demo=True)


# --- what they show ---------------------------------------------------------------------------------------------------


def test_no_password_is_shown() -> None:
    settings = load(
        database_url="postgresql+psycopg://user:secret@host/db", smtp_url="smtps://user:secret@relay.campus.example"
    )
    assert settings.resolved_database_url == "postgresql+psycopg://user:secret@host/db"
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)


def test_they_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load().port = 1  # type: ignore[misc]  # what the test is about


def test_every_setting_is_described_in_one_sentence() -> None:
    for name, field in Settings.model_fields.items():
        description = field.description or ""
        assert description[:1].isupper(), name
        assert description.endswith("."), name
        assert ". " not in description, name


def test_knows_every_country_of_iso_3166() -> None:
    assert setting_values.country("HK") == "HK"
    assert len(setting_values.COUNTRIES.split()) == len(set(setting_values.COUNTRIES.split())) == 249
