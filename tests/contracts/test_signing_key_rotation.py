"""Rotating signing keys: no valid token is refused, and no dead one accepted, in any process."""

import asyncio
import base64
import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.security.cipher import Cipher
from adapters.security.secrets import SecretKey
from adapters.sql.engines import Engines
from application.audit import AuditFilter, AuditQueries
from application.auth.signing_keys import (
    EMERGENCY_PUBLICATION,
    ListSigningKeys,
    OnlySigningKey,
    RetireSigningKey,
    RotateSigningKeys,
    SigningKeyNotFound,
    SigningKeyView,
)
from application.auth.signing_ports import AccessTokens, SigningKeyStore
from domain.access import Actor, PermissionDenied
from domain.auth.errors import InvalidAccessToken
from domain.ids import SessionId, UserId
from entrypoints.settings import Settings
from tests.builders import an_actor, an_id
from tests.clock import NOW, FixedClock
from tests.containers import Override, container_for
from tests.engines import engine_on
from tests.units import use

OPERATOR = Actor.operator()
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
LIFETIME = 10 * MINUTE
ON_SQL = pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)


@dataclass
class Process:
    """One of several processes on one storage."""

    container: AsyncContainer
    clock: FixedClock
    tokens: AccessTokens

    async def issue(self) -> str:
        """Return a token that is good for ten minutes."""
        return await self.tokens.issue(
            user_id=UserId(an_id()), session_id=SessionId(an_id()), expires_at=self.clock.now() + LIFETIME
        )

    async def accepts(self, token: str) -> bool:
        """Tell whether the token is good here."""
        try:
            await self.tokens.read(token)
        except InvalidAccessToken:
            return False
        return True

    async def published(self) -> set[str]:
        """Return the ids of the keys that others may verify by."""
        return {key["kid"] for key in (await self.tokens.jwks())["keys"]}

    async def keys(self) -> list[SigningKeyView]:
        """Return all keys."""
        return list(await use(self.container, ListSigningKeys)(OPERATOR))

    async def rotate(self) -> str:
        """Rotate as planned, and return the id of the next key."""
        return (await use(self.container, RotateSigningKeys)(OPERATOR)).kid

    async def rotate_at_once(self) -> str:
        """Rotate in an emergency, and return the id of the next key."""
        return (await use(self.container, RotateSigningKeys)(OPERATOR, delay=EMERGENCY_PUBLICATION)).kid

    async def retire(self, kid: str) -> SigningKeyView:
        """Retire a key at once."""
        return await use(self.container, RetireSigningKey)(OPERATOR, kid)

    async def statuses(self) -> list[str]:
        """Return in which states the keys are, in the order in which they take over."""
        return [str(key.status) for key in sorted(await self.keys(), key=lambda key: key.activates_at)]


def kid_of(token: str) -> str:
    head = token.partition(".")[0]
    kid: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return kid


async def a_process(container: AsyncContainer, clock: FixedClock) -> Process:
    return Process(container, clock, await container.get(AccessTokens))


@pytest.fixture
async def process(container: AsyncContainer, clock: FixedClock) -> Process:
    return await a_process(container, clock)


@pytest.fixture
async def other_process(
    storage: Settings, overrides: tuple[Override, ...], clock: FixedClock
) -> AsyncIterator[Process]:
    container = container_for(storage, *overrides)
    yield await a_process(container, clock)
    await container.close()


async def test_a_key_is_published_then_signs_then_retires(process: Process, clock: FixedClock) -> None:
    old = kid_of(await process.issue())

    new = await process.rotate()
    clock.advance(5 * SECOND)

    assert await process.published() == {old, new}
    assert await process.statuses() == ["retiring", "next"]
    assert kid_of(await process.issue()) == old

    clock.advance(15 * MINUTE - 5 * SECOND)
    assert kid_of(await process.issue()) == new
    assert await process.statuses() == ["retiring", "active"]
    assert await process.published() == {old, new}

    clock.advance(LIFETIME + 5 * MINUTE)
    assert await process.statuses() == ["retired", "active"]
    assert await process.published() == {new}


@ON_SQL
async def test_no_process_refuses_a_valid_token_at_any_moment_of_a_rotation(
    process: Process, other_process: Process, clock: FixedClock
) -> None:
    processes = (process, other_process)
    kids = [kid_of(await process.issue())]
    live: list[tuple[str, datetime]] = []

    for step in range(150):
        if step == 10:
            kids.append(await process.rotate())
        if step == 80:
            kids.append(await other_process.rotate_at_once())
        # Odd steps, so that each process looks at the keys at moments of its own.
        clock.advance(timedelta(seconds=21.3) if step % 2 else 15 * SECOND)
        signer = processes[step % 2]
        if step % 3:
            await processes[step % 5 % 2].published()
        live.append((await signer.issue(), clock.now() + LIFETIME))
        live = [(token, end) for token, end in live if clock.now() < end]
        for token, _ in (live[0], live[-1], live[len(live) // 2]):
            for reader in processes:
                assert await reader.accepts(token), step

    assert [kid_of(token) for token, _ in live] == [kids[2]] * len(live)
    assert await process.statuses() == ["retired", "retired", "active"]
    assert await process.published() == await other_process.published() == {kids[2]}


@ON_SQL
async def test_at_each_edge_every_process_accepts_what_any_other_signs(
    process: Process, other_process: Process, clock: FixedClock
) -> None:
    microsecond = timedelta(microseconds=1)
    old = kid_of(await process.issue())
    await other_process.published()
    new = await process.rotate()
    edges = {"activates": 15 * MINUTE, "retires": 30 * MINUTE}

    last_of_old = None
    for edge in edges.values():
        for moment in (edge - SECOND, edge - microsecond, edge, edge + SECOND):
            clock.advance(NOW + moment - clock.now())
            for signer in (process, other_process):
                token = await signer.issue()
                assert kid_of(token) == (old if moment < edges["activates"] else new)
                assert all([await reader.accepts(token) for reader in (process, other_process)])
                last_of_old = token if kid_of(token) == old else last_of_old

    assert last_of_old is not None
    assert not await other_process.accepts(last_of_old)


@ON_SQL
async def test_in_an_emergency_the_next_key_signs_within_seconds_and_no_token_is_refused(
    process: Process, other_process: Process, clock: FixedClock
) -> None:
    before = await process.issue()
    assert await other_process.accepts(before)
    await other_process.published()

    new = await process.rotate_at_once()
    for _ in range(80):
        clock.advance(timedelta(milliseconds=100))
        for signer in (process, other_process):
            token = await signer.issue()
            assert all([await reader.accepts(token) for reader in (process, other_process)])

    assert {kid_of(await process.issue()), kid_of(await other_process.issue())} == {new}
    assert await other_process.accepts(before)


async def test_a_key_that_is_overtaken_before_it_signed_never_signs(process: Process, clock: FixedClock) -> None:
    await process.issue()
    overtaken = await process.rotate()

    new = await process.rotate_at_once()

    clock.advance(MINUTE)
    assert await process.statuses() == ["retiring", "active", "retired"]
    assert overtaken not in await process.published()
    clock.advance(20 * MINUTE)
    assert kid_of(await process.issue()) == new


async def test_many_rotations_in_a_row_follow_one_another(process: Process, clock: FixedClock) -> None:
    kids = [kid_of(await process.issue())]
    for _ in range(6):
        kids.append(await process.rotate())
        clock.advance(10 * SECOND)

    seen: list[str] = []
    live: list[str] = []
    for _ in range(200):
        clock.advance(10 * SECOND)
        token = await process.issue()
        live = [*live, token][-59:]
        assert await process.accepts(live[0])
        seen.append(kid_of(token))

    assert list(dict.fromkeys(seen)) == kids
    assert await process.statuses() == ["retired"] * 6 + ["active"]


async def test_the_first_rotation_of_an_empty_installation_signs_at_once(process: Process) -> None:
    kid = await process.rotate()

    assert kid_of(await process.issue()) == kid


async def test_rotations_at_once_leave_one_key_that_stays(process: Process) -> None:
    await process.issue()

    await asyncio.gather(*(process.rotate() for _ in range(5)))

    assert [key.retires_at is None for key in await process.keys()].count(True) == 1


# --- retire


async def test_a_retired_key_s_tokens_are_refused_in_every_process_within_seconds(
    process: Process, other_process: Process, clock: FixedClock, storage: Settings
) -> None:
    processes = (process,) if storage.is_memory else (process, other_process)
    leaked = await process.issue()
    assert all([await reader.accepts(leaked) for reader in processes])
    await process.rotate_at_once()
    clock.advance(EMERGENCY_PUBLICATION)

    retired = await process.retire(kid_of(leaked))
    clock.advance(5 * SECOND)

    assert retired.status == "retired"
    assert not any([await reader.accepts(leaked) for reader in processes])
    assert kid_of(leaked) not in await process.published()


async def test_the_only_key_that_signs_and_goes_on_to_is_not_retired(process: Process, clock: FixedClock) -> None:
    old = kid_of(await process.issue())
    with pytest.raises(OnlySigningKey):
        await process.retire(old)

    new = await process.rotate()
    for kid in (old, new):
        with pytest.raises(OnlySigningKey):
            await process.retire(kid)

    clock.advance(15 * MINUTE)
    await process.retire(old)
    with pytest.raises(OnlySigningKey):
        await process.retire(new)
    assert kid_of(await process.issue()) == new


async def test_retiring_twice_changes_nothing(process: Process, clock: FixedClock) -> None:
    old = kid_of(await process.issue())
    await process.rotate_at_once()
    clock.advance(EMERGENCY_PUBLICATION)
    first = await process.retire(old)
    clock.advance(MINUTE)

    assert await process.retire(old) == first


async def test_a_key_that_is_not_there_is_not_retired(process: Process) -> None:
    with pytest.raises(SigningKeyNotFound):
        await process.retire("nonsense")


# --- who, and what is written down


async def test_only_who_may_change_keys_does(container: AsyncContainer) -> None:
    for attempt in (
        use(container, ListSigningKeys)(an_actor()),
        use(container, RotateSigningKeys)(an_actor()),
        use(container, RetireSigningKey)(an_actor(), "kid"),
    ):
        with pytest.raises(PermissionDenied):
            await attempt


async def test_changes_of_keys_are_recorded(container: AsyncContainer, process: Process, clock: FixedClock) -> None:
    old = kid_of(await process.issue())
    new = await process.rotate_at_once()
    clock.advance(EMERGENCY_PUBLICATION)
    await process.retire(old)

    audit: AuditQueries = await container.get(AuditQueries)
    retired, rotated = (await audit.page(AuditFilter(), limit=10, after=None)).data
    assert (rotated.action, rotated.actor_id, rotated.data) == (
        "signing_key.rotated",
        None,
        {"kid": new, "by": "operator"},
    )
    assert (retired.action, retired.actor_id, retired.data) == (
        "signing_key.retired",
        None,
        {"kid": old, "by": "operator"},
    )


async def test_a_list_of_keys_never_shows_their_private_halves(process: Process) -> None:
    await process.issue()

    [key] = await process.keys()

    assert set(dataclasses.asdict(key)) == {"kid", "status", "created_at", "activates_at", "retires_at"}


@ON_SQL
async def test_the_database_holds_no_private_key_in_the_clear(process: Process, storage: Settings) -> None:
    await process.issue()
    await process.rotate()
    store: SigningKeyStore = await process.container.get(SigningKeyStore)
    cipher = Cipher(SecretKey(storage.secret_key.encode()), purpose="signing keys")
    private = [json.loads(cipher.open(key.sealed_private_key, context=key.kid))["d"] for key in await store.all()]

    engines: Engines = await process.container.get(Engines)
    async with engine_on(engines.write).connect() as connection:
        rows = (await connection.execute(sa.text("SELECT * FROM signing_keys"))).all()

    assert len(private) == len(rows) == 2
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in private:
        assert secret.encode() not in stored
        assert base64.urlsafe_b64decode(secret + "=") not in stored
    assert b'"d"' not in stored
