"""`UnitOfWork` and `StandingChanges`."""

import pytest
from dishka import AsyncContainer

from application.auth.ports import Standings
from application.items.ports import ItemQueries
from application.users.ports import UserQueries
from domain.errors import Stale
from domain.users.errors import EmailTaken, UserNotFound
from tests.builders import A_DAY_LATER, a_session, a_user, an_item
from tests.clock import NOW
from tests.units import a_unit, store


async def test_keeps_what_was_committed(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)
        await unit.commit()

    users: UserQueries = await container.get(UserQueries)
    assert await users.find(user.email) is not None


async def test_forgets_what_was_not_committed(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)

    users: UserQueries = await container.get(UserQueries)
    assert await users.find(user.email) is None


async def test_forgets_all_of_a_unit_in_which_one_thing_failed(container: AsyncContainer) -> None:
    present, new = a_user(), a_user()
    await store(container, present)

    with pytest.raises(EmailTaken):
        async with a_unit(container) as unit:
            await unit.users.add(new)
            await unit.items.add(an_item(new))
            await unit.users.add(a_user(email=present.email))

    users: UserQueries = await container.get(UserQueries)
    with pytest.raises(UserNotFound):
        await users.get(new.id)


async def test_a_unit_goes_on_after_a_stale_save(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)
    never_saved = a_user(id=user.id, version=7)
    never_saved.rename(None, now=NOW)

    async with a_unit(container) as unit:
        item = an_item(user)
        await unit.items.add(item)
        with pytest.raises(Stale):
            await unit.users.save(never_saved)
        await unit.commit()

    items: ItemQueries = await container.get(ItemQueries)
    assert (await items.get(user.id, item.id)).title == item.title


async def test_shows_nobody_what_is_not_committed_yet(container: AsyncContainer) -> None:
    user = a_user()
    items: ItemQueries = await container.get(ItemQueries)
    users: UserQueries = await container.get(UserQueries)

    async with a_unit(container) as unit:
        await unit.users.add(user)
        item = an_item(user)
        await unit.items.add(item)
        seen_before = await users.find(user.email)
        await unit.commit()
        seen_after = await items.get(user.id, item.id)

    assert seen_before is None
    assert seen_after.id == item.id


async def test_sees_its_own_changes_before_they_are_committed(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)
        loaded = await unit.users.get(user.id)
        loaded.rename(None, now=A_DAY_LATER)
        await unit.users.save(loaded)
        seen = await unit.users.get(user.id)

    assert seen == loaded


async def test_commits_nothing_without_complaint(container: AsyncContainer) -> None:
    async with a_unit(container) as unit:
        await unit.commit()
        await unit.commit()


async def test_a_change_of_standing_holds_at_once_after_the_commit(container: AsyncContainer) -> None:
    user = a_user()
    session = a_session(user)
    await store(container, user, session)
    standings: Standings = await container.get(Standings)
    await standings.find(session.id)

    async with a_unit(container) as unit:
        await unit.sessions.revoke(session.id, now=NOW)
        await unit.standing_changes.announce(user.id)
        await unit.commit()

    standing = await standings.find(session.id)
    assert standing is not None
    assert standing.revoked_at == NOW


async def test_a_change_of_standing_that_is_not_committed_is_not_announced(container: AsyncContainer) -> None:
    user = a_user()
    session = a_session(user)
    await store(container, user, session)
    standings: Standings = await container.get(Standings)
    remembered = await standings.find(session.id)

    async with a_unit(container) as unit:
        await unit.sessions.revoke(session.id, now=NOW)
        await unit.standing_changes.announce(user.id)

    assert await standings.find(session.id) is remembered
