"""Settings: the environment, then `.env`, then the default. A bad one stops the start with a line that names it."""

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dotenv import dotenv_values

from application.auth.registration import SignupMode
from application.mail_places import MailDevice, Security, SmtpServer, parse_mail_url, parse_sender
from domain.auth.password import PASSWORD_FLOOR, PASSWORD_MAX
from entrypoints import setting_values as values
from entrypoints.setting_values import Network

PREFIX = "PORTICO_"

_PLACEHOLDERS = ("change", "secret", "example", "placeholder", "password", "default")
_DISTINCT_CHARACTERS_MIN = 10
_MASKED = "********"
_KEPT_IN = ".secret"


class SettingsError(Exception):
    """One line that names the variable and says what it must be. It never repeats the value."""


class Environment(StrEnum):
    """Where Portico runs."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which severity on to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _variable(name: str, *, secret: bool = False) -> dict[str, Any]:
    return {"name": PREFIX + name, "secret": secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner of the installation decides. Each field is the variable of its name, prefixed PORTICO_."""

    env: Environment = field(metadata=_variable("ENV"))
    database_url: str = field(repr=False, metadata=_variable("DATABASE_URL"))
    database_read_url: str | None = field(repr=False, metadata=_variable("DATABASE_READ_URL"))
    secret_key: str = field(repr=False, metadata=_variable("SECRET_KEY", secret=True))
    public_url: str = field(metadata=_variable("PUBLIC_URL"))
    account_url: str | None = field(metadata=_variable("ACCOUNT_URL"))
    signup: SignupMode = field(metadata=_variable("SIGNUP"))
    docs: bool = field(metadata=_variable("DOCS"))
    password_min_length: int = field(metadata=_variable("PASSWORD_MIN_LENGTH"))
    access_token: timedelta = field(metadata=_variable("ACCESS_TOKEN_MINUTES"))
    refresh_grace: timedelta = field(metadata=_variable("REFRESH_GRACE_SECONDS"))
    session_cache: timedelta = field(metadata=_variable("SESSION_CACHE_SECONDS"))
    session_idle: timedelta = field(metadata=_variable("SESSION_IDLE_DAYS"))
    session_max: timedelta = field(metadata=_variable("SESSION_MAX_DAYS"))
    throttle: bool = field(metadata=_variable("THROTTLE"))
    trusted_proxies: tuple[Network, ...] = field(metadata=_variable("TRUSTED_PROXIES"))
    cors_origins: tuple[str, ...] = field(metadata=_variable("CORS_ORIGINS"))
    allowed_hosts: tuple[str, ...] = field(metadata=_variable("ALLOWED_HOSTS"))
    max_body_bytes: int = field(metadata=_variable("MAX_BODY_BYTES"))
    mail_url: str = field(repr=False, metadata=_variable("MAIL_URL"))
    mail_from: str = field(metadata=_variable("MAIL_FROM"))
    log_format: LogFormat = field(metadata=_variable("LOG_FORMAT"))
    log_level: LogLevel = field(metadata=_variable("LOG_LEVEL"))

    @property
    def is_memory(self) -> bool:
        """Whether everything is kept in this process and lost with it."""
        return self.database_url == "memory:"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.database_url.startswith("sqlite:")


def load_settings(environ: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Settings:
    """Read the settings, from the `.env` of the folder too (by default the working directory). Raises SettingsError."""
    folder = folder or _working_directory()
    try:
        dotenv = {name: value for name, value in dotenv_values(folder / ".env").items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env can't be read: {_reason(error)}") from error
    source = _Source({**dotenv, **(os.environ if environ is None else environ)})

    env = source.read("ENV", values.one_of(Environment), Environment.DEVELOPMENT)
    in_production = env is Environment.PRODUCTION
    database_url = source.read(
        "DATABASE_URL", values.database_url(folder), values.database_url(folder)("sqlite:///portico.db")
    )
    read_url = source.read("DATABASE_READ_URL", values.replica_url, None)
    _refuse_no_place(database_url, read_url)
    settings = Settings(
        env=env,
        database_url=database_url,
        database_read_url=read_url,
        secret_key=source.read("SECRET_KEY", values.secret_key, None) or _development_secret(database_url, env, folder),
        public_url=source.read("PUBLIC_URL", values.public_url, "http://127.0.0.1:8000"),
        account_url=source.read("ACCOUNT_URL", values.public_url, None),
        signup=source.read(
            "SIGNUP", values.one_of(SignupMode), SignupMode.VERIFIED if in_production else SignupMode.OPEN
        ),
        docs=source.read("DOCS", values.on_or_off, not in_production),
        password_min_length=source.read("PASSWORD_MIN_LENGTH", values.whole(PASSWORD_FLOOR, PASSWORD_MAX), 15),
        access_token=timedelta(minutes=source.read("ACCESS_TOKEN_MINUTES", values.whole(1, 60), 10)),
        refresh_grace=timedelta(seconds=source.read("REFRESH_GRACE_SECONDS", values.whole(0, 60), 10)),
        session_cache=timedelta(seconds=source.read("SESSION_CACHE_SECONDS", values.whole(0, 5), 5)),
        session_idle=timedelta(days=source.read("SESSION_IDLE_DAYS", values.whole(1, 365), 14)),
        session_max=timedelta(days=source.read("SESSION_MAX_DAYS", values.whole(1, 365), 30)),
        throttle=source.read("THROTTLE", values.on_or_off, True),  # noqa: FBT003 - a setting's default
        trusted_proxies=source.read("TRUSTED_PROXIES", values.list_of(values.network), ()),
        cors_origins=source.read("CORS_ORIGINS", values.list_of(values.origin), ()),
        allowed_hosts=source.read("ALLOWED_HOSTS", values.list_of(values.host), ()),
        max_body_bytes=source.read("MAX_BODY_BYTES", values.whole(1024, 1 << 30), 1 << 20),
        mail_url=source.read("MAIL_URL", values.mail_url, "console:"),
        mail_from=source.read("MAIL_FROM", values.mail_from, "Portico <no-reply@localhost>"),
        log_format=source.read(
            "LOG_FORMAT", values.one_of(LogFormat), LogFormat.JSON if in_production else LogFormat.TEXT
        ),
        log_level=source.read("LOG_LEVEL", values.one_of(LogLevel), LogLevel.INFO),
    )
    if in_production:
        _refuse_weak(settings)
    return settings


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise SettingsError(f"The working directory can't be found: {error.strerror}") from error


def masked(settings: Settings) -> dict[str, str]:
    """Return the effective settings by variable, secrets masked, for showing to the operator."""
    shown: dict[str, str] = {}
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        name = setting.metadata["name"]
        shown[name] = _MASKED if setting.metadata["secret"] else _shown(name, value)
    return shown


def _shown(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case timedelta():
            unit = name.rpartition("_")[2].lower()
            return str(value // timedelta(**{unit: 1}))
        case tuple():
            return ",".join(str(part) for part in value)
        case bool():
            return "on" if value else "off"
        case str() if "://" in value:
            # One that holds a `/` makes no URL, and yet must not be shown.
            without = re.sub(r"(?<=:)(?!//)[^?#]+(?=@)", _MASKED, value)
            return re.sub(r"(?<=[?&])([^=&]+)=([^&]+)", _parameter_shown, without)
        case _:
            return str(value)


def _parameter_shown(parameter: re.Match[str]) -> str:
    """Mask the `password` and `sslpassword` of a PostgreSQL URL, however its name is written."""
    name, _ = parameter.groups()
    return f"{name}={_MASKED}" if unquote(name).lower().endswith("password") else parameter[0]


class _Source:
    """Looks variables up, directly or in the file that `X_FILE` names."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def read[Value, Default](self, name: str, parse: Callable[[str], Value], default: Default) -> Value | Default:
        variable = PREFIX + name
        text = self._variables.get(variable)
        path = self._variables.get(f"{variable}_FILE")
        if text and path:
            raise SettingsError(f"{variable} and {variable}_FILE are both set: keep one of them")
        if path:
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise SettingsError(f"{variable}_FILE can't be read: {_reason(error)}") from error
            if not text:
                raise SettingsError(f"{variable}_FILE names a file that holds nothing")
        if not text:
            return default
        if not values.is_text(text):
            raise SettingsError(f"{variable} must be text, in UTF-8")
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{variable} {error}") from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else "it is not text"


def _refuse_no_place(database_url: str, read_url: str | None) -> None:
    if read_url is not None and database_url.startswith(("sqlite:", "memory:")):
        raise SettingsError("PORTICO_DATABASE_READ_URL needs a PostgreSQL database in PORTICO_DATABASE_URL too")
    if database_url.startswith("sqlite:"):
        path = database_url.removeprefix("sqlite:///")
        if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120 - pathlib's raise
            raise SettingsError("PORTICO_DATABASE_URL must name a file, in a folder that is there")
        if path.endswith(_KEPT_IN):
            raise SettingsError(f"PORTICO_DATABASE_URL must not end in {_KEPT_IN}: that file keeps the secret")


def _development_secret(database_url: str, env: Environment, folder: Path) -> str:
    """Keep a secret beside the database, so that development needs no setting and restarts keep their sessions."""
    if env is Environment.PRODUCTION:
        raise SettingsError("PORTICO_SECRET_KEY must be set in production; make one with: openssl rand -base64 32")
    if database_url == "memory:":
        return secrets.token_urlsafe(32)
    if database_url.startswith("sqlite:"):
        path = Path(database_url.removeprefix("sqlite:///")).with_suffix(_KEPT_IN)
    else:
        path = folder / "portico.secret"
    try:
        if not path.exists():
            _write_new_secret(path)
        return values.secret_key(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise SettingsError(
            f"PORTICO_SECRET_KEY is not set, and none can be kept in {path}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise SettingsError(f"PORTICO_SECRET_KEY is not set, and {path} holds no usable one: it {error}") from error


def _write_new_secret(path: Path) -> None:
    """Write it whole, then give it its name: processes that start together all read the one that was first."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        with contextlib.suppress(FileExistsError):
            Path(path).hardlink_to(draft)
    finally:
        Path(draft).unlink()


def _refuse_weak(settings: Settings) -> None:
    if (
        any(word in settings.secret_key.lower() for word in _PLACEHOLDERS)
        or len(set(settings.secret_key)) < _DISTINCT_CHARACTERS_MIN
    ):
        raise SettingsError("PORTICO_SECRET_KEY looks like a placeholder; make one with: openssl rand -base64 32")
    if not settings.public_url.startswith("https://"):
        raise SettingsError("PORTICO_PUBLIC_URL must begin with https:// in production")
    if settings.account_url is not None and not settings.account_url.startswith("https://"):
        raise SettingsError("PORTICO_ACCOUNT_URL must begin with https:// in production")
    if "*" in settings.cors_origins:
        raise SettingsError("PORTICO_CORS_ORIGINS must list exact origins in production")
    _refuse_weak_mail(settings)


def _refuse_weak_mail(settings: Settings) -> None:
    place = parse_mail_url(settings.mail_url)
    if isinstance(place, MailDevice):
        raise SettingsError("PORTICO_MAIL_URL must be set in production, as smtp://user:password@host does")
    if isinstance(place, SmtpServer) and place.security is Security.NONE and not place.is_local:
        raise SettingsError("PORTICO_MAIL_URL must not have starttls=off in production: letters hold secret links")
    if parse_sender(settings.mail_from).domain == "localhost":
        raise SettingsError("PORTICO_MAIL_FROM must be set in production, as Portico <no-reply@example.org> does")
