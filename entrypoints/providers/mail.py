"""Mail, and the worker that delivers it."""

from urllib.parse import urlsplit

from dishka import Provider, provide

from adapters.jitter import SystemJitter
from adapters.mail.bell import EventBell
from adapters.mail.console import ConsoleMailer
from adapters.mail.file import FileMailer
from adapters.mail.letters import JinjaLetterWriter
from adapters.mail.memory import MemoryMailer
from adapters.mail.messages import Envelopes
from application.mail import Jitter, LetterWriter, Mailer
from application.mail_places import MailDevice, MailFolder, SmtpServer, parse_mail_url, parse_sender
from application.outbox import MailBell
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings
from entrypoints.worker import Worker


class MailProvider(Provider):
    """One of each per process."""

    scope = Lifetime.APP

    jitter = provide(SystemJitter, provides=Jitter)
    bell = provide(EventBell, provides=MailBell)
    worker = provide(Worker)

    @provide
    def envelopes(self, settings: Settings) -> Envelopes:
        return Envelopes(sender=parse_sender(settings.mail_from), domain=_domain(settings))

    @provide
    def writer(self, settings: Settings) -> LetterWriter:
        return JinjaLetterWriter(parse_sender(settings.mail_from).display_name or _domain(settings))

    @provide
    def mailer(self, settings: Settings, envelopes: Envelopes) -> Mailer:
        match parse_mail_url(settings.mail_url):
            case SmtpServer() as server:
                from adapters.mail.smtp import SmtpMailer  # noqa: PLC0415 - few need it, and none at its start

                return SmtpMailer(server, envelopes)
            case MailFolder(path):
                return FileMailer(path, envelopes)
            case MailDevice.MEMORY:
                return MemoryMailer(envelopes)
            case MailDevice.CONSOLE:
                return ConsoleMailer(envelopes)


def _domain(settings: Settings) -> str:
    host = urlsplit(settings.public_url).hostname or "localhost"
    return f"[{host}]" if ":" in host else host
