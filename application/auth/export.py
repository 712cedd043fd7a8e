"""All that is stored about an account, for its owner."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.items.ports import EVERY_ITEM, ItemQueries, ItemSort
from application.items.views import ItemView
from application.paging import PAGE_MAX, Order, Place
from application.ports import AuditLog, UnitOfWork
from application.users.ports import UserQueries
from application.users.views import UserView
from domain.access import Actor, Permission
from domain.audit import AuditAction
from domain.ids import SessionId, UserId


@dataclass
class StoredSession:
    """A session, live or not."""

    id: SessionId
    created_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    ip: str | None
    user_agent: str | None


@dataclass
class StoredApiKey:
    """An API key, without anything that could be presented as one."""

    id: UUID
    name: str
    prefix: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass
class StoredLetter:
    """A letter that was or will be sent, without what it says."""

    id: UUID
    template: str
    recipient: str
    status: str
    created_at: datetime
    sent_at: datetime | None


@dataclass
class StoredEvent:
    """An event of the audit trail. From where it came is shown only where no other account did it."""

    position: int
    id: UUID
    action: str
    actor_id: UserId | None
    subject_id: UUID | None
    ip: str | None
    user_agent: str | None
    created_at: datetime
    data: Mapping[str, str]


class PersonalDataQueries(Protocol):
    """What is stored about an account beside the account and its items. Sees what is committed."""

    async def has_totp(self, user_id: UserId) -> bool:
        """Tell whether the account has a TOTP factor that is confirmed."""

    async def sessions(self, user_id: UserId) -> list[StoredSession]:
        """Return the account's sessions, the oldest first."""

    async def api_keys(self, user_id: UserId) -> list[StoredApiKey]:
        """Return the account's API keys, the oldest first."""

    async def letters(self, user_id: UserId) -> list[StoredLetter]:
        """Return the letters to the account, the oldest first."""

    async def events(self, user_id: UserId, *, limit: int, after: int) -> list[StoredEvent]:
        """Return up to `limit` events of which the account is actor or subject, behind this position, in order."""


@dataclass
class AccountExport:
    """All about one account. What may be long comes in pages, so that it never is in memory as a whole."""

    account: UserView
    totp_enabled: bool
    sessions: Sequence[StoredSession]
    api_keys: Sequence[StoredApiKey]
    letters: Sequence[StoredLetter]
    audit_events: AsyncIterator[Sequence[StoredEvent]]
    items: AsyncIterator[Sequence[ItemView]]


@dataclass(frozen=True, slots=True)
class ExportAccount:
    """Give out all that is stored about an account: one's own, or for who may change accounts anybody's."""

    users: UserQueries
    items: ItemQueries
    personal_data: PersonalDataQueries
    audit: AuditLog
    unit: UnitOfWork

    async def __call__(self, actor: Actor, user_id: UserId) -> AccountExport:
        """Return it; raises PermissionDenied, UserNotFound."""
        actor.require(Permission.CREDENTIALS)
        if user_id != actor.user_id:
            actor.require(Permission.USERS_WRITE)
        account = await self.users.get(user_id)
        await self.audit.record(
            AuditAction.USER_EXPORTED, actor_id=actor.user_id, subject_id=user_id, client=actor.client
        )
        await self.unit.commit()
        return AccountExport(
            account=account,
            totp_enabled=await self.personal_data.has_totp(user_id),
            sessions=await self.personal_data.sessions(user_id),
            api_keys=await self.personal_data.api_keys(user_id),
            letters=await self.personal_data.letters(user_id),
            audit_events=self._events(user_id),
            items=self._items(user_id),
        )

    async def _events(self, user_id: UserId) -> AsyncIterator[Sequence[StoredEvent]]:
        after = 0
        while page := await self.personal_data.events(user_id, limit=PAGE_MAX, after=after):
            yield page
            after = page[-1].position

    async def _items(self, user_id: UserId) -> AsyncIterator[Sequence[ItemView]]:
        after: Place | None = None
        while True:
            page = await self.items.page(
                user_id, EVERY_ITEM, order=Order(ItemSort.CREATED_AT), limit=PAGE_MAX, after=after
            )
            yield page.data
            if page.next is None:
                return
            after = page.next
