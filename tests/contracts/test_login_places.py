"""`LoginPlaces`: where accounts have signed in from."""

import pytest
from dishka import AsyncContainer

from application.auth.login_guard import NOBODY
from application.auth.ports import LoginPlaces
from application.throttling import place_of
from domain.access import Client
from tests.builders import a_session, a_user
from tests.clock import NOW
from tests.units import store


@pytest.mark.parametrize(
    ("session_ip", "ip", "known"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.200", True),
        ("203.0.113.9", "203.0.114.9", False),
        ("::ffff:203.0.113.9", "203.0.113.1", True),
        ("2001:DB8::1%eth0", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        (None, None, True),
        (None, "203.0.113.9", False),
    ],
)
async def test_knows_the_networks_of_an_account_s_sessions(
    container: AsyncContainer, session_ip: str | None, ip: str | None, known: bool
) -> None:
    owner, other = a_user(), a_user()
    await store(container, owner, other, a_session(owner, client=Client(ip=session_ip)))
    places: LoginPlaces = await container.get(LoginPlaces)

    assert await places.knows(owner.id, place_of(ip)) is known
    assert not await places.knows(other.id, place_of(ip))
    assert not await places.knows(NOBODY, place_of(ip))


async def test_knows_a_place_when_its_sessions_have_ended(container: AsyncContainer) -> None:
    owner = a_user()
    ended = a_session(owner, client=Client(ip="203.0.113.9"), idle_expires_at=NOW, expires_at=NOW, revoked_at=NOW)
    await store(container, owner, ended)
    places: LoginPlaces = await container.get(LoginPlaces)

    assert await places.knows(owner.id, place_of("203.0.113.9"))
