"""A real SMTP server in this process, which does as it is told."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "portico", "s3cr3t/:@"
OK = "250 OK"


class Sink:
    """What arrived, and what is answered to what will."""

    def __init__(self) -> None:
        self.port = 0
        self.envelopes: list[Envelope] = []
        self.sessions: list[Session] = []
        self.connections = 0
        self.to_sender = self.to_recipient = self.to_data = OK
        self.arriving = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def until_arriving(self, letters: int) -> None:
        """Wait until so many letters were handed over, not yet answered or answered."""
        async with asyncio.timeout(5):
            while self.arriving < letters:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.005)

    @property
    def messages(self) -> list[EmailMessage]:
        """What arrived, parsed."""
        parsed = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=SMTP_POLICY)
            assert isinstance(message, EmailMessage)
            parsed.append(message)
        return parsed

    async def handle_MAIL(  # noqa: N802 - aiosmtpd looks for these names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer to the sender's address."""
        if self.to_sender == OK:
            envelope.mail_from = address
        return self.to_sender

    async def handle_RCPT(  # noqa: N802 - likewise
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer to the recipient's address."""
        if self.to_recipient == OK:
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        """Answer to the letter."""
        self.arriving += 1
        await self.may_answer.wait()
        if self.to_data == OK:
            self.envelopes.append(envelope)
            self.sessions.append(session)
        return self.to_data


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    del server, session, envelope, mechanism
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)


@asynccontextmanager
async def smtp_server(
    sink: Sink,
    *,
    port: int = 0,
    certificate: Path | None = None,
    implicit: bool = False,
    signs_in: bool = False,
) -> AsyncGenerator[Sink]:
    """Serve the sink: with a certificate by STARTTLS, or within TLS from the start."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    clients: list[SMTP] = []

    def connect() -> SMTP:
        sink.connections += 1
        client = SMTP(
            sink,
            hostname="sink.example.org",
            tls_context=None if implicit else context,
            authenticator=_authenticate,
            auth_required=signs_in and not implicit,
            auth_require_tls=signs_in and not implicit,
        )
        clients.append(client)
        return client

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connect, "127.0.0.1", port, ssl=context if implicit else None)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for client in clients:
            if isinstance(client.transport, asyncio.WriteTransport):
                client.transport.abort()
        await asyncio.sleep(0)


@contextmanager
def mute_server() -> Generator[int]:
    """Let connections in and never say a word; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


def text_of(message: EmailMessage) -> str:
    """Return the words of the text part."""
    body = message.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


def a_free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def a_certificate(path: Path, *, name: str = "127.0.0.1") -> Path:
    """Write a key and a self-signed certificate for this address, both into one file; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
