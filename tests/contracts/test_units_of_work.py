from dishka import AsyncContainer

from application.users.ports import UserQueries
from tests.builders import a_user
from tests.units import a_unit


async def test_forgets_what_was_not_committed(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)

    users: UserQueries = await container.get(UserQueries)
    assert await users.find(user.email) is None


async def test_keeps_what_was_committed(container: AsyncContainer) -> None:
    user = a_user()

    async with a_unit(container) as unit:
        await unit.users.add(user)
        await unit.commit()

    users: UserQueries = await container.get(UserQueries)
    assert await users.find(user.email) is not None
