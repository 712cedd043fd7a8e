"""Mail into memory."""

from collections import deque

from adapters.mail.messages import Envelopes
from application.mail import Mailer, Message

KEPT = 1_000


class MemoryMailer(Mailer):
    """Keeps the last letters, for tests."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes
        self.sent: deque[Message] = deque(maxlen=KEPT)

    async def send(self, message: Message) -> None:
        self._envelopes.enclose(message)
        self.sent.append(message)
