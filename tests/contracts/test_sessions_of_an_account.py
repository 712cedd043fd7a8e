"""`SessionRepository` and `SessionQueries`: the sessions of one account together."""

import asyncio
from datetime import datetime, timedelta

import pytest
from dishka import AsyncContainer

from application.auth.ports import CredentialQueries, SessionQueries
from application.auth.views import SessionView
from domain.access import Client
from domain.auth.session import Session
from domain.ids import SessionId, UserId
from domain.users.user import User
from tests.builders import a_session, a_user, an_id
from tests.clock import NOW
from tests.units import a_unit, store

SOON = NOW + timedelta(minutes=1)


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


async def live(
    container: AsyncContainer, owner: User, *, current: SessionId | None = None, now: datetime = SOON
) -> list[SessionView]:
    sessions: SessionQueries = await container.get(SessionQueries)
    return list(await sessions.live(owner.id, current=current, now=now))


def a_dead_session(owner: User, how: str) -> Session:
    match how:
        case "revoked":
            return a_session(owner, revoked_at=NOW)
        case "idle":
            return a_session(owner, idle_expires_at=SOON)
        case _:
            return a_session(owner, idle_expires_at=SOON, expires_at=SOON)


# --- live


async def test_shows_a_session(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner, client=Client("2001:db8::1", "Mozilla/5.0 (ümlaut)"))
    await store(container, session)

    assert await live(container, owner, current=session.id) == [
        SessionView(session.id, NOW, NOW, "2001:db8::1", "Mozilla/5.0 (ümlaut)", current=True)
    ]


async def test_shows_the_newest_first_and_which_one_asks(container: AsyncContainer, owner: User) -> None:
    sessions = [a_session(owner, created_at=NOW + timedelta(seconds=n)) for n in (2, 0, 1)]
    twin = a_session(owner, created_at=NOW)
    await store(container, *sessions, twin)

    shown = await live(container, owner, current=sessions[2].id)

    assert [view.id for view in shown] == [sessions[0].id, sessions[2].id, twin.id, sessions[1].id]
    assert [view.current for view in shown] == [False, True, False, False]


@pytest.mark.parametrize("how", ["revoked", "idle", "expired"])
async def test_shows_no_dead_session_and_nobody_elses(container: AsyncContainer, owner: User, how: str) -> None:
    stranger = a_user()
    await store(container, stranger, a_session(stranger), a_dead_session(owner, how))

    assert await live(container, owner) == []


async def test_shows_a_session_until_its_very_end(container: AsyncContainer, owner: User) -> None:
    await store(container, a_session(owner, idle_expires_at=SOON))

    assert len(await live(container, owner, now=SOON - timedelta(microseconds=1))) == 1
    assert await live(container, owner, now=SOON) == []


# --- revoke


async def test_tells_whether_it_ended_the_session(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    async with a_unit(container) as unit:
        outcomes = [await unit.sessions.revoke(id_, now=NOW) for id_ in (session.id, session.id, SessionId(an_id()))]
        await unit.commit()

    assert outcomes == [True, False, False]


async def test_tells_one_of_many_that_it_ended_the_session(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    async def revoke() -> bool:
        async with a_unit(container) as unit:
            ended = await unit.sessions.revoke(session.id, now=NOW)
            await unit.commit()
            return ended

    assert sum(await asyncio.gather(*(revoke() for _ in range(8)))) == 1


# --- revoke all


async def test_ends_all_live_sessions_of_the_account(container: AsyncContainer, owner: User) -> None:
    stranger = a_user()
    foreign, dead = a_session(stranger), a_session(owner, revoked_at=NOW)
    await store(container, stranger, foreign, dead, *(a_session(owner) for _ in range(3)))

    async with a_unit(container) as unit:
        ended = await unit.sessions.revoke_all(owner.id, now=SOON)
        await unit.commit()

    async with a_unit(container) as unit:
        kept, found = await unit.sessions.find(foreign.id), await unit.sessions.find(dead.id)
    assert ended == 3
    assert await live(container, owner) == []
    assert kept == foreign
    assert found == dead


async def test_ends_all_but_one(container: AsyncContainer, owner: User) -> None:
    this, *others = [a_session(owner) for _ in range(3)]
    await store(container, this, *others)

    async with a_unit(container) as unit:
        ended = await unit.sessions.revoke_all(owner.id, now=SOON, but=this.id)
        await unit.commit()

    assert ended == 2
    assert [view.id for view in await live(container, owner)] == [this.id]


async def test_ends_nothing_of_who_has_nothing(container: AsyncContainer) -> None:
    async with a_unit(container) as unit:
        assert await unit.sessions.revoke_all(UserId(an_id()), now=SOON) == 0
        assert await unit.sessions.revoke_oldest(UserId(an_id()), keep=0, now=SOON) == 0


async def test_ends_all_for_nobody_until_the_unit_commits(container: AsyncContainer, owner: User) -> None:
    await store(container, a_session(owner))

    async with a_unit(container) as unit:
        await unit.sessions.revoke_all(owner.id, now=SOON)

    assert len(await live(container, owner)) == 1


# --- revoke the oldest


@pytest.mark.parametrize(("keep", "ended"), [(0, 4), (1, 3), (3, 1), (4, 0), (5, 0)])
async def test_ends_the_oldest(container: AsyncContainer, owner: User, keep: int, ended: int) -> None:
    stranger = a_user()
    sessions = [a_session(owner, created_at=NOW + timedelta(seconds=n)) for n in range(4)]
    # Dead ones take no room, however new they are; nor do those of others.
    dead = [a_dead_session(owner, how) for how in ("revoked", "idle", "expired")]
    await store(container, stranger, a_session(stranger), *sessions, *dead)

    async with a_unit(container) as unit:
        outcome = await unit.sessions.revoke_oldest(owner.id, keep=keep, now=SOON)
        await unit.commit()

    assert outcome == ended
    assert [view.id for view in await live(container, owner)] == [s.id for s in reversed(sessions[ended:])]
    assert len(await live(container, stranger)) == 1


async def test_of_twins_the_one_with_the_smaller_id_is_older(container: AsyncContainer, owner: User) -> None:
    first, second = a_session(owner), a_session(owner)
    await store(container, second, first)

    async with a_unit(container) as unit:
        await unit.sessions.revoke_oldest(owner.id, keep=1, now=SOON)
        await unit.commit()

    assert [view.id for view in await live(container, owner)] == [second.id]


# --- credentials by id


async def test_looks_up_a_credential_by_account(container: AsyncContainer, owner: User) -> None:
    credentials: CredentialQueries = await container.get(CredentialQueries)

    assert await credentials.of(owner.id) == await credentials.find(owner.email)
    assert await credentials.of(UserId(an_id())) is None
