"""`SmtpMailer` against a real server: where TLS is due there is TLS, or no letter."""

import asyncio
import time
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import quote

import pytest

import adapters.mail.smtp
from adapters.mail.messages import Envelopes
from adapters.mail.smtp import TIMEOUT, SmtpMailer
from application.mail import MailDelayed, MailRefused, Message
from application.mail_places import SmtpServer, parse_mail_url
from domain.users.email import Email
from tests.builders import an_id
from tests.clock import NOW
from tests.mail.smtp import PASSWORD, USER, Sink, a_certificate, mute_server, smtp_server, text_of

CREDENTIALS = f"{USER}:{quote(PASSWORD, safe='')}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a certificate for 127.0.0.1 that nobody trusts."""
    return a_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="session")
def certificate_of_another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a certificate for another address."""
    return a_certificate(tmp_path_factory.mktemp("tls") / "other.pem", name="192.0.2.1")


def a_mailer(url: str, *, domain: str = "api.example.org", timeout: float = 2) -> SmtpMailer:
    server = parse_mail_url(url)
    assert isinstance(server, SmtpServer)
    envelopes = Envelopes(Address("Portico", addr_spec="no-reply@example.org"), domain)
    return SmtpMailer(server, envelopes, timeout=timeout)


def a_message(*, recipient: str = "ada@example.org", subject: str = "Subject") -> Message:
    return Message(
        id=an_id(), recipient=Email(recipient), subject=subject, text="Text\n", html="<p>Text</p>\n", created_at=NOW
    )


# --- with TLS


async def test_signs_in_and_sends_after_starttls(certificate: Path) -> None:
    async with smtp_server(Sink(), certificate=certificate, signs_in=True) as sink:
        await a_mailer(f"smtp://{CREDENTIALS}@127.0.0.1:{sink.port}?starttls=on&ca={certificate}").send(a_message())

    (session,) = sink.sessions
    assert session.ssl is not None
    assert session.authenticated
    assert len(sink.envelopes) == 1


async def test_signs_in_and_sends_within_tls(certificate: Path) -> None:
    async with smtp_server(Sink(), certificate=certificate, implicit=True, signs_in=True) as sink:
        await a_mailer(f"smtps://{CREDENTIALS}@127.0.0.1:{sink.port}?ca={certificate}").send(a_message())

    assert len(sink.envelopes) == 1


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
@pytest.mark.parametrize("trust", ["the system", "the certificate of another"])
async def test_sends_nothing_to_a_server_it_cannot_verify(
    certificate: Path, certificate_of_another: Path, implicit: bool, trust: str
) -> None:
    theirs, options = certificate, []
    if trust == "the certificate of another":
        theirs, options = certificate_of_another, [f"ca={certificate_of_another}"]
    async with smtp_server(Sink(), certificate=theirs, implicit=implicit) as sink:
        scheme = "smtps" if implicit else "smtp"
        options = options if implicit else [*options, "starttls=on"]

        with pytest.raises(MailDelayed, match="certificate verify failed"):
            await a_mailer(f"{scheme}://{CREDENTIALS}@127.0.0.1:{sink.port}?{'&'.join(options)}").send(a_message())

    assert sink.envelopes == []


async def test_sends_nothing_to_a_server_without_starttls(sink: Sink) -> None:
    with pytest.raises(MailDelayed, match="STARTTLS"):
        await a_mailer(f"smtp://127.0.0.1:{sink.port}?starttls=on").send(a_message())

    assert sink.envelopes == []


async def test_sends_nothing_by_tls_to_a_server_that_speaks_none(sink: Sink) -> None:
    with pytest.raises(MailDelayed):
        await a_mailer(f"smtps://127.0.0.1:{sink.port}", timeout=0.2).send(a_message())

    assert sink.envelopes == []


async def test_certificates_that_cannot_be_read_delay_the_letter(tmp_path: Path, sink: Sink) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")

    with pytest.raises(MailDelayed):
        await a_mailer(f"smtps://127.0.0.1:{sink.port}?ca={tmp_path}/ca.pem").send(a_message())


# --- what is whose fault


async def test_a_wrong_password_of_ours_is_no_fault_of_the_letter(certificate: Path) -> None:
    async with smtp_server(Sink(), certificate=certificate, implicit=True, signs_in=True) as sink:
        with pytest.raises(MailDelayed, match="535"):
            await a_mailer(f"smtps://{USER}:wrong@127.0.0.1:{sink.port}?ca={certificate}").send(a_message())

    assert sink.envelopes == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("450 later", MailDelayed),
        ("550 never", MailRefused),
        ("421 going down", MailDelayed),
        ("552 full", MailRefused),
    ],
)
@pytest.mark.parametrize("to", ["to_recipient", "to_data"])
async def test_an_answer_from_500_on_refuses_the_letter(
    sink: Sink, to: str, answer: str, error: type[Exception]
) -> None:
    setattr(sink, to, answer)

    with pytest.raises(error, match=answer):
        await a_mailer(f"smtp://127.0.0.1:{sink.port}").send(a_message())


async def test_a_server_that_does_not_answer_is_given_up_after_the_timeout() -> None:
    with mute_server() as port:
        started = time.monotonic()

        with pytest.raises(MailDelayed, match="Timed out"):
            await a_mailer(f"smtp://127.0.0.1:{port}", timeout=0.05).send(a_message())

        assert time.monotonic() - started < TIMEOUT / 2


async def test_a_letter_that_was_taken_is_sent_even_if_the_server_does_not_say_goodbye(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.mail.smtp, "GOODBYE_TIMEOUT", 0.05)

    async def hang_up(_server: object, session: object, _envelope: object) -> str:
        del session
        await asyncio.sleep(10)
        return "221 bye"

    sink.handle_QUIT = hang_up  # type: ignore[attr-defined]
    mailer = a_mailer(f"smtp://127.0.0.1:{sink.port}")

    async with asyncio.timeout(5):
        await mailer.send(a_message())

    assert len(sink.envelopes) == 1


# --- what goes out


@pytest.mark.parametrize(
    "recipient",
    [
        "a@example.org\r\nBcc: x@example.org",
        "a@example.org\nRCPT TO:<x@example.org>",
        "a@example.org, x@example.org",
        "a@example.org>\r\nRCPT TO:<x@example.org",
        "a\x00@example.org",
        "Ada <a@example.org>",
        "",
    ],
)
async def test_sends_nothing_to_what_is_not_one_address(sink: Sink, recipient: str) -> None:
    with pytest.raises(MailRefused):
        await a_mailer(f"smtp://127.0.0.1:{sink.port}").send(a_message(recipient=recipient))

    assert sink.connections == 0


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: x@example.org", "Hello\nX: y"])
async def test_a_line_end_in_a_header_is_a_bug_and_sends_nothing(sink: Sink, subject: str) -> None:
    with pytest.raises(ValueError, match="Header values may not contain"):
        await a_mailer(f"smtp://127.0.0.1:{sink.port}").send(a_message(subject=subject))

    assert sink.connections == 0


@pytest.mark.parametrize(
    ("domain", "name", "right_side"),
    [
        ("api.example.org", "api.example.org", "api.example.org"),
        ("127.0.0.1", "[127.0.0.1]", "127.0.0.1"),
        ("localhost", "localhost", "localhost"),
    ],
)
async def test_introduces_itself_by_its_domain(sink: Sink, domain: str, name: str, right_side: str) -> None:
    message = a_message()

    await a_mailer(f"smtp://127.0.0.1:{sink.port}", domain=domain).send(message)

    assert sink.sessions[0].host_name == name
    assert sink.messages[0]["Message-ID"] == f"<{message.id}@{right_side}>"


async def test_every_line_is_short_and_ascii(sink: Sink) -> None:
    message = Message(
        id=an_id(),
        recipient=Email("ada@example.org"),
        subject="Prüfung: ✓",
        text="é" * 2_000 + "\n.\nend\n",
        html="<p>" + "x" * 5_000 + "</p>",
        created_at=NOW,
    )

    await a_mailer(f"smtp://127.0.0.1:{sink.port}").send(message)

    content = sink.envelopes[0].content
    assert isinstance(content, bytes)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 78
    assert sink.messages[0]["Subject"] == "Prüfung: ✓"
    assert text_of(sink.messages[0]) == message.text
