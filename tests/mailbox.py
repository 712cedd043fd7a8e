"""A look behind the API: the letters in the outbox, unsealed, and what was recorded."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields

import sqlalchemy as sa

from adapters.memory.audit import AUDIT_EVENTS
from adapters.memory.outbox import LETTERS
from adapters.memory.store import MemoryStore
from adapters.memory.users import USERS
from adapters.security.cipher import Cipher
from adapters.security.secrets import SecretKey
from adapters.sql import audit, outbox, users
from adapters.sql.engines import Engines
from application.outbox import Letter, LetterTemplate
from domain.access import Role
from domain.audit import AuditEvent, AuditLink
from domain.users.user import User
from entrypoints.settings import Settings
from tests.builders import SECRET_KEY
from tests.containers import Given

_USERS = users.USERS
_HASH = sa.select(_USERS.c.password_hash).where(_USERS.c.email == sa.bindparam("of"))
_OUTBOX = outbox.LETTERS.c
_LETTERS = sa.select(_OUTBOX.id, _OUTBOX.template, _OUTBOX.recipient, _OUTBOX.sealed_data).order_by(_OUTBOX.id)
_EVENT = [field.name for field in fields(AuditEvent)]
_EVENTS = sa.select(*(audit.AUDIT_EVENTS.c[name] for name in _EVENT)).order_by(audit.AUDIT_EVENTS.c.position)


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter, as far as tests care."""

    template: LetterTemplate
    recipient: str
    data: dict[str, str]

    @property
    def token(self) -> str:
        """What stands behind `#token=` in its link."""
        return self.data["link"].partition("#token=")[2]


class Mailbox(Given):
    """Reads the outbox of an installation; to be passed to `serve` or `container_for` among the overrides."""

    def __init__(self, settings: Settings, engines_of: Callable[[str], Engines]) -> None:
        self._store = MemoryStore()
        super().__init__({MemoryStore: self._store})
        self._settings = settings
        self._engines_of = engines_of

    async def letters(self, recipient: str | None = None) -> list[Sent]:
        """Return all letters, or those to somebody, the oldest first."""
        letters = self._in_memory() if self._settings.is_memory else await self._in_sql()
        return [letter for letter in letters if recipient in (None, letter.recipient)]

    async def last(self, recipient: str, template: LetterTemplate) -> Sent:
        """Return the last letter to somebody; it must be this one."""
        letter = (await self.letters(recipient))[-1]
        assert letter.template is template, letter.template
        return letter

    async def audit_events(self) -> list[AuditEvent]:
        """Return what was recorded, the oldest first."""
        if self._settings.is_memory:
            events = [link.event for link in self._store.table(AUDIT_EVENTS, AuditLink).values()]
            return sorted(events, key=lambda event: event.position)
        found = await self._engines().read.run(_EVENTS, {})
        return [AuditEvent(**dict(zip(_EVENT, row, strict=True))) for row in found.rows]

    async def deactivate(self, email: str) -> None:
        """Deactivate an account behind everybody's back."""
        await self._change(email, "is_active", False)  # noqa: FBT003 - the new value

    async def promote(self, email: str) -> None:
        """Make an account an administrator's."""
        await self._change(email, "role", Role.ADMIN)

    async def import_hash(self, email: str, password_hash: str) -> None:
        """Give an account this password hash, as an import would."""
        await self._change(email, "password_hash", password_hash)

    async def stored_hash(self, email: str) -> str:
        """Return the password hash of an account."""
        if self._settings.is_memory:
            return self._user(email).password_hash
        return str((await self._engines().read.run(_HASH, {"of": email})).value())

    async def _change(self, email: str, field: str, value: object) -> None:
        if self._settings.is_memory:
            setattr(self._user(email), field, value)
            return
        statement = sa.update(_USERS).where(_USERS.c.email == email).values({field: value})
        await self._engines().write.run(statement, {})

    def _user(self, email: str) -> User:
        return next(user for user in self._store.table(USERS, User).values() if user.email == email)

    def _in_memory(self) -> list[Sent]:
        letters = self._store.table(LETTERS, Letter).values()
        return [Sent(letter.template, letter.recipient, dict(letter.data or {})) for letter in letters]

    async def _in_sql(self) -> list[Sent]:
        cipher = Cipher(SecretKey(SECRET_KEY.encode()), purpose="letters")
        return [
            Sent(LetterTemplate(template), recipient, json.loads(cipher.open(sealed, context=str(letter_id))))
            for letter_id, template, recipient, sealed in (await self._engines().read.run(_LETTERS, {})).rows
        ]

    def _engines(self) -> Engines:
        return self._engines_of(self._settings.database_url)
