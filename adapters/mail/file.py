"""Mail into a folder."""

import asyncio
import os
import tempfile
from pathlib import Path

from adapters.mail.messages import Envelopes
from application.mail import MailDelayed, Mailer, Message


class FileMailer(Mailer):
    """Writes each letter into a file of its own, named after its id. Letters are for nobody else to read: mode 0600."""

    def __init__(self, folder: Path, envelopes: Envelopes) -> None:
        self._folder = folder
        self._envelopes = envelopes

    async def send(self, message: Message) -> None:
        content = self._envelopes.enclose(message).as_bytes()
        try:
            await asyncio.to_thread(self._write, f"{message.id}.eml", content)
        except OSError as error:
            raise MailDelayed(f"The folder for mail can't be written: {error.strerror}") from error

    def _write(self, name: str, content: bytes) -> None:
        """Write it whole, then give it its name: who watches the folder never sees half a letter."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".draft")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self._folder / name)
        finally:
            Path(draft).unlink(missing_ok=True)
