"""`Leftovers`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.memory.one_time_tokens import ONE_TIME_TOKENS
from adapters.memory.store import MemoryStore
from adapters.sql import one_time_tokens
from adapters.sql.engines import Engines
from application.auth.ports import SessionRepository
from application.outbox import LetterQueue, LetterTemplate
from application.ports import Throttle
from application.retention import RETENTION, Leftover, Leftovers, PurgeLeftovers
from application.throttling import ThrottleRule
from domain.auth.session import Session
from domain.errors import Limited
from domain.users.user import User
from entrypoints.settings import Settings
from tests.builders import A_MONTH_LATER, a_session, a_user, an_id
from tests.clock import NOW, FixedClock
from tests.engines import engine_on
from tests.mail.outbox import claim, leave, letters_of
from tests.units import a_unit, store

A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class _Token:
    """A token's row in memory, as far as it is looked at."""

    consumed_at: datetime | None
    expires_at: datetime


async def remove(container: AsyncContainer, leftover: Leftover, *, before: datetime, limit: int = 100) -> int:
    leftovers: Leftovers = await container.get(Leftovers)
    return await leftovers.remove(leftover, before=before, limit=limit)


@pytest.mark.parametrize("leftover", list(Leftover))
async def test_removes_nothing_where_there_is_nothing(container: AsyncContainer, leftover: Leftover) -> None:
    assert await remove(container, leftover, before=A_MONTH_LATER) == 0


# --- letters


async def test_removes_letters_by_when_they_were_sent(container: AsyncContainer) -> None:
    await leave(container, times=3)
    queue: LetterQueue = await container.get(LetterQueue)
    old, recent, pending = await claim(container)
    await queue.mark_sent(old, now=NOW - A_SECOND)
    await queue.mark_sent(recent, now=NOW)

    assert await remove(container, Leftover.SENT_LETTERS, before=NOW) == 1

    assert {letter.id for letter in await letters_of(container)} == {recent.id, pending.id}


async def test_removes_dead_letters_by_when_they_were_left(container: AsyncContainer) -> None:
    await leave(container, times=2)
    queue: LetterQueue = await container.get(LetterQueue)
    dead, pending = await claim(container)
    await queue.mark_dead(dead, error="x")

    too_early = await remove(container, Leftover.DEAD_LETTERS, before=NOW)
    in_time = await remove(container, Leftover.DEAD_LETTERS, before=NOW + A_SECOND)

    assert (too_early, in_time) == (0, 1)
    assert [letter.id for letter in await letters_of(container)] == [pending.id]


async def test_removes_no_more_than_asked_for(container: AsyncContainer) -> None:
    await leave(container, times=5)
    queue: LetterQueue = await container.get(LetterQueue)
    for letter in await claim(container):
        await queue.mark_sent(letter, now=NOW)

    removed = [await remove(container, Leftover.SENT_LETTERS, before=A_MONTH_LATER, limit=2) for _ in range(4)]

    assert removed == [2, 2, 1, 0]


# --- sessions


async def test_removes_sessions_that_ended_in_whatever_way(container: AsyncContainer) -> None:
    user = a_user()
    before = NOW + timedelta(days=1)
    past = before - A_SECOND
    ended = [
        a_session(user, idle_expires_at=A_MONTH_LATER, revoked_at=past),
        a_session(user, idle_expires_at=past),
        a_session(user, idle_expires_at=A_MONTH_LATER, expires_at=past),
    ]
    live = a_session(user, idle_expires_at=before, expires_at=A_MONTH_LATER)
    await store(container, user, *ended, live)

    assert await remove(container, Leftover.ENDED_SESSIONS, before=before) == 3

    assert await sessions_left(container, *ended, live) == [live]


async def sessions_left(container: AsyncContainer, *sessions: Session) -> list[Session]:
    async with a_unit(container) as unit:
        repository: SessionRepository = unit.sessions
        found = [await repository.find(session.id) for session in sessions]
    return [session for session in found if session is not None]


# --- tokens


async def test_removes_tokens_that_were_used_or_expired(container: AsyncContainer, storage: Settings) -> None:
    user = a_user()
    await store(container, user)
    past, future = NOW - A_SECOND, NOW + A_SECOND
    await store_tokens(container, storage, user, (past, future), (None, past), (None, future), (NOW, future))

    removed = await remove(container, Leftover.SPENT_TOKENS, before=NOW)

    assert removed == 2
    assert await remove(container, Leftover.SPENT_TOKENS, before=NOW + 2 * A_SECOND) == 2


async def store_tokens(
    container: AsyncContainer, settings: Settings, user: User, *moments: tuple[datetime | None, datetime]
) -> None:
    tokens: dict[UUID, _Token] = {an_id(): _Token(consumed_at, expires_at) for consumed_at, expires_at in moments}
    if settings.is_memory:
        memory: MemoryStore = await container.get(MemoryStore)
        memory.tables[ONE_TIME_TOKENS] = dict(tokens)
        return
    engines: Engines = await container.get(Engines)
    async with engine_on(engines.write).begin() as connection:
        for token_id, token in tokens.items():
            await connection.execute(
                sa.insert(one_time_tokens.ONE_TIME_TOKENS).values(
                    id=token_id,
                    digest=token_id.bytes,
                    purpose="test",
                    user_id=user.id,
                    attempts=0,
                    created_at=NOW,
                    consumed_at=token.consumed_at,
                    expires_at=token.expires_at,
                )
            )


# --- throttles


async def test_removes_throttles_that_hold_nobody_back(container: AsyncContainer) -> None:
    throttle: Throttle = await container.get(Throttle)
    rule = ThrottleRule("test", burst=1, interval=timedelta(minutes=1))
    await throttle.take(rule, "ada")

    too_early = await remove(container, Leftover.IDLE_THROTTLES, before=NOW + rule.interval)
    with pytest.raises(Limited):
        await throttle.take(rule, "ada")
    in_time = await remove(container, Leftover.IDLE_THROTTLES, before=NOW + rule.interval + A_SECOND)

    assert (too_early, in_time) == (0, 1)
    await throttle.take(rule, "ada")


# --- the use case


async def test_keeps_each_leftover_for_its_time(container: AsyncContainer, clock: FixedClock) -> None:
    user = a_user()
    await store(container, user, a_session(user, revoked_at=NOW))
    await leave(container, LetterTemplate.MFA_ENABLED, data={}, times=2)
    queue: LetterQueue = await container.get(LetterQueue)
    sent, dead = await claim(container)
    await queue.mark_sent(sent, now=NOW)
    await queue.mark_dead(dead, error="x")
    purge: PurgeLeftovers = await container.get(PurgeLeftovers)
    removed: dict[Leftover, timedelta] = {}

    for days in (1, 6, 7, 8, 29, 30, 31):
        clock.advance(NOW + timedelta(days=days, microseconds=1) - clock.now())
        removed |= {leftover: timedelta(days=days) for leftover, count in (await purge()).items() if count}

    kinds = (Leftover.SENT_LETTERS, Leftover.DEAD_LETTERS, Leftover.ENDED_SESSIONS)
    assert removed == {leftover: RETENTION[leftover] for leftover in kinds}
