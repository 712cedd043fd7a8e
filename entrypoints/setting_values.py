"""How the values of settings are read. Each raises ValueError with what the value must be, and does not repeat it."""

import ipaddress
import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from application.mail_places import MailFolder, parse_mail_url, parse_sender

SECRET_KEY_MIN = 32
"""Characters; `openssl rand -base64 32` gives 44."""

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_text(value: str) -> bool:
    """Tell whether it can be written, and holds no NUL; bytes that are not UTF-8 are surrogates here."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def one_of[Choice: StrEnum](choices: type[Choice]) -> Callable[[str], Choice]:
    """Return how a member of an enumeration is read."""

    def parse(text: str) -> Choice:
        try:
            return choices(text)
        except ValueError:
            raise ValueError(f"must be one of {', '.join(choices)}") from None

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return how a whole number between two others is read."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def list_of[Part](parse_part: Callable[[str], Part]) -> Callable[[str], tuple[Part, ...]]:
    """Return how parts separated by commas are read; there may be none."""
    return lambda text: tuple(parse_part(part.strip()) for part in text.split(",") if part.strip())


def on_or_off(text: str) -> bool:
    """Read a switch."""
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def database_url(folder: Path) -> Callable[[str], str]:
    """Return how the database is read; the path of a file is relative to the folder."""

    def parse(text: str) -> str:
        if text == "memory:":
            return text
        if text.startswith("sqlite:"):
            path = text.removeprefix("sqlite:///") if text.startswith("sqlite:///") else ""
            if not path or ":memory:" in path or "?" in path:
                raise ValueError(
                    "must name a file, as sqlite:///portico.db or sqlite:////var/lib/portico/portico.db does"
                )
            return f"sqlite:///{folder / path}"
        return postgresql_url(text)

    return parse


_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
}


def postgresql_url(text: str) -> str:
    """Read the URL of a PostgreSQL database. What is wrong with it could be taken for a database that is away."""
    if not re.match(r"postgres(ql)?(\+asyncpg)?://", text):
        raise ValueError("must begin with postgresql://, sqlite:/// or be memory:")
    try:
        _, netloc, path, query, _ = urlsplit(text)
    except ValueError:
        raise ValueError("must be a URL, in which a host in [] comes before others") from None
    try:
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError("must have its parameters as ?name=value&other=value") from None
    if path in ("", "/"):
        raise ValueError("must name a database, as postgresql://user:password@host:5432/portico does")
    if not all(map(_are_hosts, (netloc.rpartition("@")[2], options.get("host", "")))):
        raise ValueError("must have hosts with ports from 1 to 65535, and %2F where the password has a slash")
    if "sslmode" in options:
        # So asyncpg takes it.
        options["sslmode"] = options["sslmode"].replace("_", "-")
    for name, choices in _CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            raise ValueError(f"must have one of {', '.join(choices)} as its {name}")
    return text


def _are_hosts(text: str) -> bool:
    """Tell whether it is nothing, or names hosts, with or without ports, or folders of sockets."""
    return not text or all(map(_is_host_or_socket, text.split(",")))


def _is_host_or_socket(text: str) -> bool:
    form = re.fullmatch(r"(\[[^]]+\]|[^:]*)(:[0-9]+)?", text)
    return text.startswith("/") or bool(text and form and _has_port(text))


def replica_url(text: str) -> str:
    """Read the URL of a replica."""
    if not text.startswith("postgres"):
        raise ValueError("must begin with postgresql://")
    return postgresql_url(text)


_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?"
_PORT_MAX = 65_535


def _is_host(text: str) -> bool:
    """Tell whether it is a name or an address, and perhaps a port."""
    if not re.fullmatch(_HOST, text) or not _has_port(text):
        return False
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(text[1 : text.index("]")])
        except ValueError:
            return False
    return True


def _has_port(host: str) -> bool:
    """Tell whether the port that a host ends in, if it does, is one."""
    port = re.search(r":([0-9]+)$", host)
    return port is None or (len(port[1]) <= len(str(_PORT_MAX)) and 1 <= int(port[1]) <= _PORT_MAX)


def public_url(text: str) -> str:
    """Read an address of the web, without the slash that it may end in."""
    parts = re.fullmatch(r"https?://([^/\s?#]*)(/[^\s?#]*)?", text)
    if parts is None or not _is_host(parts[1]):
        raise ValueError("must be an address such as https://api.example.org")
    return text.rstrip("/")


def origin(text: str) -> str:
    """Read an origin (RFC 6454), or `*` for any."""
    scheme, _, host = text.partition("://")
    if text != "*" and (scheme not in ("http", "https") or not _is_host(host) or text != text.lower()):
        raise ValueError("must be origins such as https://app.example.org, in lower case, separated by commas")
    return text


def host(text: str) -> str:
    """Read a host as the header of that name has it."""
    if not _is_host(text) or text != text.lower():
        raise ValueError("must be hosts such as api.example.org, in lower case, separated by commas")
    return text


def mail_url(text: str) -> str:
    """Read where mail goes; a folder is made when it is needed."""
    place = parse_mail_url(text)
    # Pathlib's may raise.
    if isinstance(place, MailFolder) and os.path.exists(place.path) and not os.path.isdir(place.path):  # noqa: PTH110, PTH112
        raise ValueError("must name a folder after file://")
    return text


def mail_from(text: str) -> str:
    """Read whom mail is from."""
    parse_sender(text)
    return text


def network(text: str) -> Network:
    """Read a network, or a single address."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None


def secret_key(text: str) -> str:
    """Read a secret that is long enough."""
    if len(text) < SECRET_KEY_MIN:
        raise ValueError(f"must have at least {SECRET_KEY_MIN} characters; make one with: openssl rand -base64 32")
    return text
