"""`UserRepository.delete` and `lock_active_admins`, `AuditLog.forget`, and `PersonalDataQueries`."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.sql.api_keys import API_KEYS
from adapters.sql.base import metadata
from adapters.sql.engines import Engines
from adapters.sql.two_factor import TOTP_FACTORS
from application.auth.export import PersonalDataQueries, StoredApiKey, StoredLetter, StoredSession
from application.items.ports import ItemQueries
from application.outbox import Letter, LetterQueries, LetterQueue, LetterSort, LetterTemplate
from application.paging import Order
from application.ports import AuditLog, Outbox, UnitOfWork
from application.users.ports import UserQueries
from domain.access import Client, Role
from domain.audit import AuditAction
from domain.errors import Stale
from domain.ids import UserId
from domain.items.errors import ItemNotFound
from domain.users.errors import UserNotFound
from domain.users.user import User
from tests.builders import A_DAY_LATER, A_MONTH_LATER, a_session, a_user, an_id, an_item
from tests.clock import NOW, FixedClock
from tests.engines import engine_on
from tests.units import a_unit, store

HERE = Client("203.0.113.9", "Phone/1")


@pytest.fixture
async def personal_data(container: AsyncContainer) -> PersonalDataQueries:
    queries: PersonalDataQueries = await container.get(PersonalDataQueries)
    return queries


async def delete(container: AsyncContainer, user: User) -> None:
    async with a_unit(container) as unit:
        await unit.users.delete(user)
        await unit.commit()


async def put_letter(container: AsyncContainer, user: User, *, with_id: bool = True) -> None:
    async with container() as scope:
        outbox, unit = await scope.get(Outbox), await scope.get(UnitOfWork)
        await outbox.put(
            LetterTemplate.EMAIL_CHANGED,
            recipient=user.email,
            user_id=user.id if with_id else None,
            data={"new_email": "new@example.org"},
        )
        await unit.commit()


async def record(
    container: AsyncContainer, *, actor: User | None, subject: User | None, client: Client = HERE, n: int = 1
) -> None:
    async with container() as scope:
        audit, unit = await scope.get(AuditLog), await scope.get(UnitOfWork)
        for number in range(n):
            await audit.record(
                AuditAction.USER_RENAMED,
                actor_id=actor.id if actor else None,
                subject_id=subject.id if subject else None,
                client=client,
                data={"number": str(number)},
            )
        await unit.commit()


async def forget(container: AsyncContainer, user: User) -> None:
    async with container() as scope:
        audit, unit = await scope.get(AuditLog), await scope.get(UnitOfWork)
        await audit.forget(user.id)
        await unit.commit()


# --- delete


async def test_removes_an_account_with_all_that_is_its_own(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user, other = a_user(), a_user()
    item, kept = an_item(user), an_item(other)
    session = a_session(other)
    await store(container, user, other, item, kept, a_session(user), session)
    await put_letter(container, user)
    await put_letter(container, other)

    await delete(container, user)

    users: UserQueries = await container.get(UserQueries)
    items: ItemQueries = await container.get(ItemQueries)
    with pytest.raises(UserNotFound):
        await users.get(user.id)
    with pytest.raises(ItemNotFound):
        await items.get(user.id, item.id)
    assert await personal_data.sessions(user.id) == []
    assert await personal_data.letters(user.id) == []
    assert (await items.get(other.id, kept.id)).title == kept.title
    assert [row.id for row in await personal_data.sessions(other.id)] == [session.id]
    assert len(await personal_data.letters(other.id)) == 1


async def test_removes_nothing_until_the_unit_commits(container: AsyncContainer) -> None:
    user = a_user()
    item = an_item(user)
    await store(container, user, item)

    async with a_unit(container) as unit:
        await unit.users.delete(user)
        with pytest.raises(UserNotFound):
            await unit.users.get(user.id)

    items: ItemQueries = await container.get(ItemQueries)
    assert (await items.get(user.id, item.id)).id == item.id


async def test_removes_what_was_added_in_the_same_unit(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)
        item = an_item(user)
        await unit.items.add(item)
        await unit.users.delete(user)
        with pytest.raises(ItemNotFound):
            await unit.items.get(user.id, item.id)
        await unit.commit()

    users: UserQueries = await container.get(UserQueries)
    assert await users.find(user.email) is None


async def test_refuses_to_remove_what_has_changed_or_is_gone(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)
    async with a_unit(container) as unit:
        changed = await unit.users.get(user.id)
        changed.rename(None, now=A_DAY_LATER)
        await unit.users.save(changed)
        await unit.commit()

    with pytest.raises(Stale):
        await delete(container, user)
    await delete(container, changed)
    with pytest.raises(Stale):
        await delete(container, changed)


async def test_frees_the_address(container: AsyncContainer) -> None:
    user = a_user()
    await store(container, user)

    await delete(container, user)

    await store(container, a_user(email=user.email))


# --- who administers


async def test_tells_who_administers(container: AsyncContainer) -> None:
    admins = [a_user(role=Role.ADMIN) for _ in range(3)]
    await store(container, *admins, a_user(), a_user(role=Role.ADMIN, is_active=False))

    async with a_unit(container) as unit:
        assert await unit.users.lock_active_admins() == {admin.id for admin in admins}


async def test_tells_that_nobody_administers(container: AsyncContainer) -> None:
    await store(container, a_user())

    async with a_unit(container) as unit:
        assert await unit.users.lock_active_admins() == frozenset()


async def test_makes_others_wait_who_ask_who_administers(container: AsyncContainer) -> None:
    admins = [a_user(role=Role.ADMIN) for _ in range(2)]
    await store(container, *admins)

    async def ask() -> frozenset[UserId]:
        async with a_unit(container) as unit:
            return await unit.users.lock_active_admins()

    async with a_unit(container) as unit:
        await unit.users.lock_active_admins()
        loaded = await unit.users.get(admins[0].id)
        waiting = asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        waited = not waiting.done()
        loaded.deactivate(now=NOW)
        await unit.users.save(loaded)
        await unit.commit()

    assert waited
    assert await waiting == {admins[1].id}


async def test_never_loses_the_last_of_many_who_step_down_at_once(container: AsyncContainer) -> None:
    admins = [a_user(role=Role.ADMIN) for _ in range(6)]
    await store(container, *admins)

    async def step_down(admin: User) -> bool:
        async with a_unit(container) as unit:
            if not await unit.users.lock_active_admins() - {admin.id}:
                return False
            loaded = await unit.users.get(admin.id)
            loaded.change_role(Role.MEMBER, now=NOW)
            await unit.users.save(loaded)
            await unit.commit()
            return True

    outcomes = await asyncio.gather(*map(step_down, admins))

    assert sorted(outcomes) == [False] + [True] * 5
    async with a_unit(container) as unit:
        assert await unit.users.lock_active_admins() == {admins[outcomes.index(False)].id}


# --- forget


async def test_forgets_from_where_a_user_came_and_nobody_else(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user, other = a_user(), a_user()
    await record(container, actor=user, subject=user)
    await record(container, actor=None, subject=user)
    await record(container, actor=user, subject=other)
    await record(container, actor=other, subject=other)

    await forget(container, user)

    of_user = await personal_data.events(user.id, limit=10, after=0)
    of_other = await personal_data.events(other.id, limit=10, after=0)
    assert [(event.ip, event.user_agent) for event in of_user] == [(None, None)] * 3
    assert [event.data for event in of_user] == [{"number": "0"}] * 3
    assert (of_other[-1].ip, of_other[-1].user_agent) == (HERE.ip, HERE.user_agent)


async def test_forgets_nothing_unless_the_unit_commits(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user = a_user()
    await record(container, actor=user, subject=user)

    async with container() as scope:
        audit = await scope.get(AuditLog)
        await audit.forget(user.id)

    (event,) = await personal_data.events(user.id, limit=10, after=0)
    assert event.ip == HERE.ip


# --- personal data


async def test_returns_every_session_live_or_not(container: AsyncContainer, personal_data: PersonalDataQueries) -> None:
    user = a_user()
    newer = a_session(user, created_at=NOW + timedelta(seconds=1), revoked_at=A_DAY_LATER)
    older = a_session(user, client=HERE)
    await store(container, user, newer, older)

    assert await personal_data.sessions(user.id) == [
        StoredSession(older.id, NOW, NOW, A_DAY_LATER, A_MONTH_LATER, None, HERE.ip, HERE.user_agent),
        StoredSession(
            newer.id,
            newer.created_at,
            newer.created_at,
            A_DAY_LATER,
            A_MONTH_LATER,
            A_DAY_LATER,
            None,
            None,
        ),
    ]


async def test_returns_letters_in_the_order_in_which_they_were_put(
    container: AsyncContainer, personal_data: PersonalDataQueries, clock: FixedClock
) -> None:
    user = a_user()
    await store(container, user)
    await put_letter(container, user)
    clock.advance(timedelta(seconds=1))
    await put_letter(container, user)
    await put_letter(container, user, with_id=False)

    letters = await personal_data.letters(user.id)

    assert letters == [
        StoredLetter(letters[0].id, "email_changed", user.email, "pending", NOW, None),
        StoredLetter(letters[1].id, "email_changed", user.email, "pending", NOW + timedelta(seconds=1), None),
    ]


async def test_returns_events_in_order_page_by_page(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user, other = a_user(), a_user()
    await record(container, actor=user, subject=None, n=2)
    await record(container, actor=other, subject=other)
    await record(container, actor=None, subject=user)

    first = await personal_data.events(user.id, limit=2, after=0)
    second = await personal_data.events(user.id, limit=2, after=first[-1].position)
    third = await personal_data.events(user.id, limit=2, after=second[-1].position)

    assert [event.data["number"] for event in (*first, *second)] == ["0", "1", "0"]
    assert [(event.actor_id, event.subject_id) for event in (first[0], second[0])] == [(user.id, None), (None, user.id)]
    assert (first[0].ip, first[0].user_agent, first[0].created_at) == (HERE.ip, HERE.user_agent, NOW)
    assert third == []


async def test_hides_from_where_another_did_something_to_the_account(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user, admin = a_user(), a_user()
    await record(container, actor=admin, subject=user)

    (event,) = await personal_data.events(user.id, limit=10, after=0)

    assert (event.actor_id, event.ip, event.user_agent) == (admin.id, None, None)


async def test_returns_nothing_where_there_is_nothing(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user = a_user()
    await store(container, user)

    assert not await personal_data.has_totp(user.id)
    assert await personal_data.sessions(user.id) == []
    assert await personal_data.api_keys(user.id) == []
    assert await personal_data.letters(user.id) == []
    assert await personal_data.events(user.id, limit=10, after=0) == []


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_returns_keys_and_factors_without_their_secrets(
    container: AsyncContainer, personal_data: PersonalDataQueries
) -> None:
    user, other = a_user(), a_user()
    await store(container, user, other)
    key_id = an_id()
    row = {"owner_id": user.id, "prefix": "ptk_1", "scopes": ["items:read"], "created_at": NOW}
    ends = {"expires_at": A_DAY_LATER, "last_used_at": None, "revoked_at": None}
    factor = {"sealed_seed": b"sealed", "created_at": NOW, "last_step": None}
    engines: Engines = await container.get(Engines)
    async with engine_on(engines.write).begin() as connection:
        await connection.execute(sa.insert(API_KEYS), row | ends | {"id": key_id, "name": "CI", "digest": b"digest"})
        await connection.execute(
            sa.insert(TOTP_FACTORS),
            [factor | {"user_id": user.id, "confirmed_at": NOW}, factor | {"user_id": other.id, "confirmed_at": None}],
        )

    assert await personal_data.api_keys(user.id) == [
        StoredApiKey(key_id, "CI", "ptk_1", ["items:read"], NOW, A_DAY_LATER, None, None)
    ]
    assert await personal_data.has_totp(user.id)
    assert not await personal_data.has_totp(other.id)
    await delete(container, user)
    assert await personal_data.api_keys(user.id) == []
    assert not await personal_data.has_totp(user.id)


def test_each_row_that_names_its_owner_goes_with_the_account() -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name in ("user_id", "owner_id"):
                (reference,) = column.foreign_keys
                assert (reference.target_fullname, reference.ondelete) == ("users.id", "CASCADE"), column


# --- letters about nobody


@pytest.mark.parametrize("end", ["sent", "dead"])
async def test_nothing_stays_of_a_letter_to_who_is_gone_once_it_is_done(container: AsyncContainer, end: str) -> None:
    user = a_user()
    await store(container, user)
    await put_letter(container, user)
    async with container() as scope:
        outbox, unit = await scope.get(Outbox), await scope.get(UnitOfWork)
        await outbox.put(LetterTemplate.ACCOUNT_DELETED, recipient=user.email, user_id=None, data={})
        await unit.commit()
    queue: LetterQueue = await container.get(LetterQueue)
    claimed = await queue.claim(limit=10, now=NOW, until=A_DAY_LATER)

    async def finish(letter: Letter) -> bool:
        if end == "sent":
            return await queue.mark_sent(letter, now=NOW)
        return await queue.mark_dead(letter, error="refused")

    assert [await finish(letter) for letter in claimed] == [True, True]

    letters: LetterQueries = await container.get(LetterQueries)
    page = await letters.page(None, order=Order(LetterSort.CREATED_AT), limit=10, after=None)
    assert [letter.template for letter in page.data] == [LetterTemplate.EMAIL_CHANGED]
    # Another relay whose claim is void learns so.
    assert [await finish(letter) for letter in claimed] == [False, False]
