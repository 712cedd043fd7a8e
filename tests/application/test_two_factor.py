"""What happens to second factors while something else is under way."""

from collections.abc import Awaitable, Callable

import pyotp
import pytest
from dishka import AsyncContainer

from adapters.memory.store import MemoryStore
from adapters.memory.users import USERS
from adapters.throttle import NullThrottle
from application.auth.sign_in import SignIn
from application.auth.sign_in_with_code import SignInWithCode
from application.auth.two_factor import BeginTotp, ConfirmTotp, DisableTotp
from application.auth.views import MfaRequired, RecoveryCodes
from application.ports import Throttle
from application.throttling import CODE_BY_ACCOUNT, ThrottleRule
from application.users.views import UserView
from domain.access import Actor, Client, PermissionDenied
from domain.auth.errors import InvalidMfaToken, WrongPassword
from domain.users.user import User
from tests.application.conftest import CountingHasher, People
from tests.builders import PASSWORD, a_powerless_actor
from tests.clock import FixedClock
from tests.containers import Given, Override
from tests.units import use


class Turnstile(NullThrottle):
    """Lets everybody through, and something happen meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] | None = None

    async def take(self, rule: ThrottleRule, subject: str) -> None:
        await super().take(rule, subject)
        if self.meanwhile is not None and rule is CODE_BY_ACCOUNT:
            self.meanwhile()


@pytest.fixture
def turnstile() -> Turnstile:
    return Turnstile()


@pytest.fixture
def overrides(overrides: tuple[Override, ...], turnstile: Turnstile) -> tuple[Override, ...]:
    """Provide a throttle at which something may happen."""
    return (*overrides, Given({Throttle: turnstile}))


def actor_of(user: UserView) -> Actor:
    return Actor.member_of(user.role, user_id=user.id)


async def enable(container: AsyncContainer, user: UserView, clock: FixedClock) -> RecoveryCodes:
    begun = await use(container, BeginTotp)(actor_of(user), password=PASSWORD)
    code = pyotp.TOTP(begun.secret).at(clock.now())
    return await use(container, ConfirmTotp)(actor_of(user), code=code)


def once(hasher: CountingHasher, happens: Callable[[], Awaitable[object]]) -> None:
    """Let this happen while the next password is checked, and only then."""

    async def meanwhile() -> None:
        hasher.meanwhile = None
        await happens()

    hasher.meanwhile = meanwhile


async def test_asks_for_a_code_if_the_factor_was_turned_on_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher, clock: FixedClock
) -> None:
    user = await people.an_account()
    once(hasher, lambda: enable(container, user, clock))

    answer = await use(container, SignIn)(email=user.email, password=PASSWORD, client=Client())

    assert isinstance(answer, MfaRequired)


async def test_asks_for_no_code_if_the_factor_was_turned_off_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher, clock: FixedClock
) -> None:
    user = await people.an_account()
    codes = await enable(container, user, clock)

    async def disable() -> None:
        await use(container, DisableTotp)(actor_of(user), password=PASSWORD, code=codes.recovery_codes[0])

    once(hasher, disable)

    await people.sign_in(user)


@pytest.mark.parametrize("field", ["password_hash", "is_active"])
async def test_begins_nothing_if_the_account_changed_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher, field: str
) -> None:
    user = await people.an_account()
    once(hasher, lambda: people.change(user, lambda account: setattr(account, field, "")))

    with pytest.raises(WrongPassword):
        await use(container, BeginTotp)(actor_of(user), password=PASSWORD)


async def test_turns_nothing_off_if_the_account_changed_while_the_password_was_checked(
    container: AsyncContainer, people: People, hasher: CountingHasher, clock: FixedClock
) -> None:
    user = await people.an_account()
    codes = await enable(container, user, clock)
    once(hasher, lambda: people.deactivate(user))

    with pytest.raises(WrongPassword):
        await use(container, DisableTotp)(actor_of(user), password=PASSWORD, code=codes.recovery_codes[0])


@pytest.mark.parametrize("happens", ["password change", "deletion"])
async def test_opens_no_session_if_the_account_changed_while_the_code_came(
    container: AsyncContainer, people: People, turnstile: Turnstile, clock: FixedClock, happens: str
) -> None:
    user = await people.an_account()
    codes = await enable(container, user, clock)
    challenge = await use(container, SignIn)(email=user.email, password=PASSWORD, client=Client())
    assert isinstance(challenge, MfaRequired)
    rows = (await container.get(MemoryStore)).table(USERS, User)

    def meanwhile() -> None:
        if happens == "deletion":
            del rows[user.id]
        else:
            rows[user.id].password_hash = "another"

    turnstile.meanwhile = meanwhile

    with pytest.raises(InvalidMfaToken):
        await use(container, SignInWithCode)(
            mfa_token=challenge.mfa_token, code=codes.recovery_codes[0], client=Client()
        )


async def test_nobody_without_the_permission_comes_near(container: AsyncContainer) -> None:
    nobody = a_powerless_actor()

    for attempt in (
        use(container, BeginTotp)(nobody, password=PASSWORD),
        use(container, ConfirmTotp)(nobody, code="123456"),
        use(container, DisableTotp)(nobody, password=PASSWORD, code="123456"),
    ):
        with pytest.raises(PermissionDenied):
            await attempt


async def test_a_password_is_checked_while_no_unit_is_open(
    container: AsyncContainer, people: People, hasher: CountingHasher
) -> None:
    user = await people.an_account()
    once(hasher, lambda: people.change(user, lambda _: None))

    assert (await use(container, BeginTotp)(actor_of(user), password=PASSWORD)).secret
