"""`SigningKeyStore`."""

import asyncio
from datetime import timedelta

from dishka import AsyncContainer

from application.auth.signing_ports import SigningKeyStore
from tests.builders import A_MONTH_LATER, a_signing_key
from tests.clock import NOW


async def test_is_empty_at_first(container: AsyncContainer) -> None:
    keys: SigningKeyStore = await container.get(SigningKeyStore)

    assert await keys.all() == []


async def test_gives_back_the_key_that_was_added(container: AsyncContainer) -> None:
    keys: SigningKeyStore = await container.get(SigningKeyStore)
    key = a_signing_key(retires_at=A_MONTH_LATER)

    await keys.add_first(key)

    assert await keys.all() == [key]


async def test_leaves_everything_as_it_is_once_there_is_a_key(container: AsyncContainer) -> None:
    keys: SigningKeyStore = await container.get(SigningKeyStore)
    first = a_signing_key("first")
    await keys.add_first(first)

    await keys.add_first(a_signing_key("second", created_at=NOW - timedelta(days=1)))
    await keys.add_first(a_signing_key("first", created_at=NOW + timedelta(days=1)))

    assert await keys.all() == [first]


async def test_keeps_one_key_when_many_processes_start_at_once(container: AsyncContainer) -> None:
    keys: SigningKeyStore = await container.get(SigningKeyStore)

    await asyncio.gather(*(keys.add_first(a_signing_key(f"kid-{number}")) for number in range(8)))

    assert len(await keys.all()) == 1
