"""Where mail goes, and whom it is from, as the settings say it."""

import ipaddress
import os
import re
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_FORMS = "must be smtp://user:password@host:587, smtps://user:password@host:465, file:///folder, console: or memory:"
_SENDER = re.compile(r"(?:(?P<name>[^<>\"@,;:\\]+?)\s*<(?P<within>[^<>]+)>|(?P<bare>[^<>\s]+))")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")


class Security(StrEnum):
    """How a connection to a mail server is protected. Where it is, the certificate has to be the host's."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server, and who we are to it."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    authorities: Path | None = None
    """A file of certificates to trust, in PEM, in place of the system's."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, so that nothing said to it leaves the machine."""
        return _is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A folder of this machine."""

    path: Path


class MailDevice(StrEnum):
    """Where mail goes that need not arrive."""

    CONSOLE = "console:"
    MEMORY = "memory:"


type MailPlace = SmtpServer | MailFolder | MailDevice


def parse_mail_url(text: str) -> MailPlace:
    """Return where mail goes; raises ValueError, which never repeats the text: it may hold a password.

    =============================  ============================================================================
    URL                            what it means
    =============================  ============================================================================
    `smtp://host`                  SMTP, port 587, with STARTTLS or not at all; to this machine (`localhost`, a
                                   loopback address): port 25, without TLS
    `smtps://host`                 SMTP within TLS, port 465
    `…://user:password@host:port`  likewise, signing in (percent-encode `@ : / ? # %`), on another port
    `smtp://…?starttls=on`         with STARTTLS, to this machine too
    `smtp://…?starttls=off`        without TLS; refused with a password, unless it is to this machine
    `…?ca=/path/to/ca.pem`         trust these certificates in place of the system's
    `file:///folder`               one `.eml` for each letter
    `console:`                     onto stderr, as text
    `memory:`                      nowhere: kept until the process ends
    =============================  ============================================================================
    """
    if text in tuple(MailDevice):
        return MailDevice(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_FORMS) from None
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/") and not parts.query:
        return MailFolder(Path(unquote(parts.path)))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise ValueError(_FORMS)
    if bool(parts.username) != bool(parts.password):
        raise ValueError("must have both a user and a password, or neither; percent-encode @ : / ? # % in them")
    options = _options(parts.query)
    security = _security(parts.scheme, parts.hostname, options.get("starttls"))
    server = SmtpServer(
        host=parts.hostname,
        port=port or {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}[security],
        security=security,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        authorities=Path(options["ca"]) if "ca" in options else None,
    )
    if server.security is Security.NONE and server.password and not server.is_local:
        raise ValueError("must not have starttls=off together with a password: it would be sent in the clear")
    return server


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not options.keys() <= {"starttls", "ca"} or options.get("starttls", "on") not in ("on", "off"):
        raise ValueError("may have the options starttls=on, starttls=off and ca=/path/to/ca.pem, and no others")
    if "ca" in options and not os.path.isfile(options["ca"]):  # noqa: PTH113 - pathlib's may raise
        raise ValueError("must name with ca= a file of certificates that is there")
    return options


def _security(scheme: str, host: str, starttls: str | None) -> Security:
    if scheme == "smtps":
        if starttls is not None:
            raise ValueError("must not have starttls together with smtps://, which is within TLS from the start")
        return Security.TLS
    if starttls is None:
        return Security.NONE if _is_loopback(host) else Security.STARTTLS
    return Security.STARTTLS if starttls == "on" else Security.NONE


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_sender(text: str) -> Address:
    """Return whom mail is from, given as `Name <address>` or as an address; raises ValueError."""
    match = _SENDER.fullmatch(text) if text.isprintable() else None
    address = match and (match["within"] or match["bare"])
    if not match or not address or not _ADDRESS.fullmatch(address):
        raise ValueError("must be an address such as Portico <no-reply@example.org>")
    try:
        return Address(display_name=match["name"] or "", addr_spec=address)
    except (HeaderParseError, ValueError):
        raise ValueError("must be an address such as Portico <no-reply@example.org>") from None
