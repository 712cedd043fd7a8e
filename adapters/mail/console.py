"""Mail onto the terminal of whoever runs the server."""

import sys

from adapters.mail.messages import Envelopes
from application.mail import MailDelayed, Mailer, Message


class ConsoleMailer(Mailer):
    """Prints each letter's text on stderr, for development: links in it can be clicked."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    async def send(self, message: Message) -> None:
        enclosed = self._envelopes.enclose(message)
        head = [f"{name}: {enclosed[name]}" for name in ("From", "To", "Subject")]
        lines = [*head, "", *message.text.rstrip("\n").split("\n")]
        try:
            sys.stderr.write("\n".join(["", *(f"  | {line}" for line in lines), "", ""]))
            sys.stderr.flush()
        except (OSError, ValueError) as error:
            raise MailDelayed("stderr can't be written.") from error
