from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from stat import S_IMODE

import pytest

from application.auth.registration import SignupMode
from entrypoints.settings import Environment, LogFormat, Settings, SettingsError, load_settings, masked
from tests.builders import SECRET_KEY

PRODUCTION = {
    "PORTICO_ENV": "production",
    "PORTICO_SECRET_KEY": SECRET_KEY,
    "PORTICO_PUBLIC_URL": "https://api.example.org",
    "PORTICO_DATABASE_URL": "postgresql://portico:hunter2-hunter2@db.example.org/portico",
    "PORTICO_MAIL_URL": "smtp://portico:hunter2-hunter2@mail.example.org",
    "PORTICO_MAIL_FROM": "Portico <no-reply@example.org>",
}


def load(tmp_path: Path, **variables: str) -> Settings:
    """Load the settings from these variables alone, without their prefix."""
    return load_settings({f"PORTICO_{name}": value for name, value in variables.items()}, folder=tmp_path)


def test_nothing_needs_to_be_set_for_development(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert settings.env is Environment.DEVELOPMENT
    assert settings.database_url == f"sqlite:///{tmp_path}/portico.db"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.signup is SignupMode.OPEN
    assert settings.password_min_length == 15
    assert (settings.access_token, settings.refresh_grace) == (timedelta(minutes=10), timedelta(seconds=10))
    assert (settings.session_cache, settings.session_idle) == (timedelta(seconds=5), timedelta(days=14))
    assert settings.session_max == timedelta(days=30)
    assert settings.max_body_bytes == 1_048_576
    assert settings.docs
    assert settings.log_format is LogFormat.TEXT


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ENV", "staging"),
        ("DATABASE_URL", "mysql://localhost/portico"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("DATABASE_URL", "postgresql://u:hunter/2@h/db"),
        ("DATABASE_URL", "postgresql://u@h:abc/db"),
        ("DATABASE_URL", "postgresql://u@h:99999/db"),
        ("DATABASE_URL", "postgresql://u@h1:5432,h2:abc/db"),
        ("DATABASE_URL", "postgresql://[::1/portico"),
        ("DATABASE_URL", "postgresql://u@h:0/db"),
        ("DATABASE_URL", f"postgresql://u@h:{'1' * 5_000}/db"),
        ("DATABASE_URL", "postgresql://u@h/db?sslmode=on"),
        ("DATABASE_URL", "postgresql://u@h/db?sslmode"),
        ("DATABASE_URL", "postgresql://u@h/db?sslnegotiation=on"),
        ("DATABASE_URL", "postgresql:///db?host=h:99999"),
        ("DATABASE_URL", "postgresql:///db?host=h,"),
        ("DATABASE_URL", "postgresql://u@h:5432,/db"),
        ("DATABASE_URL", "postgresql://u@h/db?target_session_attrs=read_write"),
        ("DATABASE_URL", "postgresql://u@h/db?target_session_attrs=writable"),
        ("DATABASE_URL", "sqlite:///nowhere/portico.db"),
        ("DATABASE_URL", "sqlite:////"),
        ("DATABASE_URL", f"sqlite:///{'x' * 300}/portico.db"),
        ("DATABASE_READ_URL", "sqlite:///replica.db"),
        ("DATABASE_READ_URL", "postgresql://u@replica/db"),
        ("DATABASE_URL", "sqlite:///portico.secret"),
        ("DATABASE_URL", "sqlite:///a\0b.db"),
        ("DATABASE_URL", "sqlite:///\udcff.db"),
        ("SECRET_KEY", "too short"),
        ("SECRET_KEY", "\udcff" * 40),
        ("PUBLIC_URL", "api.example.org"),
        ("PUBLIC_URL", "https://api.example.org/?a=b"),
        ("PUBLIC_URL", "https://portico@api.example.org"),
        ("PUBLIC_URL", "https://api example.org"),
        ("PUBLIC_URL", "https://api.example.org:http"),
        ("PUBLIC_URL", "https://api.example.org:65536/v1"),
        ("PUBLIC_URL", "http://[::1"),
        ("PUBLIC_URL", "http://[127.0.0.1]:8000"),
        ("PUBLIC_URL", "http://"),
        ("SIGNUP", "sometimes"),
        ("DOCS", "yes"),
        ("THROTTLE", "yes"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("PASSWORD_MIN_LENGTH", "129"),
        ("PASSWORD_MIN_LENGTH", "fifteen"),
        ("PASSWORD_MIN_LENGTH", "١٥"),
        ("ACCESS_TOKEN_MINUTES", "0"),
        ("ACCESS_TOKEN_MINUTES", "-1"),
        ("REFRESH_GRACE_SECONDS", "61"),
        ("SESSION_CACHE_SECONDS", "6"),
        ("SESSION_IDLE_DAYS", "0"),
        ("SESSION_MAX_DAYS", "1e3"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, proxy.example.org"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CORS_ORIGINS", "https://app.example.org/path"),
        ("CORS_ORIGINS", "app.example.org"),
        ("CORS_ORIGINS", "https://App.example.org"),
        ("CORS_ORIGINS", "https://app.example.org:70000"),
        ("ALLOWED_HOSTS", "*.example.org"),
        ("ALLOWED_HOSTS", "https://api.example.org"),
        ("ALLOWED_HOSTS", "api.example.org:0"),
        ("ALLOWED_HOSTS", "API.example.org"),
        ("MAX_BODY_BYTES", "10MB"),
        ("MAIL_URL", "mail.example.org"),
        ("MAIL_URL", "smtp://portico:hunter2:3@"),
        ("MAIL_URL", "file:///etc/passwd"),
        ("MAIL_URL", "file:///dev/null"),
        ("MAIL_URL", f"smtp://mail.example.org?ca=/{'x' * 300}"),
        ("MAIL_FROM", "Portico"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_the_variable_and_not_the_value(
    tmp_path: Path, variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(tmp_path, **{variable: value})

    message = str(refusal.value)
    assert message.startswith(f"PORTICO_{variable} ")
    assert "\n" not in message
    if variable == "SECRET_KEY":
        assert value not in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgresql://u:p%40ss@[::1]:6432,h1:5432,h3/db?sslmode=verify_full&target_session_attrs="),
        ("DATABASE_URL", "postgresql:///db?host=/run/postgresql,h:5433&options=-c%20jit%3Don"),
        ("DATABASE_URL", "postgresql://u:p@/db?host=/cloudsql/my-project:europe-west1:portico"),
        ("DATABASE_URL", "postgresql://:5433/db"),
        ("PUBLIC_URL", "https://api.example.org:8443/portico"),
        ("PUBLIC_URL", "http://[::1]:8000"),
        ("PUBLIC_URL", "http://portico_1"),
    ],
)
def test_a_good_value_is_kept_as_it_is(tmp_path: Path, variable: str, value: str) -> None:
    assert getattr(load(tmp_path, **{variable: value}), variable.lower()) == value


def test_the_account_pages_can_be_elsewhere(tmp_path: Path) -> None:
    assert load(tmp_path).account_url is None
    assert load(tmp_path, ACCOUNT_URL="https://app.example.org/me/").account_url == "https://app.example.org/me"


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORTICO_PASSWORD_MIN_LENGTH=20\nPORTICO_SIGNUP=closed\n# PORTICO_DOCS=off\n")

    settings = load(tmp_path, PASSWORD_MIN_LENGTH="30")

    assert settings.password_min_length == 30
    assert settings.signup is SignupMode.CLOSED
    assert settings.docs


def test_a_value_can_be_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET_KEY}\n")

    settings = load(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))

    assert settings.secret_key == SECRET_KEY


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)

    with pytest.raises(SettingsError, match=r"^PORTICO_SECRET_KEY_FILE can't be read: "):
        load(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))


def test_a_file_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch()

    with pytest.raises(SettingsError, match=r"^PORTICO_SECRET_KEY_FILE names a file that holds nothing$"):
        load(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))


def test_an_environment_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe=1")

    with pytest.raises(SettingsError, match=r"^\.env can't be read: it is not text$"):
        load(tmp_path)


def test_a_folder_that_is_gone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(SettingsError, match=r"^The working directory can't be found: No such file or directory$"):
        load_settings({})


def test_a_value_and_a_file_for_it_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^PORTICO_SECRET_KEY and PORTICO_SECRET_KEY_FILE are both set"):
        load(tmp_path, SECRET_KEY=SECRET_KEY, SECRET_KEY_FILE=str(tmp_path / "key"))


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    assert load(tmp_path, PASSWORD_MIN_LENGTH="").password_min_length == 15


def test_lists_are_separated_by_commas(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        TRUSTED_PROXIES="10.0.0.0/8, 2001:db8::/32",
        CORS_ORIGINS="https://a.example.org,http://localhost:3000,http://[::1]:3000",
        ALLOWED_HOSTS="api.example.org,[::1]:8000,",
    )

    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "2001:db8::/32"]
    assert settings.cors_origins == ("https://a.example.org", "http://localhost:3000", "http://[::1]:3000")
    assert settings.allowed_hosts == ("api.example.org", "[::1]:8000")


class TestDevelopmentSecret:
    def test_is_made_once_beside_the_database_for_its_owner_alone(self, tmp_path: Path) -> None:
        first = load(tmp_path, DATABASE_URL="sqlite:///data.db")
        second = load(tmp_path, DATABASE_URL="sqlite:///data.db")

        path = tmp_path / "data.secret"
        assert first.secret_key == second.secret_key == path.read_text()
        assert S_IMODE(path.stat().st_mode) == 0o600
        assert [file.name for file in tmp_path.iterdir()] == ["data.secret"]

    @pytest.mark.process
    def test_is_the_same_for_processes_that_start_together(self, tmp_path: Path) -> None:
        with get_context("fork").Pool(4) as pool:
            secrets = pool.map(_secret_of, [tmp_path] * 16)

        assert len(set(secrets)) == 1

    def test_is_kept_in_the_working_directory_for_postgresql(self, tmp_path: Path) -> None:
        settings = load(tmp_path, DATABASE_URL="postgresql://localhost/portico")

        assert settings.secret_key == (tmp_path / "portico.secret").read_text()

    def test_is_another_each_time_in_memory(self, tmp_path: Path) -> None:
        first, second = (load(tmp_path, DATABASE_URL="memory:") for _ in range(2))

        assert first.secret_key != second.secret_key
        assert not list(tmp_path.iterdir())

    def test_is_refused_where_it_cannot_be_kept(self, tmp_path: Path) -> None:
        (tmp_path / "portico.secret").mkdir()

        with pytest.raises(SettingsError, match=r"^PORTICO_SECRET_KEY is not set, and none can be kept in "):
            load(tmp_path)

    def test_is_refused_where_the_file_holds_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "portico.secret").write_text("short")

        with pytest.raises(SettingsError, match="holds no usable one"):
            load(tmp_path)


def _secret_of(folder: Path) -> str:
    return load(folder).secret_key


class TestProduction:
    def test_is_strict_by_default(self, tmp_path: Path) -> None:
        settings = load_settings(PRODUCTION, folder=tmp_path)

        assert not settings.docs
        assert settings.log_format is LogFormat.JSON
        assert settings.signup is SignupMode.VERIFIED

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("PORTICO_SECRET_KEY", ""),
            ("PORTICO_SECRET_KEY", "changeme-changeme-changeme-changeme"),
            ("PORTICO_SECRET_KEY", "abcabcabcabcabcabcabcabcabcabcabcabc"),
            ("PORTICO_PUBLIC_URL", "http://api.example.org"),
            ("PORTICO_ACCOUNT_URL", "http://app.example.org"),
            ("PORTICO_CORS_ORIGINS", "*"),
            ("PORTICO_MAIL_URL", ""),
            ("PORTICO_MAIL_URL", "console:"),
            ("PORTICO_MAIL_URL", "memory:"),
            ("PORTICO_MAIL_URL", "smtp://mail.example.org?starttls=off"),
            ("PORTICO_MAIL_FROM", ""),
        ],
    )
    def test_refuses_what_is_weak(self, tmp_path: Path, variable: str, value: str) -> None:
        with pytest.raises(SettingsError, match=f"^{variable} "):
            load_settings(PRODUCTION | {variable: value}, folder=tmp_path)


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    settings = load_settings(PRODUCTION, folder=tmp_path)

    shown = masked(settings)

    for text in (repr(settings), str(settings), repr(shown)):
        assert SECRET_KEY not in text
        assert "hunter2" not in text
    assert shown["PORTICO_DATABASE_URL"] == "postgresql://portico:********@db.example.org/portico"
    assert shown["PORTICO_MAIL_URL"] == "smtp://portico:********@mail.example.org"
    assert shown["PORTICO_DOCS"] == "off"
    assert shown["PORTICO_SESSION_IDLE_DAYS"] == "14"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/db?user=u&password=hunter2", "postgresql://h/db?user=u&password=********"),
        ("postgresql://h/db?password=hunter2&sslmode=require", "postgresql://h/db?password=********&sslmode=require"),
        ("postgresql://h/db?Password=hunter2", "postgresql://h/db?Password=********"),
        ("postgresql://h/db?%70assword=hunter2", "postgresql://h/db?%70assword=********"),
        ("postgresql://h/db?krbsrvname=k&sslpassword=hunter2", "postgresql://h/db?krbsrvname=k&sslpassword=********"),
        ("postgresql://u:hunter2@h/db?password=hunter2", "postgresql://u:********@h/db?password=********"),
        ("postgresql://u:hunter2@h1:1,h2:2/db", "postgresql://u:********@h1:1,h2:2/db"),
        ("postgresql://h/db?password=hun#ter2&user=u", "postgresql://h/db?password=********&user=u"),
        ("postgresql://u@h/db?passfile=/run/pgpass", "postgresql://u@h/db?passfile=/run/pgpass"),
        ("postgresql://u@h/db?password=", "postgresql://u@h/db?password="),
    ],
)
def test_shows_no_password_wherever_in_a_url_it_is(tmp_path: Path, url: str, shown: str) -> None:
    assert masked(load(tmp_path, DATABASE_URL=url))["PORTICO_DATABASE_URL"] == shown


def test_every_setting_is_shown_under_the_name_of_its_variable(tmp_path: Path) -> None:
    shown = masked(load(tmp_path))

    assert all(name.startswith("PORTICO_") for name in shown)
    assert len(shown) == len(Settings.__dataclass_fields__)
