"""Staying signed in, being recognised, and signing out."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from dishka import AsyncContainer

from application.auth.identify import Identify
from application.auth.ports import RefreshTokens
from application.auth.sessions import RefreshSession, SignOut
from application.auth.signing_ports import AccessTokens
from application.auth.views import Tokens
from domain.access import Actor, Client, PermissionDenied, Role
from domain.auth.errors import InvalidAccessToken, InvalidRefreshToken
from domain.auth.session import Session
from domain.ids import SessionId, UserId
from tests.application.conftest import People
from tests.builders import a_powerless_actor, an_id
from tests.clock import NOW, FixedClock
from tests.units import a_unit, use

GRACE = timedelta(seconds=10)
HERE = Client(ip="192.0.2.1", user_agent="curl")
NO_GRACE = pytest.mark.parametrize("variables", [{"REFRESH_GRACE_SECONDS": "0"}])
A_MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def tokens(people: People) -> Tokens:
    return await people.sign_in(await people.an_account())


async def session_of(container: AsyncContainer, tokens: Tokens) -> Session:
    async with a_unit(container) as unit:
        session = await unit.sessions.find(tokens.session_id)
    assert session is not None
    return session


async def refresh(container: AsyncContainer, refresh_token: str) -> Tokens:
    return await use(container, RefreshSession)(refresh_token, client=HERE)


async def identify(container: AsyncContainer, access_token: str) -> Actor:
    return await use(container, Identify)(access_token, client=HERE)


async def is_refused(container: AsyncContainer, refresh_token: str) -> bool:
    try:
        await refresh(container, refresh_token)
    except InvalidRefreshToken:
        return True
    return False


# --- refresh


async def test_exchanges_a_refresh_token_for_its_successor(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    clock.advance(timedelta(days=1))

    successor = await refresh(container, tokens.refresh_token)

    session = await session_of(container, tokens)
    actor = await identify(container, successor.access_token)
    assert successor.refresh_token != tokens.refresh_token
    assert (successor.session_id, successor.expires_in) == (tokens.session_id, 600)
    assert (session.counter, session.last_used_at) == (2, NOW + timedelta(days=1))
    assert actor.session_id == tokens.session_id


async def test_each_refresh_prolongs_the_session_but_not_beyond_its_end(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    lifetimes = []
    for _ in range(3):
        clock.advance(timedelta(days=9))
        tokens = await refresh(container, tokens.refresh_token)
        lifetimes.append(timedelta(seconds=tokens.refresh_expires_in))
    clock.advance(timedelta(days=3))

    assert lifetimes == [timedelta(days=14), timedelta(days=12), timedelta(days=3)]
    assert await is_refused(container, tokens.refresh_token)


async def test_the_access_token_does_not_outlive_the_session(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    for _ in range(2):
        clock.advance(timedelta(days=13))
        tokens = await refresh(container, tokens.refresh_token)
    clock.advance(timedelta(days=4) - timedelta(minutes=1))

    last = await refresh(container, tokens.refresh_token)

    assert last.expires_in == last.refresh_expires_in == 60


async def test_the_token_just_spent_gets_the_same_successor_within_the_grace(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    first = await refresh(container, tokens.refresh_token)

    clock.advance(GRACE - A_MICROSECOND)
    again = await refresh(container, tokens.refresh_token)

    assert again.refresh_token == first.refresh_token
    assert (await session_of(container, tokens)).counter == 2
    assert not await is_refused(container, again.refresh_token)


async def test_the_token_just_spent_ends_the_session_after_the_grace(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    successor = await refresh(container, tokens.refresh_token)
    clock.advance(GRACE)

    assert await is_refused(container, tokens.refresh_token)

    assert (await session_of(container, tokens)).revoked_at == NOW + GRACE
    assert await is_refused(container, successor.refresh_token)


@NO_GRACE
async def test_without_a_grace_any_reuse_ends_the_session(container: AsyncContainer, tokens: Tokens) -> None:
    successor = await refresh(container, tokens.refresh_token)

    assert await is_refused(container, tokens.refresh_token)
    assert await is_refused(container, successor.refresh_token)


async def test_an_older_token_ends_the_session_also_within_the_grace(container: AsyncContainer, tokens: Tokens) -> None:
    second = await refresh(container, tokens.refresh_token)
    third = await refresh(container, second.refresh_token)

    assert await is_refused(container, tokens.refresh_token)

    assert await is_refused(container, third.refresh_token)


async def test_reuse_ends_the_access_tokens_at_once(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    successor = await refresh(container, tokens.refresh_token)
    await identify(container, successor.access_token)
    clock.advance(GRACE)

    assert await is_refused(container, tokens.refresh_token)

    with pytest.raises(InvalidAccessToken):
        await identify(container, successor.access_token)


async def test_reuse_ends_no_other_session(container: AsyncContainer, people: People, clock: FixedClock) -> None:
    user = await people.an_account()
    stolen, other = await people.sign_in(user), await people.sign_in(user)
    await refresh(container, stolen.refresh_token)
    clock.advance(GRACE)

    assert await is_refused(container, stolen.refresh_token)

    assert not await is_refused(container, other.refresh_token)


async def test_many_tabs_at_once_get_one_and_the_same_successor(container: AsyncContainer, tokens: Tokens) -> None:
    answers = await asyncio.gather(*(refresh(container, tokens.refresh_token) for _ in range(20)))

    assert len({answer.refresh_token for answer in answers}) == 1
    assert (await session_of(container, tokens)).counter == 2


@NO_GRACE
async def test_without_a_grace_one_of_many_wins_and_the_session_ends(container: AsyncContainer, tokens: Tokens) -> None:
    answers = await asyncio.gather(
        *(refresh(container, tokens.refresh_token) for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(answer, InvalidRefreshToken) for answer in answers) == 19
    assert (await session_of(container, tokens)).revoked_at is not None


async def test_a_token_that_portico_did_not_make_changes_nothing(container: AsyncContainer, tokens: Tokens) -> None:
    for token in ("", "nonsense", tokens.refresh_token[:-1], tokens.access_token):
        assert await is_refused(container, token)

    assert not await is_refused(container, tokens.refresh_token)


async def test_a_token_of_the_future_or_of_no_session_changes_nothing(
    container: AsyncContainer, tokens: Tokens
) -> None:
    refresh_tokens: RefreshTokens = await container.get(RefreshTokens)

    assert await is_refused(container, refresh_tokens.issue(tokens.session_id, 2))
    assert await is_refused(container, refresh_tokens.issue(SessionId(an_id()), 1))

    assert not await is_refused(container, tokens.refresh_token)


async def test_a_session_that_ended_stays_as_it_was(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    successor = await refresh(container, tokens.refresh_token)
    clock.advance(timedelta(days=14))

    assert await is_refused(container, successor.refresh_token)
    assert await is_refused(container, tokens.refresh_token)

    assert (await session_of(container, tokens)).revoked_at is None


async def test_a_deactivated_account_is_not_kept_signed_in(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    tokens = await people.sign_in(user)

    await people.deactivate(user)

    assert await is_refused(container, tokens.refresh_token)


# --- identify


async def test_tells_whom_a_token_stands_for(container: AsyncContainer, people: People) -> None:
    user = await people.an_account(role=Role.ADMIN)
    tokens = await people.sign_in(user)

    actor = await identify(container, tokens.access_token)

    assert actor == Actor.member_of(Role.ADMIN, user_id=user.id, session_id=tokens.session_id, client=HERE)


async def test_a_deactivated_account_is_out_at_once(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    tokens = await people.sign_in(user)
    await identify(container, tokens.access_token)

    await people.deactivate(user)

    with pytest.raises(InvalidAccessToken):
        await identify(container, tokens.access_token)


async def test_another_role_holds_at_once(container: AsyncContainer, people: People) -> None:
    user = await people.an_account(role=Role.ADMIN)
    tokens = await people.sign_in(user)
    await identify(container, tokens.access_token)

    await people.change(user, lambda account: setattr(account, "role", Role.MEMBER))

    actor = await identify(container, tokens.access_token)
    assert actor.permissions == Actor.member_of(Role.MEMBER, user_id=user.id).permissions


async def test_a_token_ends_though_its_session_goes_on(
    container: AsyncContainer, tokens: Tokens, clock: FixedClock
) -> None:
    clock.advance(timedelta(minutes=10, seconds=5))

    with pytest.raises(InvalidAccessToken):
        await identify(container, tokens.access_token)


async def test_a_session_ends_though_its_token_goes_on(container: AsyncContainer, tokens: Tokens) -> None:
    session = await session_of(container, tokens)
    later = replace(await container.get(Identify), clock=FixedClock(session.expires_at))

    with pytest.raises(InvalidAccessToken):
        await later(tokens.access_token, client=HERE)


async def test_a_token_for_the_session_of_somebody_else_stands_for_nobody(
    container: AsyncContainer, tokens: Tokens
) -> None:
    access_tokens: AccessTokens = await container.get(AccessTokens)
    crossed = await access_tokens.issue(
        user_id=UserId(an_id()), session_id=tokens.session_id, expires_at=NOW + timedelta(minutes=5)
    )

    with pytest.raises(InvalidAccessToken):
        await identify(container, crossed)


async def test_a_token_for_no_session_stands_for_nobody(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    access_tokens: AccessTokens = await container.get(AccessTokens)
    orphan = await access_tokens.issue(
        user_id=user.id, session_id=SessionId(an_id()), expires_at=NOW + timedelta(minutes=5)
    )

    with pytest.raises(InvalidAccessToken):
        await identify(container, orphan)


async def test_a_refresh_token_is_no_access_token(container: AsyncContainer, tokens: Tokens) -> None:
    with pytest.raises(InvalidAccessToken):
        await identify(container, tokens.refresh_token)


# --- sign out


async def test_signing_out_ends_the_session_at_once(container: AsyncContainer, tokens: Tokens) -> None:
    actor = await identify(container, tokens.access_token)

    await use(container, SignOut)(actor)

    assert (await session_of(container, tokens)).revoked_at == NOW
    assert await is_refused(container, tokens.refresh_token)
    with pytest.raises(InvalidAccessToken):
        await identify(container, tokens.access_token)


async def test_signing_out_ends_no_other_session(container: AsyncContainer, people: People) -> None:
    user = await people.an_account()
    here, there = await people.sign_in(user), await people.sign_in(user)

    await use(container, SignOut)(await identify(container, here.access_token))

    assert (await identify(container, there.access_token)).session_id == there.session_id
    assert not await is_refused(container, there.refresh_token)


async def test_signing_out_twice_changes_nothing(container: AsyncContainer, tokens: Tokens, clock: FixedClock) -> None:
    actor = await identify(container, tokens.access_token)

    await use(container, SignOut)(actor)
    clock.advance(timedelta(minutes=1))
    await use(container, SignOut)(actor)

    assert (await session_of(container, tokens)).revoked_at == NOW


async def test_who_came_without_a_session_has_none_to_end(container: AsyncContainer, tokens: Tokens) -> None:
    await use(container, SignOut)(Actor.operator())

    assert (await session_of(container, tokens)).revoked_at is None


async def test_signing_out_needs_the_permission(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, SignOut)(a_powerless_actor())
