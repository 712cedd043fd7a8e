"""Who may do what."""

import pytest

from domain.access import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Actor, Permission, PermissionDenied, Role, Scope
from domain.errors import Forbidden
from domain.ids import OPERATOR, ApiKeyId, UserId
from tests.builders import a_powerless_actor, a_user, an_actor, an_id


def test_a_member_may_do_only_what_concerns_nobody_else() -> None:
    assert ROLE_PERMISSIONS[Role.MEMBER] == {
        Permission.ITEMS_READ,
        Permission.ITEMS_WRITE,
        Permission.PROFILE_READ,
        Permission.PROFILE_WRITE,
        Permission.CREDENTIALS,
    }


def test_an_admin_may_do_all() -> None:
    assert ROLE_PERMISSIONS[Role.ADMIN] == set(Permission)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_its_permissions(role: Role) -> None:
    actor = an_actor(a_user(role=role))

    assert actor.permissions == ROLE_PERMISSIONS[role]


@pytest.mark.parametrize("permission", list(Permission))
def test_requires_exactly_the_permission(permission: Permission) -> None:
    allowed = Actor(user_id=UserId(an_id()), permissions=frozenset({permission}))
    others = Actor(user_id=UserId(an_id()), permissions=frozenset(Permission) - {permission})

    allowed.require(permission)
    assert allowed.may(permission)
    assert not others.may(permission)
    with pytest.raises(PermissionDenied):
        others.require(permission)
    with pytest.raises(Forbidden):
        a_powerless_actor().require(permission)


def test_the_operator_may_do_all_for_itself_or_in_somebodys_stead() -> None:
    somebody = UserId(an_id())

    assert Actor.operator().user_id == OPERATOR
    assert Actor.operator(on_behalf_of=somebody).user_id == somebody
    assert Actor.operator().permissions == set(Permission)
    assert Actor.operator().session_id is None


def test_every_scope_allows_something() -> None:
    assert SCOPE_PERMISSIONS.keys() == set(Scope)
    assert all(SCOPE_PERMISSIONS.values())


def test_no_scope_reaches_credentials() -> None:
    assert Permission.CREDENTIALS not in frozenset[Permission]().union(*SCOPE_PERMISSIONS.values())


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_may_do_what_its_scope_and_its_owner_may_do_both(role: Role, scope: Scope) -> None:
    actor = Actor.by_key(ApiKeyId(an_id()), role, [scope], user_id=UserId(an_id()))

    assert actor.permissions == ROLE_PERMISSIONS[role] & SCOPE_PERMISSIONS[scope]
    assert actor.session_id is None


def test_a_key_has_the_permissions_of_all_its_scopes() -> None:
    actor = Actor.by_key(ApiKeyId(an_id()), Role.MEMBER, [Scope.ITEMS_READ, Scope.ITEMS_WRITE], user_id=UserId(an_id()))

    assert actor.permissions == {Permission.ITEMS_READ, Permission.ITEMS_WRITE}
