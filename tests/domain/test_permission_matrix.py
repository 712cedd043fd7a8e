"""The matrix of roles and permissions. A change of power is a change of this table."""

import pytest

from domain.access import ROLE_PERMISSIONS, Actor, Permission, PermissionDenied, Role
from tests.builders import a_powerless_actor, an_actor, an_admin

MATRIX = """
permission      member  admin
items:read      yes     yes
items:write     yes     yes
items:read:any  -       yes
profile:read    yes     yes
profile:write   yes     yes
users:read      -       yes
users:write     -       yes
audit:read      -       yes
signing-keys    -       yes
mail            -       yes
credentials     yes     yes
"""


def test_each_role_may_do_what_the_matrix_says() -> None:
    header, *lines = [line.split() for line in MATRIX.strip().splitlines()]
    may = {
        (Role(role), Permission(permission)): cell == "yes"
        for permission, *cells in lines
        for role, cell in zip(header[1:], cells, strict=True)
    }

    assert may == {
        (role, permission): permission in ROLE_PERMISSIONS[role] for role in Role for permission in Permission
    }


@pytest.mark.parametrize("permission", Permission)
def test_what_an_actor_may_not_is_refused(permission: Permission) -> None:
    an_admin().require(permission)
    Actor.operator().require(permission)
    with pytest.raises(PermissionDenied):
        a_powerless_actor().require(permission)


def test_a_member_is_refused_what_is_for_administrators() -> None:
    with pytest.raises(PermissionDenied):
        an_actor().require(Permission.USERS_WRITE)
