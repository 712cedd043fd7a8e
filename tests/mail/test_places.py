"""What PORTICO_MAIL_URL and PORTICO_MAIL_FROM may say, and which mailer that makes."""

from dataclasses import replace
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from io import StringIO
from pathlib import Path
from stat import S_IMODE

import pytest
from dishka import AsyncContainer

from adapters.mail.console import ConsoleMailer
from adapters.mail.file import FileMailer
from adapters.mail.memory import MemoryMailer
from adapters.mail.smtp import SmtpMailer
from application.mail import LetterWriter, MailDelayed, Mailer, MailRefused, Message
from application.mail_places import MailDevice, MailFolder, Security, SmtpServer, parse_mail_url, parse_sender
from domain.users.email import Email
from tests.builders import an_id
from tests.clock import NOW
from tests.mail.conftest import Containers
from tests.mail.outbox import claim, leave
from tests.mail.smtp import text_of

in_memory = pytest.mark.parametrize("storage", ["memory"], indirect=True)


def a_message() -> Message:
    return Message(
        id=an_id(),
        recipient=Email("ada@example.org"),
        subject="Acme: Hello",
        text="Hello,\n\nopen https://example.org/#token=x\n",
        html="<p>Hello</p>\n",
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtp://mail.example.org", "mail.example.org", 587, Security.STARTTLS),
        ("smtp://mail.example.org/", "mail.example.org", 587, Security.STARTTLS),
        ("smtp://mail.example.org:2525", "mail.example.org", 2525, Security.STARTTLS),
        ("smtp://mail.example.org?starttls=on", "mail.example.org", 587, Security.STARTTLS),
        ("smtp://mail.example.org?starttls=off", "mail.example.org", 25, Security.NONE),
        ("smtp://localhost", "localhost", 25, Security.NONE),
        ("smtp://127.1.2.3:1025", "127.1.2.3", 1025, Security.NONE),
        ("smtp://[::1]", "::1", 25, Security.NONE),
        ("smtp://localhost?starttls=on", "localhost", 587, Security.STARTTLS),
        ("smtp://localhost.example.org", "localhost.example.org", 587, Security.STARTTLS),
        ("smtp://10.0.0.1", "10.0.0.1", 587, Security.STARTTLS),
        ("smtps://mail.example.org", "mail.example.org", 465, Security.TLS),
        ("smtps://localhost", "localhost", 465, Security.TLS),
    ],
)
def test_a_server_is_spoken_to_within_tls_unless_it_is_this_machine(
    url: str, host: str, port: int, security: Security
) -> None:
    assert parse_mail_url(url) == SmtpServer(host=host, port=port, security=security)


def test_a_user_and_a_password_are_decoded_and_never_shown() -> None:
    server = parse_mail_url("smtp://ada%40example.org:p%40ss%2Fw%3Ard@mail.example.org")

    assert isinstance(server, SmtpServer)
    assert (server.user, server.password) == ("ada@example.org", "p@ss/w:rd")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("console:", MailDevice.CONSOLE),
        ("memory:", MailDevice.MEMORY),
        ("file:///var/mail/out", MailFolder(Path("/var/mail/out"))),
        ("file:///with%20space", MailFolder(Path("/with space"))),
    ],
)
def test_mail_can_go_elsewhere(url: str, place: MailDevice | MailFolder) -> None:
    assert parse_mail_url(url) == place


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must be smtp://"),
        ("mail.example.org", "must be smtp://"),
        ("http://mail.example.org", "must be smtp://"),
        ("smtp://", "must be smtp://"),
        ("smtp://mail.example.org/path", "must be smtp://"),
        ("smtp://mail.example.org:port", "must be smtp://"),
        ("smtp://mail.example.org#x", "must be smtp://"),
        ("smtp://[::1", "must be smtp://"),
        ("file:relative", "must be smtp://"),
        ("file://host/folder", "must be smtp://"),
        ("smtp://user@mail.example.org", "both a user and a password"),
        ("smtp://:hunter2@mail.example.org", "both a user and a password"),
        ("smtp://mail.example.org?starttls=maybe", "may have the options"),
        ("smtp://mail.example.org?verify=off", "may have the options"),
        ("smtps://mail.example.org?starttls=off", "must not have starttls"),
        ("smtps://mail.example.org?ca=/nowhere/ca.pem", "that is there"),
        ("smtp://user:hunter2@mail.example.org?starttls=off", "in the clear"),
    ],
)
def test_refuses_what_is_unclear_or_unsafe_without_repeating_it(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_mail_url(url)

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("Portico <no-reply@localhost>", "Portico", "no-reply@localhost"),
        ("Ærø & Søn <post@example.org>", "Ærø & Søn", "post@example.org"),
        ("<post@example.org>", "", "post@example.org"),
        ("post@example.org", "", "post@example.org"),
    ],
)
def test_a_sender_is_an_address_with_or_without_a_name(text: str, name: str, address: str) -> None:
    sender = parse_sender(text.removeprefix("<").removesuffix(">") if text.startswith("<") else text)

    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text",
    [
        "Portico",
        "Portico <>",
        "Portico <no-reply>",
        "a@example.org, b@example.org",
        "Portico <a@example.org> <b@example.org>",
        "Portico\r\nBcc: x <a@example.org>",
        "Portico <a@example.org\nBcc: x>",
        "Portico <.a@example.org>",
        "Portico <ä@example.org>",
    ],
)
def test_refuses_a_sender_that_is_not_one_address(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        parse_sender(text)


# --- the mailers that these make


@in_memory
async def test_the_setting_chooses_the_mailer(a_container: Containers, tmp_path: Path) -> None:
    kinds = {
        "smtp://mail.example.org": SmtpMailer,
        f"file://{tmp_path}": FileMailer,
        "console:": ConsoleMailer,
        "memory:": MemoryMailer,
    }

    mailers = {url: type(await a_container(mail_url=url).get(Mailer)) for url in kinds}

    assert mailers == kinds


@in_memory
@pytest.mark.parametrize(
    ("sender", "public_url", "name"),
    [
        ("Acme <post@example.org>", "https://api.example.org", "Acme"),
        ("post@example.org", "https://api.example.org:8443/base", "api.example.org"),
        ("post@example.org", "http://[::1]:8000", "[::1]"),
    ],
)
async def test_letters_call_the_installation_by_its_senders_name_or_its_host(
    a_container: Containers, sender: str, public_url: str, name: str
) -> None:
    container = a_container(mail_from=sender, public_url=public_url)
    await leave(container)
    (letter,) = await claim(container)
    writer: LetterWriter = await container.get(LetterWriter)

    assert writer.write(letter).subject == f"{name}: Confirm your email address"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def mailer_of(container: AsyncContainer) -> Mailer:
    mailer: Mailer = await container.get(Mailer)
    return mailer


@in_memory
async def test_a_folder_gets_a_file_for_each_letter_however_often_it_is_sent(
    a_container: Containers, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    mailer = await mailer_of(a_container(mail_url=f"file://{folder}"))
    message, other = a_message(), a_message()

    for each in (message, message, other):
        await mailer.send(each)

    assert names_in(folder) == sorted([f"{message.id}.eml", f"{other.id}.eml"])
    path = folder / f"{message.id}.eml"
    assert S_IMODE(path.stat().st_mode) == 0o600
    written = BytesParser(EmailMessage, policy=SMTP).parsebytes(path.read_bytes())
    assert written["Message-ID"] == f"<{message.id}@api.example.org>"
    assert text_of(written) == message.text


@in_memory
async def test_a_folder_that_cannot_be_written_delays_the_letter(a_container: Containers, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mailer = await mailer_of(a_container(mail_url=f"file://{tmp_path}/file"))

    with pytest.raises(MailDelayed):
        await mailer.send(a_message())


@in_memory
async def test_a_file_that_cannot_be_finished_leaves_nothing_behind(a_container: Containers, tmp_path: Path) -> None:
    mailer = await mailer_of(a_container(mail_url=f"file://{tmp_path}"))
    message = a_message()
    (tmp_path / f"{message.id}.eml").mkdir()

    with pytest.raises(MailDelayed):
        await mailer.send(message)

    assert names_in(tmp_path) == [f"{message.id}.eml"]


@in_memory
async def test_the_console_shows_the_text(a_container: Containers, capsys: pytest.CaptureFixture[str]) -> None:
    mailer = await mailer_of(a_container(mail_url="console:"))

    await mailer.send(a_message())

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "",
        "  | From: Portico <no-reply@mail.example.org>",
        "  | To: ada@example.org",
        "  | Subject: Acme: Hello",
        "  | ",
        "  | Hello,",
        "  | ",
        "  | open https://example.org/#token=x",
        "",
    ]


@in_memory
async def test_a_console_that_is_closed_delays_the_letter(
    a_container: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = await mailer_of(a_container(mail_url="console:"))
    closed = StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)

    with pytest.raises(MailDelayed):
        await mailer.send(a_message())


@in_memory
@pytest.mark.parametrize("place", ["console:", "memory:", "file:///nowhere"])
async def test_no_mailer_takes_a_second_recipient(a_container: Containers, place: str) -> None:
    mailer = await mailer_of(a_container(mail_url=place))

    with pytest.raises(MailRefused):
        await mailer.send(replace(a_message(), recipient=Email("a@example.org, b@example.org")))
