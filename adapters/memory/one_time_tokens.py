"""One-time tokens in memory."""

from dataclasses import replace
from datetime import datetime

from adapters.memory.store import MemoryStore, MemoryUnitOfWork
from adapters.memory.users import USERS
from application.auth.ports import OneTimeTokenQueries, OneTimeTokenRepository
from domain.auth.one_time_token import OneTimeToken, TokenPurpose
from domain.ids import UserId
from domain.users.user import User

ONE_TIME_TOKENS = "one_time_tokens"


class MemoryOneTimeTokenRepository(OneTimeTokenRepository):
    """One-time tokens, within a unit of work."""

    def __init__(self, unit: MemoryUnitOfWork) -> None:
        self._unit = unit

    async def issue(self, token: OneTimeToken) -> bool:
        tokens = await self._unit.table(ONE_TIME_TOKENS, OneTimeToken)
        for other in tokens.rows():
            if other.user_id == token.user_id and other.purpose is token.purpose and other.consumed_at is None:
                tokens.put(other.id, replace(other, consumed_at=token.created_at))
        if (await self._unit.table(USERS, User)).get(token.user_id) is None:
            return False
        tokens.put(token.id, token)
        return True

    async def consume(self, digest: bytes, purpose: TokenPurpose, *, now: datetime) -> OneTimeToken | None:
        tokens = await self._unit.table(ONE_TIME_TOKENS, OneTimeToken)
        for token in tokens.rows():
            if token.digest == digest and token.purpose is purpose and token.is_live(now):
                consumed = replace(token, consumed_at=now)
                tokens.put(token.id, consumed)
                return consumed
        return None

    async def revoke_all(self, user_id: UserId, *, now: datetime) -> None:
        tokens = await self._unit.table(ONE_TIME_TOKENS, OneTimeToken)
        for token in tokens.rows():
            if token.user_id == user_id and token.consumed_at is None:
                tokens.put(token.id, replace(token, consumed_at=now))


class MemoryOneTimeTokenQueries(OneTimeTokenQueries):
    """One-time tokens, as they are committed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, digest: bytes) -> OneTimeToken | None:
        tokens = self._store.table(ONE_TIME_TOKENS, OneTimeToken).values()
        return next((token for token in tokens if token.digest == digest), None)
