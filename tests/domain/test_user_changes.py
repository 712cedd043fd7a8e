"""What an account's verbs change, and that all of them together are one next version."""

from collections.abc import Callable

import pytest

from domain.access import Role
from domain.users.email import parse_email
from domain.users.user import User
from tests.builders import A_DAY_LATER, a_user

CHANGES: dict[str, tuple[Callable[[User], None], str, object]] = {
    "change_email": (
        lambda user: user.change_email(parse_email("new@example.org"), now=A_DAY_LATER),
        "email",
        "new@example.org",
    ),
    "verify_email": (lambda user: user.verify_email(now=A_DAY_LATER), "email_verified", True),
    "change_password": (lambda user: user.change_password("new", now=A_DAY_LATER), "password_hash", "new"),
    "change_role": (lambda user: user.change_role(Role.ADMIN, now=A_DAY_LATER), "role", Role.ADMIN),
    "deactivate": (lambda user: user.deactivate(now=A_DAY_LATER), "is_active", False),
}


@pytest.mark.parametrize("verb", CHANGES)
def test_changes_one_thing_and_the_version(verb: str) -> None:
    change, field, value = CHANGES[verb]
    user = a_user(version=3)

    change(user)

    assert getattr(user, field) == value
    assert (user.version, user.updated_at) == (4, A_DAY_LATER)


def test_several_changes_are_one_version() -> None:
    user = a_user(is_active=False)

    user.activate(now=A_DAY_LATER)
    user.verify_email(now=A_DAY_LATER)
    user.change_role(Role.ADMIN, now=A_DAY_LATER)

    assert user.is_active_admin
    assert user.version == 2


def test_nobody_has_proved_a_new_address_yet() -> None:
    user = a_user()
    user.verify_email(now=A_DAY_LATER)

    user.change_email(parse_email("new@example.org"), now=A_DAY_LATER)

    assert not user.email_verified


@pytest.mark.parametrize(("role", "is_active"), [(Role.MEMBER, True), (Role.ADMIN, False)])
def test_who_is_no_administrator_or_not_active_does_not_administer(role: Role, is_active: bool) -> None:
    assert not a_user(role=role, is_active=is_active).is_active_admin
