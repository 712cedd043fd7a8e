"""Mail by SMTP (RFC 5321), with aiosmtplib."""

import contextlib
import functools
import ipaddress
import ssl

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from adapters.mail.messages import Envelopes
from application.mail import MailDelayed, Mailer, MailRefused, Message
from application.mail_places import Security, SmtpServer

TIMEOUT = 10
"""Seconds for connecting, and for each answer."""

GOODBYE_TIMEOUT = 1
_PERMANENT = 500


class SmtpMailer(Mailer):
    """Hands each letter over in a connection of its own. Where TLS is due there is TLS, or no letter."""

    def __init__(self, server: SmtpServer, envelopes: Envelopes, *, timeout: float = TIMEOUT) -> None:
        self._server = server
        self._envelopes = envelopes
        self._timeout = timeout
        self._context = functools.cache(self._make_context)

    async def send(self, message: Message) -> None:
        content = self._envelopes.enclose(message).as_bytes()
        try:
            client = self._client()
            try:
                await client.connect()
                await client.sendmail(self._envelopes.sender.addr_spec, [message.recipient], content)
                # The server has taken the letter. Whatever becomes of the goodbye, it must not be sent again.
                with contextlib.suppress(SMTPException, OSError):
                    await client.quit(timeout=GOODBYE_TIMEOUT)
            finally:
                client.close()
        except SMTPRecipientsRefused as error:
            raise _failure(error.recipients[0]) from error
        except SMTPDataError as error:
            raise _failure(error) from error
        except SMTPResponseException as error:
            # Whom we claim to be, and whether we may send at all, is not this letter's fault.
            raise MailDelayed(_answer(error)) from error
        except (SMTPException, OSError) as error:
            raise MailDelayed(f"{type(error).__name__}: {error}") from error

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            local_hostname=_helo_name(self._envelopes.domain),
            use_tls=server.security is Security.TLS,
            # Not None: that would mean STARTTLS if the server, or whoever is in between, offers it.
            start_tls=server.security is Security.STARTTLS,
            tls_context=None if server.security is Security.NONE else self._context(),
            timeout=self._timeout,
        )

    def _make_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._server.authorities)


def _failure(error: SMTPResponseException) -> MailDelayed | MailRefused:
    return MailRefused(_answer(error)) if error.code >= _PERMANENT else MailDelayed(_answer(error))


def _answer(error: SMTPResponseException) -> str:
    return f"The mail server answered {error.code} {error.message}"


def _helo_name(domain: str) -> str:
    try:
        return f"[{ipaddress.IPv4Address(domain)}]"  # RFC 5321 section 4.1.3
    except ValueError:
        return domain
