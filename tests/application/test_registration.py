"""Signing up, and making accounts for others."""

import asyncio

import pytest
from dishka import AsyncContainer

from application.auth.ports import CredentialQueries
from application.auth.registration import CreateUser, SignUp
from application.users.administration import FindUser
from domain.access import Client, PermissionDenied, Role
from domain.auth.password import Password
from domain.errors import Invalid
from domain.users.email import parse_email
from domain.users.errors import EmailTaken, SignupClosed, UserNotFound
from tests.application.conftest import CountingHasher
from tests.builders import PASSWORD, an_actor, an_admin
from tests.clock import NOW
from tests.units import use

EMAIL = "ada@example.org"
HERE = Client(ip="192.0.2.1", user_agent="curl")
CLOSED = pytest.mark.parametrize("variables", [{"SIGNUP": "closed"}])


async def test_anybody_signs_up_as_an_active_member(container: AsyncContainer) -> None:
    user = await use(container, SignUp)(
        email="Ada@Example.org", password=PASSWORD, full_name="Ada Lovelace", client=HERE
    )

    assert user is not None
    assert (user.email, user.full_name, user.role) == (EMAIL, "Ada Lovelace", Role.MEMBER)
    assert (user.is_active, user.email_verified, user.version) == (True, False, 1)
    assert (user.created_at, user.updated_at, user.id.version) == (NOW, NOW, 7)
    assert await use(container, FindUser)(an_admin(), EMAIL) == user


async def test_keeps_the_password_as_a_hash_only(container: AsyncContainer, hasher: CountingHasher) -> None:
    await use(container, SignUp)(email=EMAIL, password=PASSWORD, client=HERE)

    credentials: CredentialQueries = await container.get(CredentialQueries)
    credential = await credentials.find(parse_email(EMAIL))
    assert credential is not None
    assert PASSWORD not in credential.password_hash
    assert (await hasher.check(Password(PASSWORD), credential.password_hash)).is_right


@pytest.mark.parametrize("email", [EMAIL, "ADA@EXAMPLE.ORG", " ada@example.org "])
async def test_refuses_an_address_that_is_taken_however_it_is_spelled(container: AsyncContainer, email: str) -> None:
    await use(container, SignUp)(email=EMAIL, password=PASSWORD, client=HERE)

    with pytest.raises(EmailTaken):
        await use(container, SignUp)(email=email, password=PASSWORD, client=HERE)


async def test_makes_one_account_when_many_sign_up_with_one_address_at_once(container: AsyncContainer) -> None:
    sign_up = use(container, SignUp)

    outcomes = await asyncio.gather(
        *(sign_up(email=EMAIL, password=PASSWORD, client=HERE) for _ in range(10)), return_exceptions=True
    )

    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 9


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("email", {"email": "nonsense"}),
        ("password", {"password": "x" * 14}),
        ("password", {"password": "x" * 129}),
        ("full_name", {"full_name": ""}),
    ],
)
async def test_refuses_invalid_values_before_any_hashing(
    container: AsyncContainer, hasher: CountingHasher, field: str, wrong: dict[str, str]
) -> None:
    with pytest.raises(Invalid) as refused:
        values = {"email": EMAIL, "password": PASSWORD} | wrong
        await use(container, SignUp)(**values, client=HERE)

    assert [error.field for error in refused.value.errors] == [field]
    assert hasher.hashes == 0


@pytest.mark.parametrize("variables", [{"PASSWORD_MIN_LENGTH": "8"}])
async def test_takes_passwords_as_short_as_the_owner_decided(container: AsyncContainer) -> None:
    await use(container, SignUp)(email=EMAIL, password="8 chars!", client=HERE)


@CLOSED
async def test_nobody_signs_up_while_sign_up_is_closed(container: AsyncContainer, hasher: CountingHasher) -> None:
    with pytest.raises(SignupClosed):
        await use(container, SignUp)(email=EMAIL, password=PASSWORD, client=HERE)

    assert hasher.hashes == 0
    with pytest.raises(UserNotFound):
        await use(container, FindUser)(an_admin(), EMAIL)


@CLOSED
async def test_an_admin_makes_accounts_of_any_role_also_while_sign_up_is_closed(container: AsyncContainer) -> None:
    user = await use(container, CreateUser)(an_admin(), email=EMAIL, password=PASSWORD, role=Role.ADMIN)

    assert user.role is Role.ADMIN


async def test_accounts_made_by_an_admin_are_members_unless_said_otherwise(container: AsyncContainer) -> None:
    user = await use(container, CreateUser)(an_admin(), email=EMAIL, password=PASSWORD, full_name="Ada")

    assert (user.role, user.full_name) == (Role.MEMBER, "Ada")


async def test_a_member_makes_no_accounts_for_others(container: AsyncContainer, hasher: CountingHasher) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, CreateUser)(an_actor(), email=EMAIL, password=PASSWORD)

    assert hasher.hashes == 0
