"""`SessionRepository`, `SessionRotation`, `CredentialQueries` and `Standings`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from dishka import AsyncContainer

from application.auth.ports import Credential, CredentialQueries, SessionRotation, Standing
from application.auth.standing_cache import StandingSource
from domain.access import Client, Role
from domain.auth.session import Session
from domain.ids import SessionId
from domain.users.email import parse_email
from domain.users.user import User
from tests.builders import A_DAY_LATER, A_MONTH_LATER, a_session, a_user, an_id
from tests.clock import NOW
from tests.units import a_unit, store

A_MICROSECOND = timedelta(microseconds=1)
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
async def owner(container: AsyncContainer) -> User:
    owner = a_user()
    await store(container, owner)
    return owner


async def find(container: AsyncContainer, session_id: SessionId) -> Session | None:
    async with a_unit(container) as unit:
        return await unit.sessions.find(session_id)


async def rotate(
    container: AsyncContainer,
    session: Session,
    counter: int,
    *,
    now: datetime = SOON,
    idle_expires_at: datetime = A_DAY_LATER,
) -> Session | None:
    rotation: SessionRotation = await container.get(SessionRotation)
    return await rotation.rotate(session.id, counter, idle_expires_at=idle_expires_at, now=now)


async def revoke(container: AsyncContainer, session: Session, *, now: datetime) -> None:
    async with a_unit(container) as unit:
        await unit.sessions.revoke(session.id, now=now)
        await unit.commit()


# --- add, find


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(Client(ip="2001:db8::1%eth0", user_agent="Mozilla/5.0 (ümlaut)" + "." * 380), id="all facts"),
        pytest.param(Client(), id="few facts"),
    ],
)
async def test_gives_back_what_was_added(container: AsyncContainer, owner: User, client: Client) -> None:
    session = a_session(owner, client=client, counter=2**40)

    await store(container, session)

    assert await find(container, session.id) == session


async def test_finds_no_session_that_is_not_there(container: AsyncContainer) -> None:
    assert await find(container, SessionId(an_id())) is None


async def test_finds_a_session_as_the_unit_sees_it(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    async with a_unit(container) as unit:
        await unit.sessions.revoke(session.id, now=SOON)
        seen_inside = await unit.sessions.find(session.id)

    seen_outside = await find(container, session.id)
    assert seen_inside is not None
    assert seen_outside is not None
    assert (seen_inside.revoked_at, seen_outside.revoked_at) == (SOON, None)


# --- rotate


async def test_spends_the_current_number(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner, counter=3)
    await store(container, session)

    rotated = await rotate(container, session, 3, idle_expires_at=SOON + timedelta(days=2))

    session.counter = 4
    session.last_used_at = SOON
    session.idle_expires_at = SOON + timedelta(days=2)
    assert rotated == session
    assert await find(container, session.id) == session


async def test_is_idle_never_beyond_its_own_end(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner, expires_at=A_DAY_LATER)
    await store(container, session)

    rotated = await rotate(container, session, 1, idle_expires_at=A_DAY_LATER + A_MICROSECOND)

    assert rotated is not None
    assert rotated.idle_expires_at == A_DAY_LATER
    assert await find(container, session.id) == rotated


@pytest.mark.parametrize("counter", [0, 1, 3, 2**62])
async def test_spends_no_other_number(container: AsyncContainer, owner: User, counter: int) -> None:
    session = a_session(owner, counter=2)
    await store(container, session)

    assert await rotate(container, session, counter) is None
    assert await find(container, session.id) == session


async def test_spends_nothing_of_a_session_that_is_not_there(container: AsyncContainer, owner: User) -> None:
    assert await rotate(container, a_session(owner), 1) is None


async def test_spends_nothing_of_another_session(container: AsyncContainer, owner: User) -> None:
    session, other = a_session(owner), a_session(owner)
    await store(container, session, other)

    await rotate(container, session, 1)

    assert await find(container, other.id) == other


async def test_spends_nothing_of_a_revoked_session(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner, revoked_at=NOW)
    await store(container, session)

    assert await rotate(container, session, 1) is None


@pytest.mark.parametrize("end", ["idle_expires_at", "expires_at"])
async def test_spends_until_the_very_end(container: AsyncContainer, owner: User, end: str) -> None:
    in_time, too_late = (
        a_session(owner, idle_expires_at=SOON if end == "idle_expires_at" else A_DAY_LATER, expires_at=expires_at)
        for expires_at in ([SOON] * 2 if end == "expires_at" else [A_MONTH_LATER] * 2)
    )
    await store(container, in_time, too_late)

    assert await rotate(container, in_time, 1, now=SOON - A_MICROSECOND) is not None
    assert await rotate(container, too_late, 1, now=SOON) is None


async def test_spends_nothing_of_a_deactivated_owner(container: AsyncContainer) -> None:
    owner = a_user(is_active=False)
    session = a_session(owner)
    await store(container, owner, session)

    assert await rotate(container, session, 1) is None


async def test_spends_a_number_once_when_many_want_to_at_once(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    rotated = await asyncio.gather(*(rotate(container, session, 1) for _ in range(20)))

    assert sum(outcome is not None for outcome in rotated) == 1
    after = await find(container, session.id)
    assert after is not None
    assert after.counter == 2


async def test_a_number_is_spent_whatever_becomes_of_a_unit_around_it(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    async with container() as scope:
        rotation = await scope.get(SessionRotation)
        rotated = await rotation.rotate(session.id, 1, idle_expires_at=A_DAY_LATER, now=SOON)

    assert await find(container, session.id) == rotated


# --- revoke


async def test_ends_a_session_and_no_other(container: AsyncContainer, owner: User) -> None:
    session, other = a_session(owner), a_session(owner)
    await store(container, session, other)

    await revoke(container, session, now=SOON)

    session.revoked_at = SOON
    assert await find(container, session.id) == session
    assert await find(container, other.id) == other


async def test_keeps_the_time_at_which_a_session_ended(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    await revoke(container, session, now=NOW)
    await revoke(container, session, now=SOON)

    ended = await find(container, session.id)
    assert ended is not None
    assert ended.revoked_at == NOW


async def test_ends_quietly_what_is_not_there(container: AsyncContainer, owner: User) -> None:
    await revoke(container, a_session(owner), now=NOW)


async def test_never_rotates_a_session_that_is_revoked_at_the_same_time(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)

    await asyncio.gather(
        revoke(container, session, now=SOON), *(rotate(container, session, counter) for counter in range(1, 6))
    )

    assert await rotate(container, session, 6) is None
    ended = await find(container, session.id)
    assert ended is not None
    assert ended.revoked_at == SOON


# --- who wants to sign in


async def test_looks_up_a_credential_by_address(container: AsyncContainer) -> None:
    user, other = a_user(password_hash="one"), a_user(password_hash="two", is_active=False)
    await store(container, user, other)
    credentials: CredentialQueries = await container.get(CredentialQueries)

    assert await credentials.find(user.email) == Credential(
        user.id, "one", is_active=True, version=1, has_totp=False, email_verified=False
    )
    assert await credentials.find(other.email) == Credential(
        other.id, "two", is_active=False, version=1, has_totp=False, email_verified=False
    )
    assert await credentials.find(parse_email("nobody@example.org")) is None


async def test_looks_up_no_credential_that_is_not_committed(container: AsyncContainer) -> None:
    user = a_user()
    credentials: CredentialQueries = await container.get(CredentialQueries)

    async with a_unit(container) as unit:
        await unit.users.add(user)

        assert await credentials.find(user.email) is None


# --- how sessions stand


async def test_tells_how_a_session_stands(container: AsyncContainer) -> None:
    owner = a_user(role=Role.ADMIN, is_active=False)
    session = a_session(owner, revoked_at=NOW)
    await store(container, owner, session)
    standings: StandingSource = await container.get(StandingSource)

    standing = await standings.find(session.id)

    assert standing == Standing(owner.id, Role.ADMIN, False, NOW, A_MONTH_LATER)  # noqa: FBT003 - a row's columns
    assert standing.role is Role.ADMIN


async def test_tells_nothing_of_a_session_that_is_not_there(container: AsyncContainer) -> None:
    standings: StandingSource = await container.get(StandingSource)

    assert await standings.find(SessionId(an_id())) is None


async def test_tells_what_is_committed(container: AsyncContainer, owner: User) -> None:
    session = a_session(owner)
    await store(container, session)
    standings: StandingSource = await container.get(StandingSource)

    async with a_unit(container) as unit:
        await unit.sessions.revoke(session.id, now=SOON)
        before = await standings.find(session.id)
        await unit.commit()
        after = await standings.find(session.id)

    assert before is not None
    assert after is not None
    assert (before.revoked_at, after.revoked_at) == (None, SOON)
