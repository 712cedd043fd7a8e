"""Use cases run in memory, which the contracts prove to behave as the databases do."""

from collections.abc import Awaitable, Callable, Iterator

import pytest
from dishka import AsyncContainer

from adapters.security.argon2 import Argon2PasswordHasher
from application.auth.ports import PasswordCheck, PasswordHasher
from application.auth.registration import CreateUser
from application.auth.sign_in import SignIn
from application.auth.views import Tokens
from application.users.views import UserView
from domain.access import Client, Role
from domain.auth.password import Password
from domain.users.user import User
from entrypoints.settings import Settings
from tests.builders import PASSWORD, an_admin, an_email
from tests.clock import FixedClock
from tests.containers import Given, Override, Overrides, settings_for
from tests.units import a_unit, use


class CountingHasher(PasswordHasher):
    """Hashes like the real one and counts how often; lets something happen while it works."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self.hashes = 0
        self.checks = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def hash(self, password: Password) -> str:
        self.hashes += 1
        return await self._hasher.hash(password)

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        self.checks += 1
        check = await self._hasher.check(password, password_hash)
        if self.meanwhile is not None:
            await self.meanwhile()
        return check


@pytest.fixture
def hasher() -> Iterator[CountingHasher]:
    """Provide the hasher in the container."""
    hasher = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1)
    yield CountingHasher(hasher)
    hasher.close()


@pytest.fixture
def variables() -> dict[str, str]:
    """Provide the settings that differ from the default; tests override this."""
    return {}


@pytest.fixture
def storage(variables: dict[str, str]) -> Settings:
    """Provide the settings of an installation in memory."""
    return settings_for("memory:", **variables)


@pytest.fixture
def overrides(clock: FixedClock, hasher: CountingHasher) -> tuple[Override, ...]:
    """Provide a clock to move and a hasher to look at."""
    return (Overrides(clock), Given({PasswordHasher: hasher}))


class People:
    """Makes accounts and signs them in."""

    def __init__(self, container: AsyncContainer) -> None:
        self._container = container

    async def an_account(self, *, email: str | None = None, role: Role = Role.MEMBER) -> UserView:
        """Return an account whose password is PASSWORD."""
        create_user = use(self._container, CreateUser)
        return await create_user(an_admin(), email=email or an_email(), password=PASSWORD, role=role)

    async def sign_in(self, user: UserView) -> Tokens:
        """Return the tokens of a new session."""
        tokens = await use(self._container, SignIn)(email=user.email, password=PASSWORD, client=Client())
        assert isinstance(tokens, Tokens)
        return tokens

    async def deactivate(self, user: UserView) -> None:
        """Deactivate the account, as an administrator would."""
        await self.change(user, lambda account: setattr(account, "is_active", False))

    async def change(self, user: UserView, change: Callable[[User], None]) -> None:
        """Change the account behind everybody's back."""
        async with a_unit(self._container) as unit:
            account = await unit.users.get(user.id)
            account.rename(account.full_name, now=account.updated_at)
            change(account)
            await unit.users.save(account)
            await unit.standing_changes.announce(user.id)
            await unit.commit()


@pytest.fixture
def people(container: AsyncContainer) -> People:
    """Provide people."""
    return People(container)
